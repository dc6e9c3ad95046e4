"""Patch votes: of the patches that break least and mend most, the one that most others say, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.answers.programs import syntax_key
from searchkit.errors import ConfigError
from searchkit.mistakes import check_verifier
from searchkit.protocols import Run, Verifier
from searchkit.strategies.selection.rules import Key, Vote, ballot, choose_among
from searchkit.types import Choice, Prompt, Scored


@dataclass(frozen=True)
class PatchVote:
    """The majority, by syntax trees, of the candidates with the best score, and of those the best by `reproduction`.

    The candidates' own scores are the first filter: let the search's verifier run the tests that passed before, so that
    the best score is the fewest of them broken. reproduction: the second one, such as `Reproduces(base)`, tests that
    show what is to be mended; None leaves it out. It is asked about what the first filter has left, and only where that
    is not one patch alone. Truncated candidates, and those without a key, are left out before.

    A filter keeps the best of those that have a score; where none has one it keeps all. So it never leaves nothing, and
    a run of tests that broke counts neither as a pass nor as a failure. Whether the best is good does not matter: where
    all patches fail, the majority of those that fail least is chosen.

    key: what makes two patches one; by default programs, or mappings from paths to texts, by their syntax trees, so
    that comments, blank lines and quotes split no vote. Ties go to the patch seen first. Where no candidate has a key
    the rule chooses nothing. `Choice.score` is the winner's share of the votes that were left.

    Cost: at most a verification by `reproduction` for each candidate, and what it asks; none without it. Where it
    fails, or the budget ends, the vote is over what the first filter left. Source: Agentless (Xia et al. 2024),
    released code (``rerank.py``), where a patch without a result of its tests counts as failing 10,000 of them.

        from searchkit.strategies import BestOfN, PatchVote
        from searchkit.verifiers import Reproduces, UnitTests

        BestOfN(10, UnitTests(regression), select=PatchVote(Reproduces(base)))
    """

    reproduction: Verifier | None = None
    key: Key = syntax_key

    def __post_init__(self) -> None:
        if self.reproduction is not None:
            check_verifier("PatchVote", self.reproduction)
        if not callable(self.key):
            raise ConfigError(f"the key of a patch must be callable, such as syntax_key, got {self.key!r}")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        keys = [ballot(self.key, one.sample, run) for one in scored]
        left = _best({i: scored[i].score for i, key in enumerate(keys) if key is not None})
        if self.reproduction is not None and len({keys[i] for i in left}) > 1:
            left = _best(dict(zip(left, await self._mended(prompt, scored, left, run), strict=True)))
        named = [replace(one, sample=replace(one.sample, value=key)) for one, key in zip(scored, keys, strict=True)]
        return await choose_among(left, Vote(_itself), prompt, named, run)

    async def _mended(
        self, prompt: Prompt, scored: Sequence[Scored], left: Sequence[int], run: Run
    ) -> list[float | None]:
        """The scores by `reproduction`; none where it fails."""
        verifier = self.reproduction
        assert verifier is not None
        try:
            with run.child("reproduction", role="verify") as child:
                found = await child.score(verifier, prompt, [scored[i].sample for i in left])
        except ConfigError:
            raise
        except Exception as error:
            run.fail(error)
            run.note_failure(error)
            return [None] * len(left)
        return [one.score for one in found]


def _itself(key: Any) -> Any:
    return key


def _best(scores: dict[int, float | None]) -> list[int]:
    """Those with the greatest score; all if none has one."""
    known = [score for score in scores.values() if score is not None]
    return [i for i, score in scores.items() if not known or score == max(known)]
