"""Countdown's exact checker as a verifier, and its answer key for votes."""

from __future__ import annotations

from searchkit.lab.countdown import Puzzle, check, line_operation
from searchkit.types import Problem, Prompt, Verdict
from searchkit.verifiers.predicate import Predicate


def judge(prompt: Prompt, value: str) -> Verdict:
    """Passed if `value` replays to the target of the puzzle in `prompt`; the feedback says why not."""
    reason = check(Puzzle.parse(prompt.text), value)
    return Verdict(passed=not reason, feedback=reason)


CHECKER = Predicate(judge, name="countdown")


def operations(value: str) -> str | None:
    """The operations of a solution in a canonical order, the answer that a vote counts; None if a line has none."""
    found = [line_operation(line) for line in value.strip().split("\n")]
    return None if None in found else " ".join(sorted(op for op in found if op is not None))


def problem(puzzle: Puzzle) -> Problem:
    """`puzzle` as a problem, named by its prompt."""
    return Problem(puzzle.prompt.strip(), Prompt.of(puzzle.prompt))
