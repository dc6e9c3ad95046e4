"""Drawing a pool: n samples of every problem, each judged by itself, resumable from a journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit.engine.journal import Journal
from searchkit.errors import ConfigError, VerifierError
from searchkit.experiments.entry import Entry, is_json
from searchkit.experiments.pool.by_prompt import by_prompt, name_of
from searchkit.experiments.pool.judging import check_alone, verdicts_of
from searchkit.experiments.pool.pool import Pool
from searchkit.experiments.unknown import NOT_JUDGED, truth
from searchkit.mistakes import check_ids, check_references, listed
from searchkit.protocols import Generator, Run, Verifier
from searchkit.solve import solve_many
from searchkit.strategy import Strategy
from searchkit.types import Budget, Message, Problem, Prompt, Sample, Text, Usage, Verdict
from searchkit.verifiers.consensus.confidence import LogProb

Key = Callable[[Any], Hashable | None]
LOGPROBS = {"logprob_mean": LogProb("mean"), "logprob_sum": LogProb("sum")}  # nats, a token and a sample
NO_BUDGET = Budget()


@dataclass(frozen=True)
class _Drawn:
    """A sample and what is known of it. verdicts: by the number of the verifier."""

    sample: Sample[Any]
    usage: Usage
    key: Hashable | None
    logprobs: dict[str, float]
    verdicts: dict[int, Verdict]


@dataclass(frozen=True)
class Draw(Strategy):
    """Draws `n` samples and judges each; the answer is the tuple of their `Entry`s, failed ones included, in order.

    verifier: says what is correct (`Verdict.passed`), or leaves it unknown. scorer: gives the score; None takes the
    verifier's. scorers: give further scores by name. All must judge each sample by itself, since the verdicts have to
    hold in every subset of the pool; `Deduplicated` does, and saves the verifications of equal samples (they are judged
    when all are drawn). Samples that carry log-probabilities have the scores "logprob_mean" and "logprob_sum" too. key:
    the canonical answer of a value. known: by `name_of(prompt)`, how many samples an earlier drawing has: only those
    after them are drawn. Cost: n generations, n verifications by each verifier.
    """

    n: int
    verifier: Verifier
    scorer: Verifier | None = None
    key: Key | None = None
    scorers: Mapping[str, Verifier] = field(default_factory=dict)
    known: Mapping[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ConfigError(f"n must be >= 1 sample a problem, got {self.n}")
        if taken := LOGPROBS.keys() & self.scorers.keys():
            raise ConfigError(f"{min(taken)!r} is what the samples' own log-probabilities are called: use another name")
        for one in self._judges():
            check_alone(one)

    async def search(self, prompt: Prompt, run: Run) -> Sample[tuple[Entry, ...]]:
        known = self.known.get(name_of(prompt), 0)

        async def draw(index: int, child: Run) -> _Drawn | Entry | None:
            return await self._draw(prompt, index, child) if index >= known else None

        # Numbered from 0 in any case: samples 8 to 15 are the same whether 0 to 7 are drawn now or were before.
        outcomes = await run.map(draw, range(self.n), name="draw")
        drawn = [one for outcome in outcomes if (one := outcome.unwrap()) is not None]
        entries = await self._entries(prompt, drawn, run)
        return Sample(entries, message=Message("assistant", (Text(f"{len(entries)} samples"),)))

    async def _draw(self, prompt: Prompt, index: int, run: Run) -> _Drawn | Entry:
        """A sample with the verdicts of those that judge one by one; the entry of one that failed."""
        try:
            [sample] = await run.sample(None, prompt, start=index)
            usage = run.used  # of a nested search: all it took, not only the sample that it chose
            verdicts = {
                at: (await verdicts_of(one, prompt, [sample], run))[0]
                for at, one in enumerate(self._judges())
                if not one.joint
            }
        except ConfigError:
            raise
        except Exception as error:
            run.fail(error)
            return _failed(error, run.used)
        key = None if sample.truncated else self._key(sample, run)
        return _Drawn(sample, usage, key, _logprobs(sample, run), verdicts)

    async def _entries(self, prompt: Prompt, drawn: Sequence[_Drawn | Entry], run: Run) -> tuple[Entry, ...]:
        """All as entries, once those have judged that want to see them together."""
        samples = [one.sample for one in drawn if isinstance(one, _Drawn)]
        joint = {at: one for at, one in enumerate(self._judges()) if one.joint and samples}
        try:
            rows = {at: iter(await verdicts_of(one, prompt, samples, run)) for at, one in joint.items()}
        except ConfigError:
            raise
        except Exception as error:
            run.fail(error)
            return tuple(one if isinstance(one, Entry) else _failed(error, one.usage) for one in drawn)
        return tuple(
            one if isinstance(one, Entry) else self._entry(one, {at: next(row) for at, row in rows.items()})
            for one in drawn
        )

    def _entry(self, drawn: _Drawn, joint: dict[int, Verdict]) -> Entry:
        verdict, *others = (one for _, one in sorted((drawn.verdicts | joint).items()))
        known = truth(verdict, self.verifier, "verifier", "pass it as scorer=, and as verifier=", drawn.sample)
        score = verdict.value if self.scorer is None else others.pop(0).value
        sample, usage = drawn.sample, drawn.usage
        value = sample.value if is_json(sample.value) else sample.text
        tokens = usage.generated_tokens, usage.prompt_tokens
        named = {name: v.value for name, v in zip(self.scorers, others, strict=True) if v.value is not None}
        scores = named | drawn.logprobs
        return Entry(
            value, drawn.key, score, known.correct, *tokens, sample.finish, usage.usd, scores, known.unknown,
            known.feedback,
        )  # fmt: skip

    def _judges(self) -> tuple[Verifier, ...]:
        """The verifier first, then the scorer if there is one, then the named ones."""
        return (self.verifier, *([] if self.scorer is None else [self.scorer]), *self.scorers.values())

    def _key(self, sample: Sample[Any], run: Run) -> Hashable | None:
        """The answer's key, as text where it is not JSON; None if there is none or the callable raised."""
        if self.key is None:
            return None
        try:
            found = self.key(sample.value)
        except Exception as error:
            run.fail(VerifierError(f"the answer key raised {type(error).__name__}: {error}"))
            return None
        return found if is_json(found) else repr(found)


