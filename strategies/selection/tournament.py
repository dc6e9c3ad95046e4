"""Tournament: the answer is the sample that beats the others when two at a time are compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from searchkit.errors import ConfigError
from searchkit.protocols import Run, Verifier
from searchkit.strategies.selection.matches import Record, check_judge, play, players_of, show
from searchkit.types import Choice, Prompt, Scored


@dataclass(frozen=True)
class Tournament:
    """Chooses by matches of two samples, which `judge` scores together: the higher score wins, equal ones are a tie.

    judge: a joint verifier such as `PairwiseJudge`. Against a score an abstention loses; if both abstain, or the judge
    fails, the match has no verdict. Truncated samples do not play, nor do those whose verdict is "failed" if there are
    others; the scores that samples have already play no role.

    form "knockout": the loser of a match is out. Where the samples are no power of two, the first seen have a bye in
    the first round. A tie goes to the first seen. "round-robin": each meets each, and the most points win, with half a
    point for a tie; of equals the first seen. All matches of a round are played at once.

    A match without a verdict is half a point for both; in a knockout it goes to who has won more so far, of equals to
    the first seen. When the budget runs out half-way, all matches that are left are of that kind: the choice is who has
    won most among those still in (in a round-robin, wins minus losses), because that is all that was learned. If no
    match at all has a verdict nothing is chosen, and strategies return their first complete sample.

    `Choice.score` is the share of the winner's matches that it won, ties as half; those of all that played stand in the
    trace, under "standings". Cost for n samples: n - 1 or n * (n - 1) / 2 matches of two verifications and what the
    judge asks (`PairwiseJudge`: 2 model calls a match), in log2(n) rounds, rounded up, or in one.
    """

    judge: Verifier
    form: Literal["knockout", "round-robin"] = "knockout"

    def __post_init__(self) -> None:
        check_judge("Tournament", self.judge)
        if self.form not in ("knockout", "round-robin"):
            raise ConfigError(f'form is "knockout" or "round-robin", got {self.form!r}')

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        players = players_of(scored)
        if len(players) < 2:
            return Choice(players[0] if players else None)
        form = self._knockout if self.form == "knockout" else self._round_robin
        record = {player: list[float]() for player in players}
        with run.child("tournament", role="verify") as child:
            winner = await form(prompt, scored, record, child)
            shares = {player: sum(won) / len(won) for player, won in record.items() if won}
            if not shares:
                return Choice(None)
            show(shares, child)
        return Choice(winner, shares.get(winner))

    async def _knockout(self, prompt: Prompt, scored: Sequence[Scored], record: Record, run: Run) -> int:
        standing = list(record)
        while len(standing) > 1:
            byes = 2 ** (len(standing) - 1).bit_length() - len(standing)
            pairs = [(standing[at], standing[at + 1]) for at in range(byes, len(standing), 2)]
            results = await play(self.judge, prompt, scored, pairs, record, run)
            standing[byes:] = [_through(*pair, result, record) for pair, result in zip(pairs, results, strict=True)]
        return standing[0]

    async def _round_robin(self, prompt: Prompt, scored: Sequence[Scored], record: Record, run: Run) -> int:
        await play(self.judge, prompt, scored, list(itertools.combinations(record, 2)), record, run)
        return max(record, key=lambda player: _margin(record[player]))


def _through(one: int, other: int, result: float | None, record: Record) -> int:
    """Who of a pair is in the next round; `one` was seen before `other`."""
    if result is None:
        return other if _margin(record[other]) > _margin(record[one]) else one
    return one if result >= 0.5 else other


def _margin(results: Sequence[float]) -> float:
    """Half of wins minus losses: a match that was not decided counts as a tie."""
    return sum(result - 0.5 for result in results)
