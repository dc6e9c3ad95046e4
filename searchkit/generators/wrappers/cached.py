"""Samples that outlive a run: ask a question once, whatever asks it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from searchkit.calls import CallError, Request
from searchkit.codec import digest, dump_sample, load_sample
from searchkit.database import Kind, opened
from searchkit.generators.openai.errors import about
from searchkit.protocols import Backend
from searchkit.types import Sample, Usage

_KIND = Kind(
    "a searchkit cache",
    0x5EA2CC,
    1,
    (
        "CREATE TABLE IF NOT EXISTS sample (content BLOB, backend TEXT, number INTEGER, sample TEXT NOT NULL, "
        "PRIMARY KEY (content, backend, number)) WITHOUT ROWID",
    ),
)

Key = tuple[bytes, str, int]
Entry = Sample[str] | CallError


class Store:
    """The cache file, and the calls on their way to it. Opened at first use, in this process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._committing = False
        # By event loop too, because a future belongs to one.
        self.coming: dict[tuple[int, Key], asyncio.Future[Entry | None]] = {}

    def __reduce__(self) -> tuple[type[Store], tuple[str]]:
        return Store, (self._path,)

    def get(self, key: Key) -> Sample[str] | None:
        with self._lock:
            query = "SELECT sample FROM sample WHERE content = ? AND backend = ? AND number = ?"
            row = self.open().execute(query, key).fetchone()
        return None if row is None else replace(load_sample(row[0]), origin="cache")

    def put(self, key: Key, sample: Sample[str]) -> None:
        with self._lock:
            self.open().execute("INSERT OR IGNORE INTO sample VALUES (?, ?, ?, ?)", (*key, dump_sample(sample)))
            if not self._committing:  # one commit for all answers that arrive in the same round of the loop
                self._committing = True
                asyncio.get_running_loop().call_soon(self._commit)

    def _commit(self) -> None:
        with self._lock:
            self._committing = False
            self.open().commit()

    def open(self) -> sqlite3.Connection:
        """The connection; `ConfigError` if the file cannot be used, which is then left as it is."""
        if self._db is None:
            self._db = opened(self._path, _KIND)
        return self._db

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.commit()
                self._db.close()
                self._db = None


@dataclass(frozen=True)
class Cached:
    """A `Backend` that keeps samples in a SQLite file and serves them to later runs.

    A sample is found by the request's prompt and parameters, the backend's name and the sample's index: not by its
    seed, which depends on where in which strategy it was asked for. Failures are not kept. A sample that this call did
    not pay for has origin "cache" and the usage it once cost. Equal requests of one event loop that are in flight
    together are sent once. `path` may be used by several processes; keep it off network drives.
    """

    backend: Backend
    path: str | Path
    _store: Store = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_store", Store(os.fspath(self.path)))
        self._store.open()

    @property
    def name(self) -> str:
        return self.backend.name

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        self._store.close()

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        """What is neither known nor on its way is asked of the backend, as one list."""
        loop, coming = asyncio.get_running_loop(), self._store.coming
        entries: dict[int, Entry] = {}
        joined: dict[int, asyncio.Future[Entry | None]] = {}
        asked: dict[Key, list[int]] = {}
        for place, request in enumerate(requests):
            key = (digest(request.prompt, request.params), self.backend.name, request.index)
            if (on_its_way := coming.get((id(loop), key))) is not None:
                joined[place] = on_its_way
            elif key not in asked and (found := self._store.get(key)) is not None:
                entries[place] = found
            else:
                asked.setdefault(key, []).append(place)
        if asked:
            fresh = await self._ask({key: requests[places[0]] for key, places in asked.items()})
            for (first, *others), entry in zip(asked.values(), fresh, strict=True):
                entries[first] = entry
                entries.update((place, _shared(entry, requests[place])) for place in others)
        for place, future in joined.items():
            entries[place] = await self._join(future, requests[place])
        return [entries[place] for place in range(len(requests))]

    async def _ask(self, asked: dict[Key, Request]) -> list[Entry]:
        """Ask the backend, keep what it answers, and tell everyone who waits for it."""
        loop, answers = asyncio.get_running_loop(), dict[Key, Entry]()
        waited_for = {key: loop.create_future() for key in asked}
        self._store.coming.update(((id(loop), key), future) for key, future in waited_for.items())
        try:
            fresh = await self.backend.complete(list(asked.values()))
            answers.update(zip(asked, fresh, strict=True))
            for key, entry in answers.items():
                if isinstance(entry, Sample):
                    self._store.put(key, entry)
            return fresh
        finally:
            for key, future in waited_for.items():  # None if we were cancelled: those who wait ask for themselves
                del self._store.coming[id(loop), key]
                future.set_result(answers.get(key))

    async def _join(self, future: asyncio.Future[Entry | None], request: Request) -> Entry:
        entry = await asyncio.shield(future)  # our cancellation must not be that of the others
        return (await self.complete([request]))[0] if entry is None else _shared(entry, request)


def _shared(entry: Entry, request: Request) -> Entry:
    """What another request's answer is to this one: an answer that somebody else pays for."""
    if isinstance(entry, CallError):
        return about(entry, request, Usage())
    return replace(entry, origin="cache")
