"""The laws of strategies, as a test class to inherit from."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from unittest import SkipTest

from searchkit.answers import keys
from searchkit.calls import Request
from searchkit.engine.journal import Journal
from searchkit.engine.position import Position
from searchkit.generators.simulated import Simulated
from searchkit.generators.wrappers.limited import Limited
from searchkit.model import Model
from searchkit.protocols import Backend, Generator, Run, Verifier
from searchkit.result import Result
from searchkit.solve import solve
from searchkit.strategies.selection.rules import Argmax
from searchkit.strategy import Strategy
from searchkit.testing.anytime import AnytimeTests
from searchkit.testing.doubles import Counting, Shuffled
from searchkit.testing.law_worlds import LEVELS, WORTH, Acting, Caller, Drafting, Listening, Marks
from searchkit.trace import Span
from searchkit.types import Budget, Params, Problem, Prompt, Sample, Scored, Verdict

ANSWERS = {"5": 0.3, "6": 0.25, "7": 0.25, "no answer here": 0.2}


@dataclass(frozen=True)
class LengthScore:
    """A verifier for the laws: a score in [0, 1] that depends on the text alone. Costs no model calls."""

    score: float | None = None
    abstains: bool = False
    odd: bool = False
    key: str = "length"
    range: tuple[float, float] = (0.0, 1.0)
    joint: bool = False

    def bind(self, problem: Problem) -> LengthScore:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        if self.abstains:
            return [Verdict() for _ in samples]
        if self.odd:  # abstains on some, gives the others one of two scores
            sums = [sum(map(ord, s.text)) for s in samples]
            return [Verdict() if n % 3 == 0 else Verdict(n % 2 / 2) for n in sums]
        return [Verdict(sum(map(ord, s.text)) % 97 / 97 if self.score is None else self.score) for s in samples]


class StrategyTests(AnytimeTests):
    """Inherit, override `strategy`, and where the strategy has one `narrow` and `judged`.

    Where the strategy takes an environment or a verifier inside another option, override `over`; where its answer is
    voted for by more than a key and scores, `elections`.

    The prompt, the parameters and the backend can be overridden too: the same laws then hold over HTTP or the embedded
    model.
    """

    prompt: str = "how much is 2 + 3?"
    params: Params = Params(max_tokens=12)
    asks: int = 1  # how often one expansion asks an environment for actions; more where it plays to the end

    def strategy(self) -> Strategy:
        """The strategy under test, without a generator of its own."""
        raise NotImplementedError

    def narrow(self) -> Strategy | None:
        """The strategy at width 1, if it has a width."""
        return None

    def judged(self, verifier: Verifier) -> Strategy | None:
        """The strategy as an argmax over `verifier`, if it can be one."""
        return None

    def backend(self) -> Backend:
        return Simulated(ANSWERS)

    def over(self, environment: Any, verifier: Verifier) -> Strategy | None:
        """The strategy over `environment`, judged by `verifier`; None if it takes no environment."""
        strategy = self.strategy()
        if not _has(strategy, "environment"):
            return None
        return _with(strategy, environment=environment, verifier=verifier, generator=None, generators=())

    def elections(self, result: Result[Any]) -> Sequence[tuple[Callable[[Any], Hashable | None], Sequence[Scored]]]:
        """Where the answer is voted for: the key of an answer and who votes, weighted by scores where there are any."""
        return [(getattr(self.strategy(), "key", keys.default), result.candidates)]

    # ---------------------------------------------------------------- helpers

    def model(self, backend: Backend | None = None) -> Model:
        return Model(self.backend() if backend is None else backend, self.params)

    def run(self, strategy: Generator | None = None, backend: Backend | None = None, **options: Any) -> Result[Any]:
        return asyncio.run(solve(self.prompt, strategy or self.strategy(), generator=self.model(backend), **options))

    # ---------------------------------------------------------------- the laws

    def test_law_01_latencies_do_not_change_the_trace(self) -> None:
        """Same responses and seed, calls finishing in any order, any number at once: the same result and trace."""
        plain = self.run()
        for order in range(4):
            shuffled: Backend = Shuffled(self.backend(), order)
            result = self.run(backend=Limited(shuffled, order) if order else shuffled)
            assert _outcome(result) == _outcome(plain)

    def test_law_02_seeds_differ(self) -> None:
        """No two requests share a seed, neither within a run nor between runs with neighbouring root seeds."""
        counted = [Counting(self.backend()) for _ in range(2)]
        for seed, backend in enumerate(counted):
            self.run(backend=backend, seed=seed)
        seeds = counted[0].seeds + counted[1].seeds
        assert len(set(seeds)) == len(seeds) > 1

    def test_law_03_ceilings_hold(self) -> None:
        """No ceiling is exceeded, holds return to zero, an answer comes back, and latencies still change nothing."""
        most = self.params.max_tokens or 1
        for budget in (
            Budget(generations=1), Budget(generations=3), Budget(model_calls=2), Budget(verifications=1),
            Budget(generated_tokens=2 * most), Budget(generated_tokens=3 * most + 1, generations=5),
        ):  # fmt: skip
            results = []
            for order in range(3):
                result, run = self._bounded(budget, Shuffled(self.backend(), order))
                assert result.stopped in ("done", "threshold", "budget")
                assert not run.ledger.overshoot()
                assert not any(run.ledger.held), run.ledger.held
                for name, ceiling in budget.ceilings():
                    assert getattr(result.usage, name) <= ceiling
                results.append(result)
            assert all(_outcome(r) == _outcome(results[0]) for r in results)

    def _bounded(self, budget: Budget, backend: Backend) -> tuple[Result[Any], Position]:
        """The result and the root run, whose ledger `solve` does not show."""
        strategy, seen = self.strategy(), list[Position]()

        @dataclass(frozen=True)
        class Watched:
            async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
                assert isinstance(run, Position)
                seen.append(run)
                return await strategy.generate(prompt, run, params=params)

        return self.run(Watched(), backend, budget=budget), seen[0]

    def test_law_04_resuming_pays_only_for_what_was_not_finished(self) -> None:
        """Killed after any number of committed calls and resumed: the same trace; what was finished is not called."""
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "whole.db"
            uninterrupted = self.run(journal=whole)
            with Journal(whole) as journal:
                rows = len(journal)
            for kept in sorted({0, 1, rows // 2, rows - 1, rows}):
                part, again = Path(folder) / f"{kept}.db", Counting(Shuffled(self.backend(), kept))
                _truncate(whole, part, kept)
                resumed = self.run(backend=again, journal=part)
                assert _outcome(resumed) == _outcome(uninterrupted)
                assert resumed.paid.model_calls == again.calls
                with Journal(part) as journal:
                    assert len(journal) >= kept + _performed(resumed.trace)  # a call made twice adds no second row

    def test_law_05_cancellation_leaves_nothing_behind(self) -> None:
        """Cancelled at any moment: nothing is in flight afterwards, and the next call works."""
        expected = self.run().answer

        async def main() -> None:
            backend = Counting(Shuffled(self.backend(), most=0.02))
            strategy, model = self.strategy(), self.model(backend)
            for ticks in (1, 3, 10):
                task = asyncio.create_task(solve(self.prompt, strategy, generator=model))
                for _ in range(ticks):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert backend.in_flight == 0
                assert asyncio.all_tasks() == {asyncio.current_task()}
            for moment in range(8):  # some before, some after the first answers have come back
                task = asyncio.create_task(solve(self.prompt, strategy, generator=model))
                await asyncio.wait([task], timeout=0.004 * moment)
                task.cancel()
                await asyncio.wait([task])
                assert backend.in_flight == 0
                assert asyncio.all_tasks() == {asyncio.current_task()}
            assert (await solve(self.prompt, strategy, generator=model)).answer == expected

        asyncio.run(main())

    def test_law_06_nests_both_ways(self) -> None:
        """Works inside and around best-of-N, with all calls counted and no effect of latencies."""
        from searchkit.strategies.sampling.best_of_n import BestOfN

        around = BestOfN(2, LengthScore(), generator=self.strategy())
        inside: Any = replace(self.strategy(), generator=BestOfN(2, LengthScore()))  # type: ignore[type-var]
        for nested in (around, inside):
            backend = Counting(self.backend())
            result = self.run(nested, backend)
            assert result.paid.model_calls == backend.calls > 1
            shuffled = self.run(nested, Shuffled(self.backend(), 1))
            assert shuffled.trace.canonical() == result.trace.canonical()
            assert len(set(backend.seeds)) == backend.calls

    def test_law_07_concurrent_runs_of_one_instance_are_independent(self) -> None:
        """Six searches at once over one strategy object give what each gives alone, whichever call ends first."""
        strategy, seeds = self.strategy(), range(1, 7)
        alone = [_outcome(self.run(seed=seed)) for seed in seeds]

        async def main(order: int) -> list[Result[Any]]:
            model = self.model(Shuffled(self.backend(), order, most=0.001))
            tasks = [asyncio.create_task(solve(self.prompt, strategy, generator=model, seed=seed)) for seed in seeds]
            return [await task for task in tasks]

        for order in range(3):
            assert [_outcome(result) for result in asyncio.run(main(order))] == alone

    def test_law_08_configuration_pickles_and_traces_round_trip(self) -> None:
        """A pickled strategy is equal and searches alike; a trace comes back from JSON as it was."""
        strategy = self.strategy()
        copy = pickle.loads(pickle.dumps(strategy))
        assert copy == strategy
        result = self.run(copy)
        assert result.trace.canonical() == self.run().trace.canonical()
        assert Span.from_json(result.trace.to_json()).to_json() == result.trace.to_json()

    def test_law_09_width_one_at_temperature_zero_is_greedy(self) -> None:
        """Width 1 at temperature 0 returns what the model itself returns at temperature 0."""
        narrow = self.narrow()
        if narrow is None:
            raise SkipTest("write narrow(): the strategy with width 1, if it has one")
        backend = Greedy(self.backend())
        model = Model(backend, replace(self.params, temperature=0.0))
        greedy = asyncio.run(solve(self.prompt, model)).answer
        assert asyncio.run(solve(self.prompt, narrow, generator=model)).answer == greedy
        assert {request.params.temperature for request in backend.seen} == {0.0}

    def test_law_10_ties_go_to_the_first_and_abstentions_never_win(self) -> None:
        """An argmax returns the first of the best that it is shown, in the order in which its strategy shows them;
        where all scores are equal or all abstain, the first sample."""
        for verifier in (LengthScore(score=0.5), LengthScore(abstains=True), LengthScore(odd=True)):
            for seed in range(4):
                strategy = self.judged(verifier)
                if strategy is None:
                    raise SkipTest("write judged(verifier): the strategy with that verifier, if it has one")
                strategy, heard = _listening(strategy)
                result = self.run(strategy, seed=seed)
                shown = [result.candidates, heard] if verifier.odd and heard else [result.candidates]
                assert result.answer in [_first_of_best(found) for found in shown]

    def test_law_11_paid_equals_the_calls_that_the_backend_counted(self) -> None:
        """What the result says was paid is what the backend saw."""
        for concurrency in (1, 64):  # where calls queue, those cancelled in the queue are not paid for
            backend = Counting(Shuffled(self.backend()))
            paid = self.run(backend=Limited(backend, concurrency)).paid
            assert paid.model_calls == backend.calls > 0

    def test_law_12_the_answer_is_chosen_as_declared_from_all_that_was_seen(self) -> None:
        """`Strategy.answers_by` holds over drafts, each a complete answer; without an environment over its samples.

        "selected": its own selector, or the highest score, chose among all complete answers that it saw. "voted": no
        other class of answers has more votes. "last": it is the last. "own": it is one of them.
        """
        for seed in range(6):
            strategy = self.over(Drafting(ends=seed % 2 == 0), Marks())
            self._answered(self.strategy() if strategy is None else strategy, seed)

    def _answered(self, strategy: Strategy, seed: int) -> None:
        """The answer of one search is one that `answers_by` allows."""
        listening, heard = _listening(_with(strategy, threshold=None, stop=None))
        result = self.run(listening, seed=seed)
        found, rule = result.candidates, strategy.answers_by
        if rule == "voted":
            self._elected(result)
        elif rule == "last":
            assert result.answer == found[-1].sample.value, "it declares that the last one is the answer"
        elif rule == "own":
            assert result.answer in [c.sample.value for c in found]
        elif heard:
            unheard = Counter(c.sample.text for c in found) - Counter(c.sample.text for c in heard)
            assert not unheard, f"its selector never saw {list(unheard)}: declare ANSWER if that is as published"
        elif scores := [c.score for c in found if c.score is not None]:
            best = [c.sample.value for c in found if c.score == max(scores)]
            assert result.answer in best, "better answers were seen: declare ANSWER if that is as published"

    def _elected(self, result: Result[Any]) -> None:
        """No other answer has more votes."""
        for key, ballots in self.elections(result):
            weighted = any(ballot.score is not None for ballot in ballots)
            votes = Counter[Hashable]()
            for ballot in ballots:
                if not ballot.sample.truncated and (answer := key(ballot.sample.value)) is not None:
                    votes[answer] += (ballot.score or 0.0) if weighted else 1.0  # type: ignore[assignment]
            assert not votes or votes[key(result.answer)] >= max(votes.values()) - 1e-9, votes

    def test_law_12_a_threshold_ends_the_search(self) -> None:
        """Once an answer reaches it, at most one more expansion is made; without an environment, no sample is taken."""
        world = Drafting()
        strategy = self.over(world, Marks(world.log))
        if strategy is None:
            self._stops_at_a_sample()
        elif _has(strategy, "threshold"):
            result = self.run(_with(strategy, threshold=LEVELS[1], in_flight=1, trees=1))
            reached = next((i for i, score in enumerate(world.log) if (score or 0.0) >= LEVELS[1]), None)
            if reached is not None:
                assert result.stopped == "threshold"
                assert WORTH[result.answer] >= LEVELS[1]
                assert world.log[reached:].count(None) <= self.asks

    def _stops_at_a_sample(self) -> None:
        plain = self.strategy()
        if not _has(plain, "threshold") or getattr(getattr(plain, "verifier", None), "joint", False):
            return
        whole = self.run(_with(plain, threshold=None, first_pass=False, window=1)).candidates
        scores = sorted(c.score for c in whole if c.score is not None)
        if len(scores) < len(whole):  # a threshold of another kind
            return
        bar = scores[len(whole) // 2]
        first = next(i for i, c in enumerate(whole) if c.score is not None and c.score >= bar)
        result = self.run(_with(plain, threshold=bar))
        assert [c.sample.text for c in result.candidates] == [c.sample.text for c in whole[: first + 1]]
        assert result.stopped == "threshold"

    def test_law_13_a_tool_call_is_what_it_calls(self) -> None:
        """A search whose actions are tool calls is the search whose actions are texts that say the same.

        So no two calls are taken for one, however their text is empty, and no call for two, whatever its ids; and trees
        show calls.
        """
        strategy = self.over(Acting(), LengthScore())
        for seed in range(4 if strategy is not None else 0):
            called, said = (self.run(strategy, Caller(speaks), seed=seed) for speaks in (False, True))
            assert called.tree is not None, "show_tree was not called"
            assert said.tree is not None
            assert called.tree.text == said.tree.text
            assert called.tree.to_json() == said.tree.to_json()
            assert called.answer == said.answer


@dataclass(frozen=True)
class Greedy:
    """A backend that ignores seeds, as any model does at temperature 0, and keeps what it was asked."""

    backend: Backend
    seen: list[Request] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.backend.name

    async def complete(self, requests: Any) -> Any:
        self.seen.extend(requests)
        return await self.backend.complete([replace(request, seed=0) for request in requests])


def _has(strategy: Any, name: str) -> bool:
    return is_dataclass(strategy) and name in {f.name for f in fields(strategy)}


def _with(strategy: Any, **changed: Any) -> Strategy:
    """The strategy with those of the options that it has."""
    made: Strategy = replace(strategy, **{name: value for name, value in changed.items() if _has(strategy, name)})
    return made


def _listening(strategy: Strategy) -> tuple[Strategy, list[Scored]]:
    """The strategy, and what its selector, if it has one, will be given."""
    selector = Listening(getattr(strategy, "select", Argmax()))
    return _with(strategy, select=selector), selector.heard


def _first_of_best(found: Sequence[Scored]) -> Any:
    scores = [-1.0 if c.score is None else c.score for c in found]
    return found[scores.index(max(scores))].sample.value


def _outcome(result: Result[Any]) -> tuple[Any, ...]:
    """All of a result that must not depend on latencies."""
    found = [(c.sample.text, c.sample.finish, c.verdict) for c in result.candidates]
    return result.trace.canonical(), repr(result.answer), found, result.stopped, [str(e) for e in result.errors]


def _truncate(source: Path, target: Path, rows: int) -> None:
    """The journal as a kill after `rows` commits would have left it."""
    with Journal(target):
        pass
    db = sqlite3.connect(target)
    db.execute("ATTACH ? AS source", (str(source),))
    db.execute("INSERT INTO call SELECT * FROM source.call ORDER BY id LIMIT ?", (rows,))
    db.commit()
    db.close()


def _performed(trace: Span) -> int:
    """How many calls and checks ended well without the journal; a check that uses `run` has no row of its own."""
    leaves = (s for s in trace.walk() if (s.usage.model_calls or s.usage.verifications) and not s.children)
    return sum(s.status == "ok" and not s.replayed for s in leaves)
