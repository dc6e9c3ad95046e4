"""One process at a time: a lock on a file beside the journal, which falls when its holder dies, however it dies.

All journals of a process that are the same file share one lock. It is taken from the operating system, not from what
stands in the file: that only says who holds it.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
import time
from datetime import datetime
from pathlib import Path

from searchkit.engine.journal.header import is_ours
from searchkit.errors import JournalError

_HEADER = 100
_NAME = b"searchkit "
_WRITTEN = re.compile(rb"searchkit (\d{1,20}) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_DIGIT = re.compile(rb"\d")
_SHAPE = b" 0000-00-00 00:00:00"  # of what is written behind the process
_ours: dict[Path, Lock] = {}  # of this process, as its locks are: closing a second handle of a file would end the first
_guard = threading.RLock()


class Lock:
    """The lock on the journal at `path`, an empty file if there was none; `held` gives it.

    Raises `JournalError` that names the process which has it, or a file that stands where the lock's should.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        self.users: int = 1
        self._beside = path.with_name(path.name + "-lock")
        self._handle = _acquire(self._beside, path)
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o666)  # behind the lock: a refusal leaves nothing
        except BaseException:
            self._remove()
            os.close(self._handle)
            raise
        self._known = _identity(os.fstat(self._file))

    def check(self) -> None:
        """Raise `JournalError` if the file at the path is no longer the one that was opened, or no journal any more, or
        if somebody removed the lock's file, and another process has it now."""
        if not _is_at(self._beside, self._handle):
            taken = _acquire(self._beside, self.path)
            os.close(self._handle)
            self._handle = taken
        try:
            same = _identity(os.stat(self.path)) == self._known and is_ours(_read(self._file))
        except OSError:
            same = False
        if not same:
            raise JournalError(
                f"{self.path} was removed, replaced or overwritten while it was open: what is finished from now on "
                "cannot be kept. Put it back, or use another path"
            )

    def release(self) -> None:
        """Give up one use; with the last one the lock falls."""
        with _guard:
            self.users -= 1
            if self.users == 0:
                _ours.pop(self.path, None)
                self._remove()
                self.leave()

    def _remove(self) -> None:
        """Remove the lock's file, if it is still the one that is held."""
        if _is_at(self._beside, self._handle):
            with contextlib.suppress(OSError):
                self._beside.unlink()

    def leave(self) -> None:
        """Close the handles."""
        os.close(self._file)
        os.close(self._handle)


def held(path: Path) -> Lock:
    """This process's lock on the journal at `path`, taken now if it has none. Give it back with `release`."""
    with _guard:
        lock = _ours.get(path)
        if lock is None:
            lock = _ours[path] = Lock(path)
        else:
            lock.users += 1
        return lock


def is_held_here(path: Path) -> bool:
    """Whether this process has the journal open for writing."""
    return path in _ours


def _acquire(beside: Path, path: Path) -> int:
    while True:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if not _locked(handle):
                raise JournalError(f"{path} is in use by {_holder(handle)}: wait for it, or open it read_only=True")
            if not _is_left(handle):
                raise JournalError(
                    f"{beside} has the name of this journal's lock, and is none; it was left as it is. Move it away, "
                    "or choose another path for the journal"
                )
            if _is_at(beside, handle):  # whoever had it before removes the file and lets go
                _write(handle, f"{_NAME.decode()}{os.getpid()} {_started()}")
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # a platform without such locks (Windows): nobody is kept out
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> str:
    """Who has the lock, as he wrote it, which is the first that he does with it."""
    for _ in range(20):
        if found := _WRITTEN.fullmatch(_read(handle)):
            pid, since = (part.decode() for part in found.groups())
            return f"process {pid}, started {since}"
        time.sleep(0.01)
    return "another process"


def _is_left(handle: int) -> bool:
    """Whether the file is a lock that somebody left, or new, so that nothing is lost with it."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_size >= _HEADER:
        return False
    said = _read(handle)
    return not said.strip(b"\0") or _is_written(said)  # zeros: the machine lost its power


def _is_written(said: bytes) -> bool:
    """Whether it is what a holder writes, or the beginning of it: he was killed, or the disk was full."""
    if not said.startswith(_NAME):
        return _NAME.startswith(said)
    pid, space, since = said.removeprefix(_NAME).partition(b" ")
    shape = _DIGIT.sub(b"0", space + since)
    return (pid.isdigit() or not pid + space) and len(pid) <= 20 and _SHAPE.startswith(shape)


def _read(handle: int) -> bytes:
    """How the file begins. Threads share its position."""
    with _guard:
        os.lseek(handle, 0, os.SEEK_SET)
        return os.read(handle, _HEADER)


def _write(handle: int, said: str) -> None:
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, said.encode())


def _started() -> str:
    """When this process started; where the system does not say, now."""
    began = time.time()
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        began += ticks / os.sysconf("SC_CLK_TCK") - time.clock_gettime(time.CLOCK_BOOTTIME)
    return datetime.fromtimestamp(began).isoformat(" ", "seconds")


def _is_at(path: Path, handle: int) -> bool:
    """Whether the file at `path` is the one that `handle` has open."""
    try:
        return _identity(os.stat(path)) == _identity(os.fstat(handle))
    except OSError:
        return False


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _forget() -> None:
    """A child that goes on as a copy of this process has none of its locks, and must not keep them either."""
    global _guard
    _guard = threading.RLock()  # another thread may have had it
    for lock in _ours.values():
        lock.leave()
    _ours.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