def _logprobs(sample: Sample[Any], run: Run) -> dict[str, float]:
    """What the sample's own log-probabilities say; nothing if it carries none."""
    if not sample.logprobs:
        return {}
    found = {name: judge.score(sample.logprobs) for name, judge in LOGPROBS.items()}
    if None in found.values():
        run.fail(VerifierError("a server gave no numbers for the log-probabilities of a sample"))
    return {name: score for name, score in found.items() if score is not None}


def _failed(error: Exception, usage: Usage) -> Entry:
    return Entry(str(error), None, None, False, usage.generated_tokens, usage.prompt_tokens, "error", usage.usd)


async def draw(
    problems: Iterable[Problem],
    generator: Generator | Callable[..., Any],
    n: int,
    *,
    verifier: Verifier,
    scorer: Verifier | None = None,
    scorers: Mapping[str, Verifier] | None = None,
    key: Key | None = None,
    pool: Pool | None = None,
    journal: Journal | str | os.PathLike[str] | None = None,
    seed: int = 0,
    concurrency: int = 16,
    budget: Budget | None = None,
    progress: bool = False,
) -> Pool:
    """A pool of `n` samples of every problem, `concurrency` problems at once; see `Draw` for the verifiers and the key.

    Every sample asked for is in the pool: one that failed, or that the budget (for each problem) cut off, is an entry
    with ``finish="error"`` and its reason as value, and one whose verification failed is unknown. With a journal the
    drawing is resumable: what was finished is not paid again. Interrupted (Ctrl-C under `run_sync`), it returns the
    pool of the problems that were finished. pool: what was drawn before; only what it lacks is drawn, and put behind
    it. With the same seed, the whole is what one drawing would have given.

    Raises `ConfigError` before any call if a problem does not fit the verifier, as soon as the verifier gives a score
    without saying what passed, and the first error if not a single sample could be drawn, or not a single one judged.
    """
    wanted = list(listed("problems", problems, "[Problem(...), ...]"))
    if not wanted:
        raise ConfigError("a pool needs at least one problem")
    have = {problem: len(column) for problem, column in pool.entries.items()} if pool else {}
    known = by_prompt(wanted, {problem.id: have.get(problem.id, 0) for problem in wanted})
    strategy = Draw(n, verifier, scorer, key, scorers or {}, known)
    for problem in wanted:
        check_references(strategy._judges(), problem)
    check_ids([problem.id for problem in wanted])
    wanted = [problem for problem in wanted if have.get(problem.id, 0) < n]
    if pool and not wanted:
        return pool
    outcomes = await solve_many(
        wanted, strategy, generator=generator, budget=budget or NO_BUDGET, seed=seed,
        journal=journal if isinstance(journal, Journal) or journal is None else os.fspath(journal),
        concurrency=concurrency, progress=progress,
    )  # fmt: skip
    finished = [(wanted[o.index], o.unwrap()) for o in outcomes if o.error or o.unwrap().stopped != "cancelled"]
    if not finished:
        raise KeyboardInterrupt
    results = [result for _, result in finished]
    drawn = Pool({problem.id: result.answer for problem, result in finished})
    _check(drawn, [error for result in results for error in result.errors])
    return Pool.of((*pool.samples(), *drawn.samples())) if pool else drawn


def _check(pool: Pool, errors: list[Exception]) -> None:
    """Refuse a pool in which nothing worked: that is a broken set-up, not an accuracy of 0."""
    entries = [entry for _, entry in pool.samples()]
    drawn = sum(entry.finish != "error" for entry in entries)
    if drawn == 0:
        raise (
            errors[0] if errors else ConfigError(f"not one sample could be drawn, raise the budget: {entries[0].value}")
        )
    unjudged = [error for error in errors if isinstance(error, VerifierError)]
    failed = all(entry.feedback.startswith(NOT_JUDGED) for entry in entries if entry.finish != "error")
    if unjudged and (failed or (len(unjudged) >= drawn and not any(map(_is_judged, entries)))):
        raise unjudged[0]


def _is_judged(entry: Entry) -> bool:
    abstained = entry.unknown and not entry.feedback.startswith(NOT_JUDGED)
    return entry.correct or entry.score is not None or abstained
