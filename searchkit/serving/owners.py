"""Which of the processes that share a file still live: each holds a lock that falls when it dies, however it dies."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from searchkit.engine.journal.lock import Lock, held, is_held_here
from searchkit.errors import JournalError


class Owner:
    """This process, as others know it. path: of the file that they share; beside it stands an empty one of its own."""

    def __init__(self, path: Path) -> None:
        self.name: str = secrets.token_hex(8)
        self._lock: Lock = held(_beside(path, self.name))

    def leave(self) -> None:
        """From now on it counts as dead."""
        self._lock.release()
        self._lock.path.unlink(missing_ok=True)


def is_dead(path: Path, name: str) -> bool:
    """Whether the process that is known as `name` has ended; what it left beside the file is then removed."""
    own = _beside(path, name)
    if is_held_here(own):
        return False
    try:
        lock = held(own)
    except JournalError:  # somebody has it
        return False
    lock.release()
    with contextlib.suppress(OSError):
        own.unlink(missing_ok=True)
    return True


def _beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.name}-{name}")
