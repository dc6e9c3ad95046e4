"""PivotTournament: every sample meets a few pivots instead of every other sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.errors import ConfigError
from searchkit.kinds import is_whole, told
from searchkit.protocols import Run, Verifier
from searchkit.strategies.selection.matches import Pair, check_judge, play, players_of, show
from searchkit.types import Choice, Prompt, Scored


@dataclass(frozen=True)
class PivotTournament:
    """Chooses by matches against the `pivots` samples with the best scores: their number grows with n, not its square.

    judge: a joint verifier such as `PairwiseJudge`, as in `Tournament`: the same samples play, and matches count alike.
    The scores that samples have already say who is a pivot; of equal ones it is drawn by chance, from the search's
    seed, so that the order in which samples were drawn plays no role.

    Every pivot meets every other sample. The winner is who won the greatest share of the matches that it was to play: a
    tie is half a win for each, a match without a verdict, or one that the budget no longer paid for, nothing for
    either. It is a share because a pivot plays n - 1 matches, and another sample as many as there are pivots: of bare
    wins a pivot would always have most. Of equals the higher score wins, then chance. With `pivots` >= n it is a
    round-robin. If no match has a verdict nothing is chosen, and strategies return their first complete sample.

    `Choice.score` is the winner's share; those of all stand in the trace, under "standings". Cost for n samples and k
    pivots: k * (n - k) + k * (k - 1) / 2 matches of two verifications and what the judge asks, at once; `PairwiseJudge`
    asks 2 * k * (n - k) + k * (k - 1) times. Where the budget ends half-way, the matches against the best pivots have
    been played.

    Source: LLM-as-a-Verifier (arXiv 2607.05391), where a first round in a ring picks the pivots, and matches count by
    probabilities; here scores pick them, and a match is won or not.

        from searchkit.strategies import BestOfN, PivotTournament
        from searchkit.verifiers import Judge, PairwiseJudge

        BestOfN(32, Judge(), select=PivotTournament(PairwiseJudge(), pivots=4))  # 236 calls of 992
    """

    judge: Verifier
    pivots: int = 4

    def __post_init__(self) -> None:
        check_judge("PivotTournament", self.judge)
        if not is_whole(self.pivots) or self.pivots < 1:
            raise ConfigError(f"a PivotTournament needs pivots >= 1, got {told(self.pivots)}")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        order = players_of(scored)
        if len(order) < 2:
            return Choice(order[0] if order else None)
        with run.child("tournament", role="verify") as child:
            child.rng.shuffle(order)
            order.sort(key=lambda player: _score(scored[player]), reverse=True)  # stable: equals stay shuffled
            record = {player: list[float]() for player in order}
            await play(self.judge, prompt, scored, _pairs(order, self.pivots), record, child)
            if not any(record.values()):
                return Choice(None)
            others = len(order) - 1
            due = {player: others if at < self.pivots else self.pivots for at, player in enumerate(order)}
            shares = {player: math.fsum(record[player]) / due[player] for player in order}
            show(shares, child)
        winner = max(order, key=lambda player: shares[player])
        return Choice(winner, shares[winner])


def _score(candidate: Scored) -> float:
    return -math.inf if candidate.score is None else candidate.score


def _pairs(order: Sequence[int], pivots: int) -> list[Pair]:
    """Each pivot with all behind it: the best pivot's matches first."""
    return [(pivot, other) for at, pivot in enumerate(order[:pivots]) for other in order[at + 1 :]]
