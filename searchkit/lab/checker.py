"""The exact checkers of the lab's tasks as verifiers, their problems, and Countdown's answer key for votes."""

from __future__ import annotations

from searchkit.lab.arithmetic import Expression, answer
from searchkit.lab.countdown import Puzzle, check, line_operation
from searchkit.types import Problem, Prompt, Verdict
from searchkit.verifiers.predicate import Predicate


def judge(prompt: Prompt, value: str) -> Verdict:
    """Passed if `value` replays to the target of the puzzle in `prompt`; the feedback says why not."""
    reason = check(Puzzle.parse(prompt.text), value)
    return Verdict(passed=not reason, feedback=reason)


def judge_answer(prompt: Prompt, value: str) -> Verdict:
    """Passed if the last line of `value` is what the expression in `prompt` comes to, however it was reached."""
    found, right = answer(value), str(Expression.parse(prompt.text).value)
    reason = "no answer" if found is None else "" if found == right else f"{found} is wrong"
    return Verdict(passed=not reason, feedback=reason)


CHECKER = Predicate(judge, name="countdown")
ARITHMETIC = Predicate(judge_answer, name="arithmetic")


def operations(value: str) -> str | None:
    """The operations of a solution in a canonical order, the answer that a vote counts; None if a line has none."""
    found = [line_operation(line) for line in value.strip().split("\n")]
    return None if None in found else " ".join(sorted(op for op in found if op is not None))


def problem(task: Puzzle | Expression) -> Problem:
    """A puzzle or an expression as a problem, named by its prompt. An expression has its value as reference."""
    reference = str(task.value) if isinstance(task, Expression) else None
    return Problem(task.prompt.strip(), Prompt.of(task.prompt), reference)
