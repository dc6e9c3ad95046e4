"""One search of a sweep: run without the reference, judged by the truth afterwards, and told in a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Literal

from searchkit.allocating import Allocator
from searchkit.engine import seeds
from searchkit.engine.journal import Journal, Origin
from searchkit.engine.journal.rows import NOWHERE
from searchkit.engine.keys import KEY_BYTES, shown
from searchkit.errors import ConfigError, JournalError
from searchkit.events import Ended, Event, Place
from searchkit.experiments.chosen import choice_in
from searchkit.experiments.entry import is_json
from searchkit.experiments.sweep.rows import Finished, Lost, Row
from searchkit.experiments.unknown import NOT_JUDGED, Truth
from searchkit.experiments.unknown import truth as of_verdict
from searchkit.protocols import Generator, Run, Verifier
from searchkit.result import Result
from searchkit.searching import start
from searchkit.solve import solve
from searchkit.strategy import Strategy
from searchkit.trace import Span
from searchkit.types import NO_USAGE, Budget, Finish, Params, Problem, Prompt, Sample, Stopped, Usage, Verdict

LONGEST_ERROR = 400
UNSERVED = ("connection", "timeout", "auth", "quota", "rate_limit")  # kinds of `CallError`


@dataclass(frozen=True)
class Cell:
    """A strategy under a budget with a seed, and their names.

    common: its draws are those of all cells that have it, see `CommonDraws`. allocation: where `ceilings` are one
    budget for all problems, which of them gets the next sample.
    """

    strategy: str
    budget: str
    seed: int
    search: Generator
    ceilings: Budget
    common: bool = False
    allocation: Allocator | None = None

    @property
    def shared(self) -> str:
        """Cells of which this is equal share their calls of models. Under a ceiling on seconds nothing is shared: what
        is not asked for again would take none of them."""
        if self.ceilings.seconds is not None:
            return f"{self.strategy}\0{self.budget}\0alone"
        return "\0common" if self.common else self.strategy

    def asks(self, endpoint: Generator | None) -> Generator | None:
        """What its search samples from."""
        return endpoint if endpoint is None or not self.common else CommonDraws(endpoint, self.seed)


@dataclass(frozen=True)
class CommonDraws:
    """`generator`, whose sample number i of a problem is the same in every strategy: its seed comes from `seed`, the
    problem and the number, and not from its place in the search. What verifiers ask keeps its own seeds."""

    generator: Generator
    seed: int

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        here: Any = run
        if here.role == "generate":
            problem = here._search.outermost.problem.id
            here = here.spawned("common", 0, here.index, here.span, here.ledger)
            here._key = seeds.derive(seeds.root(self.seed, problem), "common", 0, here.index)
        return await self.generator.generate(prompt, here, params=params)


class Section(Journal):
    """The part of an open journal that belongs to one cell.

    Single calls of a model are kept once for all cells that share them (`Cell.shared`): what a smaller budget has paid
    for, a greater one is not asked for again. All else (verdicts, agents, effects) is the cell's own, since what an
    agent does may depend on what it may still spend.

    resumed: whether anything in here was made by this very search in an earlier process. copied: the last row that
    another sweep wrote, which is none of this search.
    """

    def __init__(self, journal: Journal, cell: Cell, copied: int = 0) -> None:
        self._journal, self._copied = journal, copied
        self._place = f"{cell.strategy} {cell.budget} {cell.seed}/"
        self._name, self._shared = _named(f"{cell.strategy}\0{cell.budget}"), _named(cell.shared)
        self._made: set[bytes] = set()
        self.resumed: bool = False

    def get(self, key: bytes) -> str | None:
        own = self._kept(key)
        found = self._journal.get(own)
        if found is not None and not self.resumed and own not in self._made:
            row, path = self._journal.made_at(own)
            self.resumed = row > self._copied and path.startswith(self._place)
        return found

    def below(self, prefix: bytes) -> set[bytes]:
        return self._journal.below(_of(self._name, prefix))

    def damaged(self, key: bytes, error: Exception) -> JournalError:
        return self._journal.damaged(self._kept(key), error)

    @property
    def read_only(self) -> bool:
        return self._journal.read_only

    def missing(self, place: str) -> JournalError:
        return self._journal.missing(self._place + place)

    def has_inside(self, problem: str, path: str) -> bool:
        return self._journal.has_inside(problem, self._place + path)

    async def put(self, key: bytes, outcome: str, origin: Origin = NOWHERE) -> None:
        own = _of(self._shared if origin.model and len(key) == KEY_BYTES else self._name, key)
        self._made.add(own)
        await self._journal.put(own, outcome, origin._replace(path=self._place + origin.path))

    def check_kept(self) -> None:
        self._journal.check_kept()

    def _kept(self, key: bytes) -> bytes:
        """Under what `key` is kept: among what is shared, if it is there."""
        shared = _of(self._shared, key)
        return shared if shared in self._journal else _of(self._name, key)


def _named(name: str) -> Any:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16)


def _of(name: Any, key: bytes) -> bytes:
    """The key within a part of the journal. Of one with a rest, which says where in an attempt, the rest stays."""
    digest = name.copy()
    digest.update(key[:KEY_BYTES])
    found: bytes = digest.digest() + key[KEY_BYTES:]
    return found


@dataclass(frozen=True)
class Judgement(Strategy):
    """Asks `truth` whether `sample`, which a search has come to, is right: the value is the verdict."""

    truth: Verifier
    sample: Sample[Any]

    async def search(self, prompt: Prompt, run: Run) -> Sample[Verdict]:
        [scored] = await run.score(self.truth, prompt, [self.sample], partial=True)
        return Sample(scored.verdict)


def blind(problem: Problem) -> Problem:
    """The problem as a search of a sweep is given it: what is right is withheld."""
    return replace(problem, reference=None, withheld=problem.reference)


async def search(
    problem: Problem,
    cell: Cell,
    endpoint: Generator | None,
    truth: Verifier,
    opened: Journal,
    told: Callable[[Event], object] | None = None,
    place: Place = (),
    copied: int = 0,
) -> Finished | None:
    """The row of one search, failed or not; None if somebody stopped it. The search does not see the reference.

    told: called with its events, whose places begin with `place`. copied: as of `Shard`.
    """
    journal, ends, began = Section(opened, cell, copied), list[Ended](), time.perf_counter()

    def listen(event: Event) -> None:
        if isinstance(event, Ended):
            ends.append(event)
        if told is not None:
            told(event)

    try:
        result = await start(
            blind(problem), cell.search, generator=cell.asks(endpoint), budget=cell.ceilings,
            seed=cell.seed, journal=journal, listen=listen, place=place,
        )  # fmt: skip
        if result.stopped == "cancelled":
            return None
        wall = time.perf_counter() - began + saved(result.trace)
        known = await judged(problem, result.sample, cell, truth, journal)
    except ConfigError as error:
        raise ConfigError(f"strategy {cell.strategy!r}, problem {problem.id!r}: {error}") from error
    except JournalError:  # nothing that follows could be kept
        raise
    except Exception as error:
        return failed(problem, cell, error, ends, time.perf_counter() - began, journal.resumed)
    return succeeded(problem, cell, result, known, wall, journal.resumed)


def failed(
    problem: Problem, cell: Cell, error: Exception, ends: Sequence[Ended], wall: float, resumed: bool
) -> Finished:
    """What a search that raised `error` came to, from the ends of its spans."""
    made = sum((end.usage for end in ends if end.status != "cancelled"), Usage())
    row = _row(problem, cell, None, made, made.generated_tokens, Truth(False, False, ""), said(error))
    return Finished(row, wall, resumed, _lost(_spent(ends), made))


def succeeded(problem: Problem, cell: Cell, result: Result[Any], known: Truth, wall: float, resumed: bool) -> Finished:
    """What a search that has an answer came to."""
    made, sequential = taken(result.trace)
    unjudged = known.feedback if known.feedback.startswith(NOT_JUDGED) else ""
    row = _row(problem, cell, result, made, sequential, known, unjudged)
    return Finished(row, wall, resumed, _lost(result.usage, made), served(result))


def served(result: Result[Any]) -> str | None:
    """As of `Finished`, of a search that has an answer: it may be one that was sampled long ago.

    A search that is resumed asks again what failed before, and that may fail for its own sake: only what says that
    nobody serves us counts.
    """
    ends = {span.status for span in result.trace.walk() if span.kind == "call" and not span.replayed}
    if "ok" in ends or not result.errors:
        return "" if "ok" in ends else None
    last = result.errors[-1]
    return said(last) if "error" in ends and getattr(last, "kind", "") in UNSERVED else None


def taken(trace: Span) -> tuple[Usage, int]:
    """What a search used without its cancelled calls and its retries, which depend on latencies; and of that the
    generated tokens on the longest chain of calls that waited for one another."""
    found: dict[int, tuple[Usage, int]] = {}
    for span in reversed(list(trace.walk())):  # children before parents
        below = [found[id(child)] if child.status != "cancelled" else (Usage(), 0) for child in span.children]
        usage = sum((usage for usage, _ in below), span.usage)
        found[id(span)] = usage, span.usage.generated_tokens + span.chained([length for _, length in below])
    return found[id(trace)]


def saved(trace: Span) -> float:
    """How many seconds more a search would have taken if none of its calls had been replayed: as many as that makes the
    longest chain of calls that waited for one another longer."""
    return longest(trace, replayed=True) - longest(trace, replayed=False)


def longest(trace: Span, *, replayed: bool) -> float:
    """Seconds of the longest chain of calls; replayed: those that were take as long as when they were made, not 0."""
    found: dict[int, float] = {}
    for span in reversed(list(trace.walk())):  # children before parents
        chain = span.chained([found[id(child)] for child in span.children])
        if span.kind == "call":  # an agent's lasts as long as those that it makes
            again = span.took if replayed else 0.0
            chain = max(chain, again if span.replayed else max(span.ended - span.began, 0.0))
        found[id(span)] = chain
    return found[id(trace)]


def _spent(ends: Sequence[Ended]) -> Usage:
    return sum((end.usage + end.retried for end in ends), Usage())


def _lost(all_in_all: Usage, made: Usage) -> Lost:
    return Lost(
        all_in_all.generated_tokens - made.generated_tokens, all_in_all.prompt_tokens - made.prompt_tokens,
        all_in_all.model_calls - made.model_calls, round(all_in_all.usd - made.usd, 9),
    )  # fmt: skip


async def judged(problem: Problem, sample: Sample[Any], cell: Cell, truth: Verifier, journal: Journal) -> Truth:
    """What the truth says of the answer; unknown where it fails."""
    try:
        found = await solve(problem, Judgement(truth, sample), seed=cell.seed, journal=journal)
    except (ConfigError, JournalError):  # the latter says nothing of the answer, and nothing that follows could be kept
        raise
    except Exception as error:
        return Truth(False, True, f"{NOT_JUDGED}{said(error)}")
    return of_verdict(found.answer, truth, "truth", sample=sample)


def _row(
    problem: Problem, cell: Cell, result: Result[Any] | None, usage: Usage, sequential: int, known: Truth, error: str
) -> Row:
    answer, score, texts = None, None, list[str]()
    arm, deciding = (None if result is None else choice_in(result.trace)) or ("", NO_USAGE)
    stopped: Stopped = "error"
    finish: Finish | Literal["error"] = "error"
    if result is not None:
        value, stopped, finish = result.sample.value, result.stopped, result.sample.finish
        answer = value if is_json(value) else shown(result.sample)
        score = _score(result)
        if getattr(cell.search, "INDEPENDENT", False):
            texts = [_text(candidate.sample) for candidate in result.candidates]
        error = said(result.errors[-1]) if stopped == "error" and result.errors else error
    return Row(
        cell.strategy, cell.budget, cell.seed, problem.id, answer, known.correct, score, usage.generated_tokens,
        usage.prompt_tokens, sequential, usage.model_calls, round(usage.usd, 9), stopped, error, known.unknown,
        known.feedback, finish, "" if result is None else ", ".join(result.oracle), arm, deciding.generated_tokens,
        len(texts), len(set(texts)),
    )  # fmt: skip


def _text(sample: Sample[Any]) -> str:
    """The whole text; of an agent's value that cannot be printed, its kind."""
    try:
        return sample.text
    except Exception:
        return shown(sample)


def _score(result: Result[Any]) -> float | None:
    """The score of the answer; of equal answers the greatest."""
    chosen = replace(result.sample, candidates=())
    scores = [c.score for c in result.candidates if c.score is not None and replace(c.sample, candidates=()) == chosen]
    return max(scores, default=None)


def said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
