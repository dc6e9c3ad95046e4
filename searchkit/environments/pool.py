"""A pool of live environments, each with a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy as copying
import inspect
import queue
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar

from searchkit.calls import CallError
from searchkit.environments.episode import outcome
from searchkit.errors import ConfigError, SearchkitError, StaleBranch
from searchkit.kinds import described
from searchkit.protocols import Run

T = TypeVar("T")
O = TypeVar("O")  # noqa: E741
NEW: Any = object()  # where a live environment is that was made and not used yet
PATIENCE = 1.0  # seconds that the end of a search waits for threads that were cancelled and still run
_COUNTING = threading.Lock()


def itself(value: T) -> T:
    return value


@dataclass
class Tally:
    """What was done to live environments, whatever became of it: `replays` are those of the `steps` that were not new.

    The same search may need more or fewer resets and replays when calls finish in another order. So these counts stand
    beside the trace, which is the same every time, and not in it.
    """

    opened: int = 0
    resets: int = 0
    steps: int = 0
    replays: int = 0

    def count(self, name: str) -> None:
        """One more of `name`, from any thread."""
        with _COUNTING:
            setattr(self, name, getattr(self, name) + 1)


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation as values. mark: a digest of its fingerprint."""

    text: str
    mark: bytes
    reward: float | None = None
    terminal: bool = False
    legal: tuple[Any, ...] | None = None


class Copy:
    """One live environment. at: where it is, None if nobody knows.

    Its synchronous methods run on a daemon thread of its own: browsers and database handles want to stay on one, and
    neither exit nor a cancelled search waits for a call that hangs. What they return that is awaitable is awaited.
    """

    def __init__(self, make: Callable[[], Any], fingerprint: Callable[[Any], Any], tally: Tally) -> None:
        self._make, self._fingerprint, self._tally = make, fingerprint, tally
        self.live: Any = None
        self.at: Any = None
        self.late: bool = False  # its thread is in a call that took too long
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._running: asyncio.Future[Any] | None = None
        threading.Thread(target=self._work, name="searchkit-live", daemon=True).start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    def _start(self, fn: Callable[[], Any]) -> asyncio.Future[Any]:
        """Queue `fn` for the thread; the future of what it returns."""
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        done: asyncio.Future[Any] = loop.create_future()

        def finish(value: Any, error: Exception | None) -> None:
            done.set_exception(error) if error is not None else done.set_result(value)

        def call() -> None:
            value: Any = None
            error: Any = None
            try:
                value = context.run(fn)
            except BaseException as raised:  # SystemExit too: it must not silently end the thread
                unfit = not isinstance(raised, Exception) or isinstance(raised, StopIteration)  # for a future
                error = RuntimeError(described(raised)) if unfit else raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(finish, value, error)

        done.add_done_callback(lambda f: f.exception())  # retrieved, so that an abandoned failure is not complained of
        self._calls.put(call)
        self._running = done
        return done

    async def call(self, fn: Callable[[], Any], then: Callable[[Any], O]) -> O:
        """`then(fn())` on the thread; on the event loop from where `fn` returns an awaitable."""

        def both() -> Any:
            value = fn()
            return value if inspect.isawaitable(value) else then(value)

        value = await _result(self._start(both))
        made: O = then(await value) if inspect.isawaitable(value) else value
        return made

    @property
    def busy(self) -> asyncio.Future[Any] | None:
        """The call that the thread has not returned from, if there is one."""
        return None if self._running is None or self._running.done() else self._running

    async def open(self) -> None:
        """Make the live environment, after closing the one that there is."""
        if self.live is not None:
            await self.call(self._closed, itself)
        self._tally.count("opened")
        await self.call(self._make, self.become)
        self.at = NEW

    def become(self, live: Any) -> None:
        """From now on this is the live environment."""
        if not callable(getattr(live, "step", None)):
            raise ConfigError(f"a live environment has a method step(action), but got {live!r:.80}")
        self.live = live

    async def reset(self) -> Seen:
        self.at = None
        self._tally.count("resets")
        return await self.call(lambda: self.live.reset(), lambda seen: self._seen(seen, None, False))

    async def look(self) -> Seen:
        """What there is to see where a live environment cannot be reset: only its legal actions."""
        return await self.call(lambda: "", lambda seen: self._seen(seen, None, False))

    async def step(self, action: Any, *, again: bool = False, seconds: float | None = None) -> Seen:
        """One action. again: it was done before, and this only leads back to where it led then.

        Raises `TimeoutError` where it takes longer than so many seconds.
        """
        self.at = None
        self._tally.count("steps")
        if again:
            self._tally.count("replays")
        given = copying.deepcopy(action)  # what is handed out may be changed, a state may not
        try:
            async with asyncio.timeout(seconds):
                return await self.call(lambda: self.live.step(given), self._stepped)
        except TimeoutError:
            self.late = self.busy is not None
            raise

    def _stepped(self, told: Any) -> Seen:
        return self._seen(*outcome(told, "step"))

    def _seen(self, observation: Any, reward: float | None, terminal: bool) -> Seen:
        list_actions = getattr(self.live, "actions", None)
        legal = list_actions() if list_actions is not None and not terminal else None
        mark = digest(self._fingerprint(observation), terminal)
        return Seen(str(observation), mark, reward, terminal, None if legal is None else tuple(copying.deepcopy(legal)))

    def _closed(self) -> Any:
        live, self.live = self.live, None
        close = getattr(live, "close", None)
        return None if close is None else close()

    def closing(self) -> asyncio.Future[Any]:
        """Queue the end of this live environment and of its thread behind whatever the thread is doing."""
        done = self._start(self._closed)
        self.stop()
        return done

    def stop(self) -> None:
        """End the thread when it has done what is queued."""
        self._calls.put(None)


