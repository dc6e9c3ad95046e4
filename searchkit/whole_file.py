"""A file that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from searchkit.errors import ConfigError


@contextmanager
def whole_file(target: Path, named: str = "") -> Iterator[Path]:
    """Where to write it: beside `target`, whose place it takes at the end; if anything is raised, it is gone again.

    named: what errors call it; by default by its path. Raises `ConfigError` for an `OSError` inside.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield partial
        os.replace(partial, target)
    except OSError as error:
        raise ConfigError(f"{named or target} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
