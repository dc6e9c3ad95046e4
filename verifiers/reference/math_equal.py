r"""MathEqual: the sample's answer is the same mathematical object as the reference answer, however it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from numbers import Number
from typing import Any, ClassVar

from searchkit.answers import keys
from searchkit.answers.boxes import Several
from searchkit.answers.canonical import canonical
from searchkit.errors import ConfigError, VerifierError
from searchkit.protocols import Run
from searchkit.types import Prompt, Sample, Verdict
from searchkit.verifiers.reference.maths.answer import judge, near, read, unread
from searchkit.verifiers.reference.maths.outcome import Outcome
from searchkit.verifiers.reference.maths.reading import Answer
from searchkit.verifiers.reference.maths.tolerances import Tolerance
from searchkit.verifiers.reference.maths.worker import QUEUE, WITH_MATH_VERIFY
from searchkit.verifiers.reference.referenced import NO_ANSWER, Referenced


@dataclass(frozen=True)
class MathEqual(Referenced[Answer]):
    r"""Passes a sample whose answer equals the reference, fails one that differs, abstains where it cannot tell.

    A sample in which no answer is found fails, as `unread`.

    answer: the key that finds the answer, as for `Exact`. reference: the right answer, or a worked solution in which
    `answer` finds it; None takes the problem's, which wins where both are given. Raises `ConfigError` when bound to a
    problem without a reference, or to one in which no answer is found.

    Trusts: first text and exact rational arithmetic, then sympy in a process of its own, which proves that a difference
    is 0 or shows a point where it is not. Agreement in digits alone is no proof: it abstains (score None, passed None).
    Conventions: units are dropped and never converted; a percent sign on one side only may be a unit or a factor
    1/100; a list without brackets has no order; decimals are exact, so 0.333 is not 1/3. `Verdict.feedback` says why.
    Costs: one verification a sample and no model call; some hundred microseconds of CPU where exact arithmetic decides,
    milliseconds where sympy does, at most 2 seconds for the most hostile text (then its process is killed, and the
    next comparison waits a second or two for another one). sympy's seconds pass in the other process: `Usage` lacks
    them. Fails: on a text in which `answer` finds the wrong thing, and by abstaining on notation that it cannot read.
    What is unknown for lack of time may be decided on a faster machine.

    math_verify: whether to ask the package of that name, in such a process of its own, about answers in notation that
    the parser here cannot read. What it finds equal passes, and the feedback says that it decided: it rounds to six
    decimals and reads ambiguous notation in one way, so this is no proof. What it does not find equal stays unknown.
    Raises `ConfigError` where it is not installed.

    tolerance: how far a number may be from the reference: `Relative(1e-4)`, `Absolute(0.5)` or `Places(2)`; None for
    not at all. It is asked about two real numbers that are not equal, never about lists, and its verdict names it.
    Keys for votes know nothing of it.
    """

    math_verify: bool = False
    tolerance: Tolerance | None = None

    rules: ClassVar[str] = "math_equal:3"  # another number when verdicts change, or journals return old ones

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.math_verify:
            _math_verify()
        if not isinstance(self.tolerance, Tolerance | None):
            raise ConfigError(
                f"MathEqual(tolerance=...) is Relative(1e-4), Absolute(0.5) or Places(2), got {self.tolerance!r:.80}"
            )

    @property
    def key(self) -> str:
        parts = [
            super().key,
            _math_verify() if self.math_verify else "",
            repr(self.tolerance) if self.tolerance else "",
        ]
        return ":".join(filter(None, parts))

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        if self.wanted is None:
            raise VerifierError(self.unbound)
        return [await self._judge(self.wanted, self.find(sample.value)) for sample in samples]

    async def _judge(self, wanted: Answer, found: Answer | None) -> Verdict:
        if found is None:
            return NO_ANSWER
        outcome = judge(wanted, found)
        parsed = wanted.node is not None and found.node is not None
        if outcome.equal is None and (parsed or (self.math_verify and unread(wanted, found))):
            queue = WITH_MATH_VERIFY if self.math_verify else QUEUE
            outcome = await queue.compare(wanted.found, found.found)
        if self.tolerance is not None and not outcome.equal:
            outcome = near(wanted, found, self.tolerance) or outcome
        return _verdict(outcome)

    def read(self, value: Any) -> Answer | None:
        return _read(keys.written(self.answer, value))

    def bare(self, reference: Any) -> Answer | None:
        return _read(reference)

    def spelt(self, wanted: Answer) -> str:
        return wanted.text

    def divided(self, found: Several) -> bool:
        answer = read(found)
        return answer is None or isinstance(answer.found, Several)


def _read(found: Any) -> Answer | None:
    """An agent's number is read as its digits, a tuple or list as a tuple; other values have no maths in them."""
    if isinstance(found, Number):
        found = canonical(found)
    elif isinstance(found, tuple | list) and not isinstance(found, Several):
        found = f"({', '.join(str(canonical(part)) for part in found)})"
    return read(found) if isinstance(found, str | Several) else None


def _math_verify() -> str:
    """Its name and version."""
    try:
        return f"math-verify=={version('math-verify')}"
    except PackageNotFoundError:
        raise ConfigError("MathEqual(math_verify=True) needs math-verify: pip install 'searchkit[math]'") from None


def _verdict(outcome: Outcome) -> Verdict:
    word = {True: "equal", False: "different", None: "unknown"}[outcome.equal]
    return Verdict(passed=outcome.equal, feedback=f"{word}: {outcome.reason}")
