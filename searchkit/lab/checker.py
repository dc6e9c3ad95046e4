"""The lab's verifiers: exact checkers and trained reward models; its problems, and Countdown's answer key for votes."""

from __future__ import annotations

from searchkit.generators.embedded.checkpoint import shipped
from searchkit.lab.arithmetic import Expression, answer
from searchkit.lab.countdown import Puzzle, check, line_operation
from searchkit.lab.reward import EmbeddedReward
from searchkit.types import Problem, Prompt, Verdict
from searchkit.verifiers.predicate import Predicate
from searchkit.verifiers.reward_models.rewards import OutcomeReward, ProcessReward


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


def process_reward(task: str = "countdown") -> ProcessReward:
    """The process reward model that ships for a task: the policy's chance of success after each line, in [0, 1].

    Of a whole solution the last line's counts. Cost: a model call a text, about a millisecond.
    """
    return ProcessReward(EmbeddedReward(shipped(f"{task}-process")), separator="\n")


def outcome_reward(task: str = "countdown") -> OutcomeReward:
    """The outcome reward model that ships for a task: the chance that a whole solution is right, in [0, 1].

    Cost: a model call a text, about a millisecond.
    """
    return OutcomeReward(EmbeddedReward(shipped(f"{task}-outcome")), range=(0.0, 1.0))


def operations(value: str) -> str | None:
    """The operations of a solution in a canonical order, the answer that a vote counts; None if a line has none."""
    found = [line_operation(line) for line in value.strip().split("\n")]
    return None if None in found else " ".join(sorted(op for op in found if op is not None))


def problem(task: Puzzle | Expression) -> Problem:
    """A puzzle or an expression as a problem, named by its prompt. An expression has its value as reference."""
    reference = str(task.value) if isinstance(task, Expression) else None
    return Problem(task.prompt.strip(), Prompt.of(task.prompt), reference)
