"""What tournaments share: who plays, and matches of two that a joint verifier scores together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from searchkit.errors import ConfigError
from searchkit.protocols import Run, Verifier
from searchkit.strategies.common.checks import check_method
from searchkit.types import Prompt, Scored

Pair = tuple[int, int]
Record = Mapping[int, list[float]]  # of each sample, what it made of its matches: 1 won, 0.5 tied, 0 lost


def check_judge(owner: str, judge: Verifier) -> None:
    """Raises `ConfigError` unless `judge` compares samples."""
    check_method(f"the judge of a {owner}", judge, "verify", "PairwiseJudge()")
    if not judge.joint:
        raise ConfigError(
            f"a {owner} compares samples by a joint verifier such as PairwiseJudge(): where each has a "
            "score of its own, use Argmax()"
        )


def players_of(scored: Sequence[Scored]) -> list[int]:
    """Who plays: what is whole and has not failed; where all have failed, what is whole."""
    whole = [i for i, candidate in enumerate(scored) if not candidate.sample.truncated]
    return [i for i in whole if scored[i].verdict.passed is not False] or whole


async def play(
    judge: Verifier, prompt: Prompt, scored: Sequence[Scored], pairs: Sequence[Pair], record: Record, run: Run
) -> list[float | None]:
    """What the first of each pair makes of their match, None without a verdict; written into `record`.

    All are played at once. Cost: a match is two verifications, and what the judge asks.
    """

    async def match(pair: Pair, child: Run) -> float | None:
        one, other = await child.score(judge, prompt, [scored[i].sample for i in pair])
        return _result(one.score, other.score)

    outcomes = await run.map(match, pairs, name="match")
    for (one, other), outcome in zip(pairs, outcomes, strict=True):
        run.note_failure(outcome.error)
        if outcome.value is not None:
            record[one].append(outcome.value)
            record[other].append(1.0 - outcome.value)
    return [outcome.value for outcome in outcomes]


def show(shares: Mapping[int, float], run: Run) -> None:
    """Say in the trace which share of its matches each sample won, the best first, by the order that they came in."""
    ranked = sorted(shares, key=lambda player: -shares[player])
    with run.traced("standings") as span:
        span.text = ", ".join(f"{player} ({shares[player]:.3g})" for player in ranked)


def _result(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return None if one == other else 0.0 if one is None else 1.0
    return 0.5 if one == other else float(one > other)
