"""A second opinion on finished answers: what is searched with need not be all that chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from searchkit.errors import BudgetExhausted, VerifierError
from searchkit.protocols import Run, Selector, Verifier
from searchkit.strategies.common.checks import check_method, check_verifier
from searchkit.strategies.selection.rules import Argmax
from searchkit.types import Choice, Prompt, Scored, Verdict


@dataclass(frozen=True)
class Rerank:
    """Asks a second verifier about the finished answers; what an answer scores is then the product of both scores.

    - verifier: such as an outcome reward model, where a process reward model has led the search. Its scores, and those
      of the search, must be 0 or more: were both chances of being right, by evidence of their own, the product would
      rank answers by both. A constant changes nothing.
    - inner: chooses by the products, such as ``Vote(key, weighted=True)``.

    A search finds what its own verifier likes, and with it that verifier's mistakes; another one makes others.
    An answer of which either abstains abstains; of one that had no score nothing is asked. Where the second verifier
    fails at all of them, or the budget ends before it is done, the first scores choose: a search under a ceiling on
    verifications or model calls has spent it by then, so limit such a search by `iterations` or by generated tokens.

    Cost: one verification a finished answer, and what the verifier asks. Raises `VerifierError` for negative scores.

        from searchkit.strategies import BestFirst, Rerank, Vote

        BestFirst(process_reward, select=Rerank(outcome_reward, Vote(weighted=True)))
    """

    verifier: Verifier
    inner: Selector = Argmax()

    def __post_init__(self) -> None:
        check_verifier("Rerank", self.verifier)
        check_method("the inner rule of a Rerank", self.inner, "select", "Argmax() or Vote()")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        asked = [i for i, candidate in enumerate(scored) if candidate.score is not None]

        async def judged(index: int, child: Run) -> float | None:
            [found] = await child.score(self.verifier, prompt, [scored[index].sample])
            return found.score

        with run.child("rerank", role="verify") as judging:
            outcomes = await judging.map(judged, asked, name="answer")
        failures = [outcome.error for outcome in outcomes if outcome.error is not None]
        for failure in failures:
            run.note_failure(failure)
        if len(failures) < len(asked) and not any(isinstance(failure, BudgetExhausted) for failure in failures):
            scored = list(scored)
            for index, outcome in zip(asked, outcomes, strict=True):
                scored[index] = _both(scored[index], outcome.value)
        return await self.inner.select(prompt, scored, run)


def _both(candidate: Scored, second: float | None) -> Scored:
    """`candidate` with the product of the two scores; an abstaining verdict where one of them is missing."""
    if candidate.score is None or second is None:
        return replace(candidate, verdict=Verdict())
    if candidate.score < 0 or second < 0:
        raise VerifierError(
            f"Rerank multiplies scores, which must be >= 0, got {candidate.score} and {second}: shift them, or take "
            "sigmoid=True of a reward model"
        )
    both = replace(candidate.verdict, score=candidate.score * second, standard_error=None)
    return replace(candidate, verdict=both)
