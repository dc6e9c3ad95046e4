"""Means of scores: all replies of a judge about one answer are drawn, and their values put together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from searchkit.calls import CallError
from searchkit.errors import BudgetExhausted, CapabilityError, ConfigError
from searchkit.kinds import told
from searchkit.protocols import Generator, Run
from searchkit.types import Outcome, Params, Prompt, Verdict
from searchkit.verifiers.judges.asking import UNREADABLE, judgements
from searchkit.verifiers.judges.expected import LETTERS, Expected, Reading


@dataclass(frozen=True)
class Mean:
    """Of all replies about one answer.

    value: within [0, 1]. standard_error: None if unknown. notes: which scores were sampled, and why. reasons: of each
    reply that has some, with its value.
    """

    value: float
    standard_error: float | None = None
    notes: tuple[str, ...] = ()
    reasons: tuple[tuple[float, str], ...] = ()


async def mean(
    scores: Expected,
    generator: Generator | None,
    questions: Sequence[Prompt],
    shown: Sequence[str],
    run: Run,
    *,
    retries: int,
    params: Params | None,
) -> Mean | None:
    """The mean over all `questions`, one a criterion; None if of one of them nothing can be read, or one may be quoted.

    Cost: `scores.calls` model calls; unreadable and failed replies are drawn again, `retries` times, and those whose
    log-probabilities were refused are asked for once more without. Raises what the generator raises if no call about
    one of the questions succeeds.
    """
    listing = params or run.base_params(generator)
    listing = listing if listing.logprobs else replace(listing, logprobs=len(LETTERS))

    async def draw(at: int, index: int, child: Run, asking: Params, redrawn: int = retries) -> Reading | None:
        read = await judgements(
            generator, questions[at], lambda reply: scores.read(reply, shown), child,
            n=1, retries=redrawn, params=asking, start=index, stride=scores.repeats,
        )  # fmt: skip
        return read[0] if read else None

    first, listing = await _first(lambda asking: draw(0, 0, run, asking, 0), listing)

    async def ask(place: tuple[int, int], child: Run) -> Reading | None:
        try:
            return await draw(*place, child, listing)
        except (CapabilityError, CallError) as error:
            if not _refused(error) or not listing.logprobs:
                raise
            return await draw(*place, child, replace(listing, logprobs=None))

    places = [(at, index) for at in range(len(questions)) for index in range(scores.repeats)][1:]
    places += [] if first is not None else [(0, scores.repeats)]
    outcomes = await run.map(ask, places, name="reply")
    found = list(zip(places, outcomes, strict=False))
    rows = [
        _read([Outcome(0, None if at else first), *(outcome for place, outcome in found if place[0] == at)], run)
        for at in range(len(questions))
    ]
    quoted = any(reading.quoted for row in rows for reading in row)
    return _together(rows) if all(rows) and not quoted else None


def _read(outcomes: Sequence[Outcome[Reading | None]], run: Run) -> list[Reading]:
    """What the replies to one question say; raises the first failure if they say nothing."""
    return [reading for reading in run.survivors(outcomes) if reading is not None]


async def _first(draw: Callable[[Params], Awaitable[Reading | None]], listing: Params) -> tuple[Reading | None, Params]:
    """What the first reply says, and with which parameters to ask on: without log-probabilities if they are refused."""
    try:
        return await draw(listing), listing
    except (CapabilityError, CallError) as error:
        return None, replace(listing, logprobs=None) if _refused(error) else listing
    except (ConfigError, BudgetExhausted):
        raise
    except Exception:  # recorded; it is drawn again with the others
        return None, listing


def _refused(error: Exception) -> bool:
    """Whether it may be the log-probabilities that a server does not want to give, or dropped; some do for a while."""
    return isinstance(error, CapabilityError) or (isinstance(error, CallError) and error.kind == "bad_request")


def _together(found: Sequence[Sequence[Reading]]) -> Mean:
    """The mean over criteria of the means over repeats, and its standard error."""
    values, replies = [[one.value for one in row] for row in found], [one for row in found for one in row]
    centre = math.fsum(math.fsum(row) / len(row) for row in values) / len(values)
    error = None
    if all(len(row) > 1 for row in values):
        error = math.sqrt(math.fsum(statistics.variance(row) / len(row) for row in values)) / len(values)
    reasons = tuple((one.value, one.why) for one in replies if one.why)
    return Mean(min(1.0, max(0.0, centre)), error, tuple(_notes(replies)), reasons)


def _notes(replies: Sequence[Reading]) -> Iterator[str]:
    for why in dict.fromkeys(one.sampled for one in replies if one.sampled):
        n = sum(one.sampled == why for one in replies)
        yield f"{n} of {len(replies)} scores {'is' if n == 1 else 'are'} sampled, not expected: {why}"


def verdict_of(found: Mean | None, low: float, high: float) -> Verdict:
    """`found` on the scale from `low` to `high`; an abstaining verdict for None."""
    if found is None:
        return Verdict(feedback=UNREADABLE)
    error = None if found.standard_error is None else (high - low) * found.standard_error
    spread = () if error is None else (f"standard error {error:.3g}",)
    reasons = [f"{_scaled(value, low, high):.3g}: {why}" for value, why in found.reasons]
    feedback = "\n".join([*spread, *found.notes, *reasons])
    return Verdict(_scaled(found.value, low, high), feedback=feedback, standard_error=error)


def _scaled(value: float, low: float, high: float) -> float:
    return min(high, max(low, low + (high - low) * value))


def check_scores(owner: str, scores: object, instead: Mapping[str, bool]) -> None:
    """Raises `ConfigError` unless `scores` is an `Expected` or None. instead: what it replaces, and if that is set."""
    if scores is not None and not isinstance(scores, Expected):
        raise ConfigError(f"scores of a {owner} is Expected(levels, repeats, criteria) or None, got {told(scores)}")
    for name, given in instead.items():
        if scores is not None and given:
            raise ConfigError(f"{owner} takes {name} or scores=, not both: Expected(repeats=) says how often to ask")
