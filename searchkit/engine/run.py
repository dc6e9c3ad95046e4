"""Run: the only door to I/O.

A strategy, generator or verifier is handed a `Run` and does everything that costs something through it. In return the
call is seeded by its place in the program, held against the budget and charged, journaled and replayed, traced, and
cancelled with its parent. Every concurrent item gets a run of its own, a child of the one that started it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence, Sized
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from searchkit import codec
from searchkit.confidence import check_floor
from searchkit.engine import seeds
from searchkit.engine.candidates import Frame, Search
from searchkit.engine.ledger import Ledger, cost_of
from searchkit.engine.metering import ONE_CALL, Metered
from searchkit.engine.spawning import Handle, Threads, closing
from searchkit.engine.stream import Stream
from searchkit.errors import BudgetExhausted, CallError, ConfigError, UncertainEffect
from searchkit.leaf import Timed, content_of, describe, key_of, shown, verify, worst_case
from searchkit.trace import Span
from searchkit.tree import Tree
from searchkit.types import (
    Budget,
    Outcome,
    Params,
    Prompt,
    Request,
    Role,
    Sample,
    Scored,
    Stopped,
    Usage,
    Verdict,
)

if TYPE_CHECKING:
    from searchkit.protocols import Backend, Generator, Verifier

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
NO_PARAMS, UNJUDGED = Params(), Verdict()


class Run(Metered):
    """One position in a running search.

    seed: a request seed of this position, 0 <= seed < 2**53. index: which sample of its prompt this position draws.
    rng: a generator of this position's own. span: where it is recorded in the trace.
    """

    __slots__ = (
        "_calls", "_rng", "_search", "deadline", "frame", "index", "key", "ledger", "order", "params", "partial",
        "role", "span", "threads",
    )  # fmt: skip
    _search: Search
    key: bytes
    ledger: Ledger
    deadline: float | None
    span: Span
    frame: Frame
    index: int
    order: tuple[int, ...]
    role: Role
    partial: bool
    params: Params | None
    threads: Threads

    def __init__(self, search: Search, key: bytes, ledger: Ledger, span: Span, frame: Frame) -> None:
        self._search, self.key, self.ledger, self.span, self.frame = search, key, ledger, span, frame
        self.index, self.order, self.role = 0, (), "generate"
        self.params, self.deadline, self.partial = None, None, False
        self._calls = 0
        self._rng: random.Random | None = None

    @classmethod
    def root(cls, search: Search, seed: int, budget: Budget) -> Run:
        """The run at the top of a search. Needs a running event loop if the budget has a deadline."""
        key = seeds.root(seed, search.problem.id)
        run = cls(search, key, Ledger(budget), Span(search.problem.id, "search"), Frame())
        run.threads = run.resource(run, Threads)
        if budget.seconds is not None:
            run.deadline = asyncio.get_running_loop().time() + budget.seconds
        return run

    @property
    def seed(self) -> int:
        return seeds.seed_of(self.key)

    @property
    def rng(self) -> random.Random:
        if self._rng is None:
            self._rng = random.Random(self.key)
        return self._rng

    # ---------------------------------------------------------------- children

    def next_ordinal(self) -> int:
        """Number the next call that this run makes."""
        self._calls += 1
        return self._calls

    def spawned(self, name: str, ordinal: int, index: int, span: Span, ledger: Ledger) -> Run:
        """The run of item `index` of this run's call number `ordinal`."""
        child = Run(self._search, seeds.derive(self.key, name, ordinal, index), ledger, span, self.frame)
        child.index, child.order, child.role = index, (*self.order, ordinal, index), self.role
        child.params, child.deadline, child.partial = self.params, self.deadline, self.partial
        child.threads = self.threads
        return child

    def child(self, name: str, budget: Budget | None = None, *, role: Role | None = None) -> Run:
        """A run for one part of the work, in sequence with the others, with its own ceilings within this run's.

        role: "plan" for calls that neither generate nor verify: they count as model calls, not as generations, and what
        they return is no candidate for the answer.
        """
        ledger = self.ledger if budget is None else Ledger(budget, self.ledger)
        span = self.span.add(name, "item", 0, role or self.role)
        child = self.spawned(name, self.next_ordinal(), 0, span, ledger)
        child.role = role or self.role
        if budget is not None and budget.seconds is not None:
            end = asyncio.get_running_loop().time() + budget.seconds
            child.deadline = end if child.deadline is None else min(end, child.deadline)
        return child

    async def map(
        self, fn: Callable[[I, Run], Awaitable[O]], items: Iterable[I], *, name: str = ""
    ) -> list[Outcome[O]]:
        """`fn(item, child_run)` for all items, concurrently; outcomes in the order of `items`.

        A failing item is an outcome with an error; the others go on. Only a `ConfigError` is raised at once. Under a
        budget every item has an equal share, and what some leave over is split among those that need more. Cancelling
        this call cancels all items.
        """
        items = list(items)
        async with self.stream(fn, items, window=len(items) or 1, name=name) as stream:
            return [outcome async for outcome in stream]

    def stream(
        self,
        fn: Callable[[I, Run], Awaitable[O]],
        items: Iterable[I],
        *,
        window: int,
        most: int | None = None,
        name: str = "",
    ) -> Stream[I, O]:
        """Like `map`, but outcomes arrive one by one, in the order of `items`, with at most `window` items in flight.

        Use as ``async with run.stream(...) as stream: async for outcome in stream``. Leaving the block cancels what is
        still in flight. Item j starts once outcome j - window was taken, so results do not depend on latencies. `items`
        may be a generator of at most `most` items: it is asked for item j just then, and so can depend on all outcomes
        taken so far, or yield `LATER` where it needs one more of them. Under a budget all that is left is shared out to
        the items: draw and score inside `fn`, not beside the stream.
        """
        if most is None:
            if not isinstance(items, Sized):
                raise ConfigError("a stream of generated items needs most=, the greatest number of them")
            most = len(items)

        async def closed(item: I, child: Run) -> O:
            return await closing(child, fn(item, child))

        return Stream(self, closed, items, most, window, name or getattr(fn, "__name__", "map").strip("_<>"))

    async def spawn(
        self, fn: Callable[..., Awaitable[O]], item: I, *, after: Iterable[Handle[Any]] = (), name: str = ""
    ) -> Handle[O]:
        """Start `fn(item, child_run, *outcomes)` beside whatever this run does next; `join` waits for its outcome.

        after: handles of this run that must have ended before; `fn` is given their outcomes, failed ones too, in this
        order. So a graph of dependent items can grow while it runs. Under a budget items start with the next `join`,
        each with an equal share of what is left then; one more share stays with this run. What has not been joined when
        the function ends that was given this run is cancelled. Only that function may spawn and join, one at a time.
        """
        return self.threads.of(self).spawn(fn, item, after, name or getattr(fn, "__name__", "spawn").strip("_<>"))

    async def join(self, *handles: Handle[Any]) -> list[Outcome[Any]]:
        """The outcomes of `handles` in the order given, whichever ended first; others go on meanwhile.

        A failed item is an outcome with an error. Only a `ConfigError` is raised.
        """
        return await self.threads.of(self).join(handles)

    # ---------------------------------------------------------------- generating

    def base_params(self, generator: Generator | None) -> Params:
        """What `sample(generator, ...)` would send: the caller's parameters, else those of the model inside."""
        last = self._search.generator  # what a strategy without a generator of its own draws from
        inner: Any = generator if generator is not None else last
        while inner is not None and not hasattr(inner, "params"):
            own = getattr(inner, "generator", None)
            inner = own if own is not None or inner is last else last
        return self.params or getattr(inner, "params", None) or Params()

    async def sample(
        self,
        generator: Generator | None,
        prompt: Prompt,
        n: int = 1,
        *,
        params: Params | None = None,
        start: int = 0,
        partial: bool = False,
    ) -> list[Sample[Any]]:
        """`n` samples of `prompt`, drawn concurrently; failed ones are left out, at least one is returned.

        generator: None is the one that `solve` was given. start: the index of the first sample, for callers who draw
        the samples of one prompt in several calls. partial: these are steps of an answer, not candidates for it. Raises
        the first error if no sample could be drawn. Cost: n generations.
        """
        source = generator if generator is not None else self._search.generator
        if source is None:
            raise ConfigError("there is no generator: pass generator= to the strategy or to solve()")
        if n < 1:
            raise ConfigError(f"n must be >= 1, got {n}")
        chosen = params if params is not None else self.params

        async def draw(index: int, child: Run) -> Sample[Any]:
            child.index, child.partial = index, partial or self.partial
            sample = await source.generate(prompt, child, params=chosen)
            if not isinstance(sample, Sample):
                kind = type(sample).__name__
                raise ConfigError(f"a generator must return a Sample, got {kind}: wrap the callable in Function(...)")
            if child.role == "generate" and not partial:
                if id(sample) in child.frame.seen:  # the same object twice is two candidates
                    sample = replace(sample)
                child.frame.offer(child.order, Scored(sample))
            return sample

        if n == 1:  # the common case in a stream: no task, no group
            return [await draw(start, self.spawned("sample", self.next_ordinal(), start, self.span, self.ledger))]
        return self._survivors(await self.map(draw, range(start, start + n), name="sample"))

    def _survivors(self, outcomes: list[Outcome[Sample[Any]]]) -> list[Sample[Any]]:
        samples, failure = [o.value for o in outcomes if o.value is not None], None
        for outcome in outcomes:
            failure = self.survive(outcome, failure)
        if not samples and failure is not None:
            raise failure
        return samples

    def survive(self, outcome: Outcome[Any], first: Exception | None = None) -> Exception | None:
        """Go on after a failed item: note a spent budget as the reason to stop; returns the first failure so far."""
        if isinstance(outcome.error, BudgetExhausted):
            self.stop("deadline" if outcome.error.ceiling == "seconds" else "budget")
        return first or outcome.error

    async def complete(self, backend: Backend, request: Request) -> Sample[str]:
        """One request to a model: held, looked up in the journal, performed, charged.

        Raises `CallError` if it failed, and `CapabilityError` for a floor that `backend` cannot end a text at.
        Cost: one model call, a generation too unless a verifier asks, at most `params.max_tokens` generated tokens.
        """
        check_floor(request.params, backend)
        worst = worst_case(request, self.role, self.ledger)
        key = None
        if self._search.journal is not None:
            content = self._search.digest(self.role, request.prompt, request.params)
            key = key_of("model", backend.name, content, request.seed, request.index)

        def retry(error: CallError) -> bool:
            """Charge the failed attempt, if another one is affordable; else the call fails and is charged then."""
            attempt = replace(error.usage or ONE_CALL, generations=0)
            if self.ledger.bounded and not self.ledger.try_hold(cost_of(attempt)):
                self.stop("budget")
                return False
            self._charge_retries(span, attempt, held=True)
            return True

        def wait(waiting: bool) -> None:
            span.waiting = waiting

        async def perform() -> Sample[str]:
            told = Request(request.prompt, request.params, request.seed, request.index, retry, wait)
            [answer] = await backend.complete([told])
            if isinstance(answer, CallError):
                answer.request = request  # without the closures, so that the error can be pickled
                raise answer
            return answer

        span = self.span.add(backend.name, "call", request.index, self.role)
        return await self._leaf(span, worst, key, perform, None)

    async def call(
        self,
        name: str,
        prompt: Prompt,
        perform: Callable[[], Awaitable[Sample[Any]]],
        *,
        params: Params | None = None,
        version: str = "",
        value_codec: codec.Codec | None = None,
        worst: Usage = Usage(generations=1, model_calls=1),
    ) -> Sample[Any]:
        """One call of an opaque callable (an agent), held at `worst`.

        Journaled by `name`, `version`, what it is asked (`prompt`, `params`) and position.
        """
        key = None
        if self._search.journal is not None:
            key = key_of("call", name, version, codec.digest(prompt, params or NO_PARAMS), self.key, self.index)
        if self.role != "generate":
            worst = replace(worst, generations=0)

        async def counted() -> Sample[Any]:
            sample = await closing(self, perform())
            known = sample.usage if sample.usage.model_calls else replace(sample.usage, model_calls=1)
            return replace(sample, usage=known)

        return await self._leaf(self.span.add(name, "call", self.index, self.role), worst, key, counted, value_codec)

    async def once(self, name: str, perform: Callable[[], Awaitable[str]]) -> str:
        """Do what cannot be undone; returns what was seen. With a journal, its beginning and its end are written down.

        Resumed, what was done is not done again: the recorded observation is returned. Raises `UncertainEffect` if an
        earlier process began it and did not record its end.
        """
        journal, ordinal = self._search.journal, self.next_ordinal()
        span = self.span.add(name, "call", self.index, "plan")
        begun, done = (key_of(stage, name, self.key, ordinal) for stage in ("intent", "effect"))
        try:
            observed = journal.get(done) if journal is not None else None
            span.replayed = observed is not None
            if observed is None:
                if journal is not None:
                    if journal.get(begun) is not None:
                        raise UncertainEffect(f"{name!r} was begun, but whether it happened is not recorded: look")
                    await journal.put(begun, name)
                observed = await perform()
                if journal is not None:
                    await journal.put(done, observed)
        except BaseException as error:
            span.fail(error)
            raise
        span.text = observed[:400]
        span.end("ok")
        return observed

    # ---------------------------------------------------------------- verifying

    async def score(
        self, verifier: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], *, partial: bool = False
    ) -> list[Scored]:
        """Every sample with its verdict, in order. A sample whose verification failed has an abstaining verdict.

        The failure itself is recorded in the trace and in `Result.errors`. partial: these are not yet candidates for
        the answer. Cost: one verification a sample, and whatever model calls the verifier makes. Raises `VerifierError`
        if no sample could be verified at all.
        """
        judge = self._bind(verifier)
        groups = [list(samples)] if judge.joint else [[s] for s in samples]
        if len(groups) == 1:
            span = self.span.add("score", "item", 0, "verify")
            child = self.spawned("score", self.next_ordinal(), 0, span, self.ledger)
            verdicts = await child._judge(judge, prompt, groups[0])
        else:
            outcomes = await self.map(lambda group, child: child._judge(judge, prompt, group), groups, name="score")
            for outcome in outcomes:
                self.survive(outcome)
            verdicts = [v for o in outcomes for v in (o.value if o.value is not None else [UNJUDGED])]
            failures = [o.error for o in outcomes if o.error is not None]
            if len(failures) == len(groups) > 0:
                raise failures[0]
        scored = [Scored(s, v) for s, v in zip(samples, verdicts, strict=True)]
        for one in scored:
            if self.role == "generate" and one.verdict is not UNJUDGED and not partial:
                self.frame.offer(self.order, one)
        return scored

    def _bind(self, verifier: Verifier) -> Verifier:
        """The verifier with this problem's reference; the same object each time, so that it can keep a cache."""
        known = self._search.bound.get(id(verifier))
        if known is None or known[0] is not verifier:
            known = verifier, verifier.bind(self._search.problem)
            self._search.bound[id(verifier)] = known
        return known[1]

    async def _judge(self, judge: Verifier, prompt: Prompt, samples: list[Sample[Any]]) -> list[Verdict]:
        self.role, self.params = "verify", None  # the caller's parameters are for generating, not for judging
        span, worst = self.span, Usage(verifications=len(samples))
        span.role, journal, key, made = "verify", self._search.journal, None, self._calls
        if journal is not None:
            asked = self._search.digest("judge", prompt, NO_PARAMS)
            key = key_of("verify", judge.key, asked, self.key, *map(content_of, samples))
        await self._hold(span, worst)
        timed, stored = Timed(), journal.get(key) if journal is not None and key is not None else None
        try:
            if stored is not None:
                verdicts = codec.load_verdicts(stored)
            else:
                async with self._until_deadline():
                    verdicts = await timed(verify(judge, prompt, samples, self))
                if journal is not None and key is not None and self._calls == made:
                    await journal.put(key, codec.dump_verdicts(verdicts))
            span.text = describe(verdicts)
        except BaseException as error:
            span.fail(error)
            self._settle(span, worst, Usage(verifications=len(samples), cpu_seconds=timed.seconds), paid=True)
            raise
        span.replayed = stored is not None
        span.end("ok")
        actual = Usage(verifications=len(samples), cpu_seconds=timed.seconds)
        self._settle(span, worst, actual, paid=stored is None)
        return verdicts

    # ---------------------------------------------------------------- results so far

    def offer(self, sample: Sample[Any], verdict: Verdict = UNJUDGED) -> None:
        """Make `sample` a candidate for the answer, should something stop the search. What `score` judged is one."""
        self.frame.offer(self.order, Scored(sample, verdict))

    def plant(self, tree: Tree) -> None:
        """Show `tree` while it grows (`solve(watch=...)`), and as `Result.tree` afterwards."""
        self.frame.tree = tree
        if self._search.watch is not None:
            self._search.watch(tree)

    def stop(self, reason: Stopped) -> None:
        """Say why the strategy ends early, for `Result.stopped`."""
        if self.frame.stopped == "done":
            self.frame.stopped = reason

    async def search(
        self, name: str, body: Callable[[Run], Awaitable[Sample[Any]]], *, params: Params | None = None
    ) -> Sample[Any]:
        """Run a strategy's body with candidates of its own; out of budget, return its best so far."""
        run = self.spawned(name, self.next_ordinal(), 0, self.span.add(name, "search", 0, self.role), self.ledger)
        run.index, run.frame = self.index, Frame(order=run.order)
        run.params = params if params is not None else self.params
        if not self.partial:  # an inner search for a step has no candidates for the answer
            self.frame.inner.append(run.frame)
        try:
            chosen = await closing(run, body(run))
        except BudgetExhausted as error:
            best = run.frame.best()
            if best is None:
                raise
            run.stop("deadline" if error.ceiling == "seconds" else "budget")
            chosen = best.sample
        except BaseException as error:
            run.span.fail(error)
            raise
        if run.frame.stopped in ("budget", "deadline"):
            self.stop(run.frame.stopped)
        run.span.text = shown(chosen)
        run.span.end("ok")
        return replace(chosen, candidates=run.frame.candidates())

    # ---------------------------------------------------------------- plumbing

    @property
    def journaled(self) -> bool:
        """True if finished calls are being stored: identities and codecs are needed then."""
        return self._search.journal is not None

    def resource(self, owner: object, make: Callable[[], O]) -> O:
        """What `make` makes, once a search for each `owner`; its `close` is called (and awaited) when the search ends.

        For what a search needs and must not outlive it: live environments, scratch folders.
        """
        known = self._search.resources.get(id(owner))
        if known is None:
            known = self._search.resources[id(owner)] = owner, make()
        made: O = known[1]
        return made

    def slots(self, name: str, n: int) -> asyncio.Semaphore:
        """The semaphore `name` of this search, with `n` slots: for callables that must not all run at once."""
        return self._search.slots.setdefault(name, asyncio.Semaphore(n))

    def abandon(self) -> None:
        """Count a thread that could not be stopped and still runs."""
        self._search.abandoned += 1

    def fail(self, error: Exception) -> None:
        """Record an error that the search survives."""
        if not isinstance(error, BudgetExhausted):
            self._search.errors.append((self.order, error))

    def forget(self, ordinal: int, first: int) -> None:
        """Drop candidates and errors of the items from `first` on of this run's call `ordinal`: nobody took them."""
        depth = len(self.order)

        def beyond(order: tuple[int, ...]) -> bool:
            here = order[depth : depth + 2]
            return order[:depth] == self.order and len(here) == 2 and here[0] == ordinal and here[1] >= first

        self.frame.forget(beyond)
        self._search.errors = [entry for entry in self._search.errors if not beyond(entry[0])]
