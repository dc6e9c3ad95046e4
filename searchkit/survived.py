"""What a search survived: how many of its attempts and verdicts failed, read from its trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from searchkit.trace import Span


@dataclass(frozen=True, slots=True)
class Survived:
    """attempts: calls of models and callables that generate, each with all its retries, as the budget counts
    generations; those that a callable makes inside its own call belong to it. verdicts: verifications, as the budget
    counts them. What was cancelled, or ended by the budget, counts in neither. first: the first error of each kind.
    """

    attempts: int
    failed: int
    first_failed: str
    verdicts: int
    unjudged: int
    first_unjudged: str

    @property
    def warning(self) -> str:
        """One sentence, if the answer rests on what was left: over half of the attempts failed, or all verdicts."""
        said = []
        if 2 * self.failed > self.attempts:
            said.append(f"{self.failed} of {self.attempts} attempts failed, the first with {self.first_failed}")
        if 0 < self.verdicts == self.unjudged:
            said.append(f"all verdicts failed ({self.unjudged}), the first with {self.first_unjudged}")
        return "; ".join(said)


def survived(trace: Span) -> Survived:
    """What failed in the search with this trace."""
    ended = list(_ended(trace))
    attempts = [(s, 1) for s in ended if s.usage.generations]
    verdicts = [(s, s.usage.verifications) for s in ended if s.usage.verifications]
    return Survived(*_failures(attempts), *_failures(verdicts))


def any_failed(trace: Span) -> bool:
    """Whether anything failed at all: far quicker to see than what, and mostly the end of it."""
    stack = [trace]
    while stack:
        span = stack.pop()
        if span.status == "error":
            return True
        stack += span.children
    return False


def _failures(counted: Iterable[tuple[Span, int]]) -> tuple[int, int, str]:
    """How many there are, how many of them failed, and the first error."""
    counted = list(counted)
    failed = [(span, n) for span, n in counted if span.status == "error"]
    return sum(n for _, n in counted), sum(n for _, n in failed), failed[0][0].error if failed else ""


def _ended(trace: Span) -> Iterator[Span]:
    """The outermost spans that were charged as an attempt or as verdicts, in program order."""
    stack = [trace]
    while stack:
        span = stack.pop()
        if span.status == "cancelled" or span.error.startswith("BudgetExhausted"):
            continue
        if span.usage.generations or span.usage.verifications:
            yield span
        if span.children and not span.usage.verifications:  # what a judge asks is part of its verdict
            stack.extend(reversed(list(_outer(span))))


def _outer(parent: Span) -> Iterator[Span]:
    """The children of `parent`, without those that began inside the call of a sibling: an agent's own calls.

    An agent is handed the run in which it is called, so what it asks for stands beside its call, not below it.
    """
    until = 0.0
    for child in parent.children:
        if parent.kind != "group" and child.began < until:
            continue
        if child.usage.generations:
            until = child.ended
        yield child
