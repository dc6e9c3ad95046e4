"""SQLite files of ours that several processes use at once."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.errors import ConfigError

PATIENCE = 30.0
"""Seconds that other processes which write the file are waited for."""


@dataclass(frozen=True)
class Kind:
    """What a file is for. name: in errors, "a cache". number: SQLite's application_id, which says that it is ours."""

    name: str
    number: int
    version: int
    schema: Sequence[str]


def opened(path: str | os.PathLike[str], kind: Kind) -> sqlite3.Connection:
    """A connection, for any thread, to the file at `path`, which is made if there is none; in WAL mode.

    Raises `ConfigError` for a file that is not of this kind and version, or cannot be used; it is left as it is.
    """
    try:
        db = sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, kind, error) from error
    try:
        _prepare(db, os.fspath(path), kind)
    except sqlite3.Error as error:
        db.close()
        raise _unusable(path, kind, error) from error
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: str, kind: Kind) -> None:
    if os.path.getsize(path) == 0:
        db.execute("BEGIN IMMEDIATE")  # so that another process sees both numbers, or none
        db.execute(f"PRAGMA application_id = {kind.number}")
        db.execute(f"PRAGMA user_version = {kind.version}")
        db.execute("COMMIT")
    found = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    if found != [kind.number, kind.version]:
        raise ConfigError(f"{path} is not {kind.name} of version {kind.version}: choose another path")
    _log_ahead(db)
    db.execute("PRAGMA synchronous = NORMAL")
    for statement in kind.schema:
        db.execute(statement)


def _log_ahead(db: sqlite3.Connection) -> None:
    """Turn WAL mode on, for which SQLite does not wait until others are done, as it does for all else."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _unusable(path: str | os.PathLike[str], kind: Kind, error: Exception) -> ConfigError:
    return ConfigError(f"{os.fspath(path)} cannot be used as {kind.name} ({error}): choose another path")