async def ended(done: asyncio.Future[Any]) -> None:
    """Until what closes a live environment has, however it went; if we are cancelled meanwhile, too."""
    closing = asyncio.create_task(_ended(done))
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await asyncio.wait([closing])
        raise


async def _ended(done: asyncio.Future[Any]) -> None:
    with contextlib.suppress(Exception, SystemExit):
        value = await _result(done)
        if inspect.isawaitable(value):
            await value


async def _result(running: asyncio.Future[Any]) -> Any:
    """What a thread returns; unlike `await running`, this leaves it alone if we are cancelled."""
    try:
        await asyncio.wait([running])
    except asyncio.CancelledError:
        running.add_done_callback(_drop)
        raise
    return running.result()


def _drop(unwanted: asyncio.Future[Any]) -> None:
    """Nobody will await what the thread returns."""
    if unwanted.exception() is None and inspect.iscoroutine(value := unwanted.result()):
        value.close()


class Pool:
    """At most `copies` live environments of a kind, opened when needed, for one search."""

    def __init__(self, make: Callable[[], Any], fingerprint: Callable[[Any], Any], tally: Tally, copies: int) -> None:
        self._copy, self._slots = partial(Copy, make, fingerprint, tally), asyncio.Semaphore(copies)
        self._idle: list[Copy] = []
        self._all: list[Copy] = []

    async def use(
        self, name: str, near: Callable[[Any], int], work: Callable[[Copy], Awaitable[tuple[str, O]]], run: Run
    ) -> O:
        """What `work(copy)` returns after a text, on a copy, see `work`. The call `name` in the trace shows it."""
        with run.traced(name) as span:
            text, found = await self.work(near, work, run)
            span.text = text[:400]
        return found

    async def work(self, near: Callable[[Any], int], work: Callable[[Copy], Awaitable[O]], run: Run) -> O:
        """What `work(copy)` returns, on the idle copy for whose place `near` is greatest.

        A copy that raised is closed, and replaced when it is next needed. One whose thread goes on although we were
        cancelled stays out of the pool until the thread has returned; one that took too long is given up.
        """
        async with run.until_deadline():
            await self._slots.acquire()
            copy = self._choose(near)
            try:
                return await self._work(copy, work)
            finally:
                self._give_back(copy, run)

    async def _work(self, copy: Copy, work: Callable[[Copy], Awaitable[O]]) -> O:
        try:
            if copy.live is None:
                await copy.open()
            return await work(copy)
        except StaleBranch:  # the live environment is in order
            raise
        except (Exception, SystemExit) as error:
            if copy.busy is None:
                await ended(copy.closing())
            if isinstance(error, SearchkitError):
                raise
            raise CallError(f"the live environment raised {described(error)}") from error

    def _choose(self, near: Callable[[Any], int]) -> Copy:
        if self._idle:
            copy = max(self._idle, key=lambda c: near(c.at))
            self._idle.remove(copy)
        else:
            copy = self._copy()
            self._all.append(copy)
        return copy

    def lose_track(self) -> None:
        """From now on nobody knows where the idle copies are: none of them is gone on with."""
        for copy in self._idle:
            copy.at = None

    def _give_back(self, copy: Copy, run: Run) -> None:
        if copy.busy is None:
            self._returned(copy)
        elif copy.late:  # its thread may never return
            run.abandon()
            self._all.remove(copy)
            copy.closing().add_done_callback(_drop)
            self._slots.release()
        else:
            run.abandon()
            copy.busy.add_done_callback(lambda _: self._returned(copy))

    def _returned(self, copy: Copy) -> None:
        if copy.live is None:
            copy.stop()
            self._all.remove(copy)
        else:
            self._idle.append(copy)
        self._slots.release()

    async def close(self) -> None:
        """Close all, side by side. One whose thread does not return soon is closed by that thread when it does."""
        busy = [copy.busy for copy in self._all if copy.busy is not None]
        ending = [(copy.busy, copy.closing()) for copy in self._all]
        if busy:
            await asyncio.wait(busy, timeout=PATIENCE)
        for before, done in ending:
            if before is None or before.done():
                await ended(done)
            else:
                done.add_done_callback(_drop)


def digest(*parts: Any) -> bytes:
    """16 bytes for values: texts, bytes, arrays, tuples, lists and dicts of them; of all others the `repr`."""
    found = blake2b(digest_size=16)
    for part in parts:
        kind, content = _content(part)
        found.update(kind + len(content).to_bytes(8, "big") + content)
    return found.digest()


def _content(value: Any) -> tuple[bytes, bytes]:
    """A letter for the kind of `value`, and bytes that tell it from others of its kind."""
    if isinstance(value, bytes):
        return b"b", value
    if isinstance(value, (tuple, list)):
        return b"l", digest(*value)
    if isinstance(value, dict):
        return b"d", digest(*sorted(digest(k, v) for k, v in value.items()))
    if hasattr(value, "tobytes") and hasattr(value, "shape") and not getattr(value.dtype, "hasobject", True):
        return b"a", digest(str(value.dtype), value.shape, value.tobytes())  # the `repr` of a long one leaves most out
    text = value if isinstance(value, str) else repr(value)
    return b"t" if isinstance(value, str) else b"r", text.encode("utf-8", "surrogatepass")
