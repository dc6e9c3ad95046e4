"""The calls of a run: children, samples, verdicts, inner searches. Their contract is `searchkit.protocols.Run`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence, Sized
from dataclasses import replace
from typing import Any, TypeVar

from searchkit import codec, protocols
from searchkit.calls import CallError, Request
from searchkit.confidence import check_floor
from searchkit.engine import seeds
from searchkit.engine.begin import accident
from searchkit.engine.candidates import Frame, Search
from searchkit.engine.held import Held, worst_case
from searchkit.engine.journal import Entry, Journal
from searchkit.engine.keys import key_of, shown
from searchkit.engine.ledger import Ledger, children_budget, cost_of, rest
from searchkit.engine.metering import Timed, cost_of_failed
from searchkit.engine.relaying import Relaying
from searchkit.engine.spawning import Family, Handle
from searchkit.engine.stream import Stream
from searchkit.engine.threads import Threads, closing
from searchkit.engine.verdicts import describe, verify
from searchkit.errors import BudgetExhausted, ConfigError, JournalError, UncertainEffect, VerifierError
from searchkit.forms import check_form
from searchkit.kinds import is_whole
from searchkit.mistakes import (
    bound,
    check_generator,
    check_prompt,
    check_samples,
    check_verifier,
    lacking_await,
    no_sample,
)
from searchkit.protocols import UNJUDGED, Backend, Generator, Verifier, knows_reference
from searchkit.trace import Span
from searchkit.tree import Tree
from searchkit.types import NO_USAGE, Budget, Outcome, Params, Prompt, Role, Sample, Scored, Usage, Verdict

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
NO_PARAMS, ONE_VERDICT = Params(), Usage(verifications=1)


class Run(Relaying):
    """What a strategy, a generator or a verifier is handed."""

    __slots__ = ()

    @classmethod
    def root(cls, search: Search, seed: int, budget: Budget) -> Run:
        """The run at the top of a search. Needs a running event loop if the budget has a deadline."""
        key = seeds.root(seed, search.problem.id)
        run = cls(search, key, Ledger(budget), Span(search.problem.id, "search"), Frame())
        run.threads = run.resource(run, Threads)
        if budget.seconds is not None:
            run.deadline = asyncio.get_running_loop().time() + budget.seconds
        return run

    def inside(self, search: Search, name: str, place: str, budget: Budget, *, alone: bool) -> Run:
        """The run at the top of a search that an agent opens while it is called here.

        place: what is asked. Its key comes from that and from how often that was asked here before, so that an agent
        may open several searches at once in any order. alone: the loop of this run stands still meanwhile, so that
        waiting for what siblings leave over would never end: the search has what is free now.
        """
        if self.held is not None:
            self.held.hand_over()
        limits = rest(self.ledger, budget) if alone and self.ledger.bounded else budget
        ordinal, span = self.threads.searches.count(place), self.span.add(name, "search", 0, self.role)
        run = self.spawned(place, ordinal, 0, span, Ledger(limits, self.ledger))
        _ = run.key  # of this place, before it gets another order
        run._search, run.frame, run.order = search, Frame(depth=2), (*self.order, self.next_ordinal(), 0)
        run.params, run.partial, run.threads = None, False, run.resource(run, Threads)
        if budget.seconds is not None:
            end = asyncio.get_running_loop().time() + budget.seconds
            run.deadline = end if run.deadline is None else min(end, run.deadline)
        return run

    # ---------------------------------------------------------------- children

    def child(self, name: str, budget: Budget | None = None, *, role: Role | None = None) -> Run:
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
        items = list(items)
        async with self.stream(fn, items, window=len(items) or 1, name=name) as stream:
            return await stream.all()

    def stream(
        self,
        fn: Callable[[I, Run], Awaitable[O]],
        items: Iterable[I],
        *,
        window: int,
        most: int | None = None,
        name: str = "",
    ) -> Stream[I, O]:
        if most is None:
            if not isinstance(items, Sized):
                raise ConfigError("a stream of generated items needs most=, the greatest number of them")
            most = len(items)

        return Stream(self, fn, items, most, window, name or getattr(fn, "__name__", "map").strip("_<>"))

    async def spawn(
        self, fn: Callable[..., Awaitable[O]], item: I, *, after: Iterable[protocols.Handle[Any]] = (), name: str = ""
    ) -> Handle[O]:
        family: Family = self.threads.of(self, Family)
        return family.spawn(fn, item, after, name or getattr(fn, "__name__", "spawn").strip("_<>"))

    async def join(self, *handles: protocols.Handle[Any]) -> list[Outcome[Any]]:
        family: Family = self.threads.of(self, Family)
        return await family.join(handles)

    # ---------------------------------------------------------------- generating

    def base_params(self, generator: Generator | None) -> Params:
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
        source = generator if generator is not None else self._search.generator
        if source is None:
            raise ConfigError("there is no generator: pass generator= to the strategy or to solve()")
        if (type(n) is not int and not is_whole(n)) or n < 1:
            raise ConfigError(f"n must be >= 1, a whole number, got {n!r}")
        if type(prompt) is not Prompt:
            check_prompt("run.sample", prompt)
        if isinstance(source, type) or not hasattr(source, "generate"):
            check_generator("run.sample", source)
        chosen = params if params is not None else self.params

        async def draw(index: int, child: Run) -> Sample[Any]:
            child.index, child.partial = index, partial or self.partial
            sample = await source.generate(prompt, child, params=chosen)
            if not isinstance(sample, Sample):
                raise no_sample(f"generate of {type(source).__name__}", sample)
            if child.role == "generate" and not partial:
                if id(sample) in child.frame.seen:  # the same object twice is two candidates
                    sample = replace(sample)
                child.found(Scored(sample))
            return sample

        if n == 1:  # the common case in a stream: no task, no group
            return [await draw(start, self.spawned("sample", self.next_ordinal(), start, self.span, self.ledger))]
        return self.survivors(await self.map(draw, range(start, start + n), name="sample"))

    async def complete(self, backend: Backend, request: Request) -> Sample[str]:
        if request.params.floor is not None:
            check_floor(request.params, backend)
        if request.params.form:
            check_form(backend)
        worst: Usage | Request = request
        role, around = self.role, self._around
        own = around is not None and around is self.held  # an agent's call: no attempt
        if self._limited or around is not None:
            worst = self.worst_case(request.prompt, request.params)
            if own and role == "generate":
                worst, role = replace(worst, generations=0), "plan"
        entry = None
        if self._search.journal is not None:
            content, asked = self._search.request(self.role, request.prompt, request.params)
            name = key_of("model", backend.name, content, request.seed, request.index)
            entry = Entry(name, content, asked)

        def retry(error: CallError) -> bool:
            """Charge the failed attempt, if another one is affordable; else the call fails and is charged then."""
            attempt = replace(cost_of_failed(error), generations=0)
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

        span = self.span.add(backend.name, "call", request.index, role)
        if self._search.feed.on:
            self._search.feed.asked(span, "model", backend, request.prompt, request.params, request.seed)
        if around is not None:
            around.count_inside()
        held = Held(worst, self.ledger, span)
        if around is None or not own:
            return await self._leaf(span, held, entry, perform, None)
        return await self._own(around, span, held.worst, lambda: self._leaf(span, held, entry, perform, None))

    async def call(
        self,
        name: str,
        prompt: Prompt,
        perform: Callable[[], Awaitable[Sample[Any]]],
        *,
        params: Params | None = None,
        version: str = "",
        value_codec: codec.Codec | None = None,
        worst: Usage = protocols.ONE_GENERATION,
    ) -> Sample[Any]:
        entry = None
        if self._search.journal is not None:
            content, asked = self._search.request("call", prompt, params or NO_PARAMS)
            key = key_of("call", name, version, content, self.key, self.index)
            entry = Entry(key, content, asked, around=True)
        if self.role != "generate":
            worst = replace(worst, generations=0)

        span = self.span.add(name, "call", self.index, self.role)
        if self._search.feed.on:
            self._search.feed.asked(span, "agent", name, prompt)
        around, before = self._around, (self.held, self.threads)
        if around is not None:
            around.whole = False
            around.count_inside()
        held = self.hold_for(worst, span, params)
        try:
            sample = await self._leaf(span, held, entry, lambda: self.attempted(held, perform()), value_codec)
            self._ended(name, held, None)
            return sample
        except BaseException as error:
            self._ended(name, held, error)
            raise
        finally:
            if around is not None and around is before[0]:  # an agent that was given the same run, and goes on
                self.held, self.threads = before

    async def once(self, name: str, perform: Callable[[], Awaitable[str]], *, harmless: bool = False) -> str:
        journal, ordinal = self._search.journal, self.next_ordinal()
        span = self.span.add(name, "call", self.index, "plan")
        if self._search.feed.on:
            self._search.feed.asked(span, "tool", name)
        begun, done = (Entry(key_of(stage, name, self.key, ordinal)) for stage in ("intent", "effect"))
        try:
            observed = self._stored(span, done)
            span.replayed = observed is not None
            if observed is None:
                if journal is not None and not harmless:
                    if journal.get(begun.key) is not None:
                        raise UncertainEffect(f"{name!r} was begun, but whether it happened is not recorded: look")
                    await journal.put(begun.key, name, self._origin(span, begun)._replace(role="intent"))
                observed = await perform()
                if journal is not None:
                    await journal.put(done.key, observed, self._origin(span, done)._replace(role="effect"))
        except BaseException as error:
            span.fail(error)
            raise
        span.text = observed[:400]
        span.end("ok")
        return observed

    # ---------------------------------------------------------------- budget

    @property
    def used(self) -> Usage:
        return self.span.total()

    def worst_case(self, prompt: Prompt, params: Params) -> Usage:
        return worst_case(prompt, params, self.role, self.ledger)

    def remaining(self) -> Budget:
        seconds = None if self.deadline is None else max(0.0, self.deadline - asyncio.get_running_loop().time())
        return rest(self.ledger, Budget(seconds=seconds))

    def children_budget(self, n: int, least: Usage) -> Budget | None:
        return children_budget(self.ledger, n, least)

    # ---------------------------------------------------------------- verifying

    async def score(
        self, verifier: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], *, partial: bool = False
    ) -> list[Scored]:
        if type(prompt) is not Prompt:
            check_prompt("run.score", prompt)
        check_samples("run.score", samples)
        judge = self._bind(verifier)
        if knows_reference(judge, verifier, self._search.problem):
            self._search.oracles.add(type(judge).__name__)
        offered = self.role == "generate" and not partial
        if len(samples) != 1 and not judge.joint:
            return await self._score_each(judge, prompt, samples, offered=offered)
        span = self.span.add("score", "item", 0, "verify")
        child = self.spawned("score", self.next_ordinal(), 0, span, self.ledger)
        verdicts = await child._judge(judge, prompt, list(samples))
        if len(samples) == 1:  # the common case
            one = Scored(samples[0], verdicts[0])
            if offered:
                self.found(one, judge)
            return [one]
        scored = [Scored(s, v) for s, v in zip(samples, verdicts, strict=True)]
        if offered:
            for one in scored:
                self.found(one, judge)
        return scored

    async def _score_each(
        self, judge: Verifier, prompt: Prompt, samples: Sequence[Sample[Any]], *, offered: bool
    ) -> list[Scored]:
        """A verdict on each of several samples, so that one failure costs one verdict."""

        async def judged(sample: Sample[Any], child: Run) -> Scored:
            [verdict] = await child._judge(judge, prompt, [sample])
            scored = Scored(sample, verdict)
            if offered:  # at once: the search may be stopped before the others have theirs
                child.found(scored, judge, self.span)
            return scored

        outcomes = await self.map(judged, samples, name="score")
        for outcome in outcomes:
            self.note_failure(outcome.error)
        failures = [o.error for o in outcomes if o.error is not None]
        if len(failures) == len(samples) > 0:
            raise failures[0]
        return [o.value if o.value is not None else Scored(s) for s, o in zip(samples, outcomes, strict=True)]

    def _bind(self, verifier: Verifier) -> Verifier:
        """The verifier with this problem's reference; the same object each time, so that it can keep a cache."""
        known = self._search.bound.get(id(verifier))
        if known is None or known[0] is not verifier:
            check_verifier("run.score", verifier)
            known = verifier, bound(verifier, self._search.problem)
            self._search.bound[id(verifier)] = known
        return known[1]

    async def _judge(self, judge: Verifier, prompt: Prompt, samples: list[Sample[Any]]) -> list[Verdict]:
        self.role, self.params = "verify", None  # the caller's parameters are for generating, not for judging
        span, worst = self.span, ONE_VERDICT if len(samples) == 1 else Usage(verifications=len(samples))
        span.role, journal, entry, key, made = "verify", self._search.journal, None, b"", self._calls
        if journal is not None:
            content, asked = self._search.request("judge", prompt, NO_PARAMS)
            key = key_of("verify", judge.key, content, self.key, *map(codec.content_of, samples))
            entry = Entry(key, content, asked, around=True)
        if self._limited:
            await self._hold(span, worst)
        stored, timed = None, None
        try:
            stored = self._stored(span, entry)
            if journal is not None and stored is not None:
                verdicts = _verdicts(journal, key, stored)
            else:
                timed = Timed(verify(judge, prompt, samples, self))
                verdicts = await (timed if self.deadline is None else self._timely(timed))
                if journal is not None and entry is not None and self._calls == made:
                    await journal.put(entry.key, codec.dump_verdicts(verdicts), self._origin(span, entry))
            span.text = describe(verdicts)
        except BaseException as raised:
            error = accident(raised) or raised
            if isinstance(error, VerifierError) and error.mistake:
                self._search.mistakes += [(self.order, error)] * len(samples)
            begun = timed is not None or not isinstance(error, JournalError)
            self._settle(span, worst, _judged(samples, timed) if begun else NO_USAGE, paid=True)
            span.fail(error)
            if error is not raised:
                raise error from raised
            raise
        if stored is not None:
            span.replayed = True
        actual = _judged(samples, timed)
        self._settle(span, worst, actual, paid=stored is None)
        if len(samples) == 1 and span.usage is actual:
            span.verified(actual.cpu_seconds)
        span.end("ok")
        return verdicts

    # ---------------------------------------------------------------- results so far

    def offer(self, sample: Sample[Any], verdict: Verdict = UNJUDGED) -> None:
        self.found(Scored(sample, verdict))

    def so_far(self, rule: protocols.Rule) -> None:
        self.frame.rule = rule

    def show_tree(self, tree: Tree) -> None:
        self.frame.tree = tree
        if self._search.feed.on:
            self._search.feed.planted(self.span, tree)

    async def search(
        self,
        name: str,
        body: Callable[[Run], Awaitable[Sample[Any]]],
        *,
        params: Params | None = None,
        rule: protocols.Rule | None = None,
    ) -> Sample[Any]:
        run = self.spawned(name, self.next_ordinal(), 0, self.span.add(name, "search", 0, self.role), self.ledger)
        run.index, run.frame = self.index, Frame(order=run.order, depth=self.frame.depth + 1, rule=rule)
        run.params = params if params is not None else self.params
        if not self.partial:  # an inner search for a step has no candidates for the answer
            self.frame.inner.append(run.frame)
        try:
            chosen = await closing(run, body(run))
        except BudgetExhausted as error:
            best = run.frame.best()
            if best is None:
                run.span.fail(error)
                raise
            run.stop("deadline" if error.ceiling == "seconds" else "budget")
            chosen = best.sample
        except BaseException as raised:
            mistake = lacking_await(raised)
            run.span.fail(mistake or raised)
            if mistake is not None:
                raise mistake from raised
            raise
        if not isinstance(chosen, Sample):
            raise no_sample(f"search of {name}", chosen)
        if run.frame.stopped in ("budget", "deadline"):
            self.stop(run.frame.stopped)
        run.span.text = shown(chosen)
        run.span.end("ok")
        return replace(chosen, candidates=run.frame.candidates())


def _verdicts(journal: Journal, key: bytes, stored: str) -> list[Verdict]:
    """Stored verdicts; `JournalError` for what are none."""
    try:
        return codec.load_verdicts(stored)
    except Exception as error:  # whatever stands there
        raise journal.damaged(key, error) from error


def _judged(samples: Sequence[Sample[Any]], timed: Timed[Any] | None) -> Usage:
    """What a verdict on `samples` has cost; timed: its making, if it was made here."""
    return Usage(verifications=len(samples), cpu_seconds=0.0 if timed is None else timed.seconds)
