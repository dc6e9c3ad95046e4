"""How much of the answers in flight is held in memory: each is bounded, and so are all together.

Where the room is full, one call goes on and the others stop reading until it is done: what a server sends to them waits
in its own buffers. So nothing that is within its limit is lost, and nothing can wait for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")
ROOM = 64 * 2**20  # bytes of all answers in flight
BODY_LIMIT = 64 * 2**20  # bytes of one answer, unpacked
SMALL = 32 * 2**10  # bytes that are read at once; more takes a thread, as parsing it would hold up the loop
BRACKET = 32  # bytes as which each list and object counts: it takes as long to make as they take to read


class Room:
    """The bytes that the calls of one pool hold, for one event loop. size: how many before calls have to wait."""

    def __init__(self, size: int = ROOM) -> None:
        self.size = size
        self.held = 0
        self.reading = asyncio.Lock()
        self._going: Held | None = None  # the one that goes on though the room is full
        self._waiting: dict[Held, Callable[[], None]] = {}

    def call(self, limit: int = BODY_LIMIT) -> Held:
        """A context manager around one call, until its answer has been read. limit: bytes."""
        return Held(self, limit)

    def admits(self, call: Held) -> bool:
        """Whether a call may read on."""
        if self.held <= self.size or self._going is call:
            return True
        if self._going is None:
            self._going = call
        return self._going is call

    def wait(self, call: Held, resume: Callable[[], None]) -> None:
        """Have `resume` called when the call may read on."""
        self._waiting[call] = resume

    def left(self, call: Held) -> None:
        """A call holds nothing any more: others may read on."""
        self._waiting.pop(call, None)
        if self._going is call:
            self._going = None
        if self.held <= self.size:
            woken, self._waiting = self._waiting, {}
        elif self._going is None and self._waiting:
            self._going = next(iter(self._waiting))
            woken = {self._going: self._waiting.pop(self._going)}
        else:
            return
        for resume in woken.values():
            resume()


class Held:
    """What one call holds: a context manager. Use it for one call only."""

    def __init__(self, room: Room, limit: int) -> None:
        self._room = room
        self.limit = limit
        self.size = 0
        self._turn = False

    def __enter__(self) -> Held:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._room.held -= self.size
        self.size = 0
        if self._turn:
            self._turn = False
            self._room.reading.release()
        self._room.left(self)

    def add(self, size: int) -> bool:
        """Count that many bytes more. False: no more is to be read until `wait` calls. ValueError beyond the limit."""
        self.size += size
        self._room.held += size
        if self.size > self.limit:
            raise ValueError(f"the answer has more than {self.limit} bytes")
        return self._room.admits(self)

    def wait(self, resume: Callable[[], None]) -> None:
        """Have `resume` called when more may be read."""
        self._room.wait(self, resume)

    async def added(self, size: int) -> None:
        """The same as `add`, and wait until more may be read."""
        if not self.add(size):
            admitted = asyncio.get_running_loop().create_future()
            self.wait(lambda: None if admitted.done() else admitted.set_result(None))
            await admitted

    async def read(self, body: bytes, reader: Callable[[], T]) -> T:
        """What `reader` makes of an answer with that body: in a thread if it is large, then one at a time."""
        if len(body) <= SMALL and len(body) + BRACKET * (body.count(b"[") + body.count(b"{")) <= 2 * SMALL:
            return reader()
        await self.turn()
        return await asyncio.to_thread(reader)

    async def turn(self) -> None:
        """Wait until no other large answer is read. The turn is over with the call."""
        if not self._turn:
            await self._room.reading.acquire()
            self._turn = True
