r"""MathEqual: the sample's answer is the same mathematical object as the reference answer, however it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from numbers import Number
from typing import Any, ClassVar

from searchkit.errors import ConfigError, VerifierError
from searchkit.run import Run
from searchkit.types import Problem, Prompt, Sample, Verdict
from searchkit.verifiers import keys
from searchkit.verifiers.base import Independent, identity, label
from searchkit.verifiers.canonical import canonical
from searchkit.verifiers.maths.answer import Answer, judge, read
from searchkit.verifiers.maths.compare import Outcome
from searchkit.verifiers.maths.worker import QUEUE

UNBOUND = "MathEqual needs a reference: pass Problem(id, prompt, reference=...) or MathEqual(reference=...)"
_RULES = 1  # part of the identity: change it when verdicts change, so that journals do not return old ones


@dataclass(frozen=True)
class MathEqual(Independent):
    r"""Passes a sample whose answer equals the reference, fails one that differs, abstains where it cannot tell.

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
    """

    answer: keys.Key = keys.default
    reference: Any = None
    wanted: Answer | None = field(init=False, repr=False, compare=False, default=None)

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not callable(self.answer):
            raise ConfigError(f"MathEqual(answer=...) must be a callable such as keys.boxed, got {self.answer!r}")
        if self.reference is not None:
            object.__setattr__(self, "wanted", self._wanted())

    @property
    def key(self) -> str:
        """Identity: the answer key's name and a digest of the reference's answer."""
        text = None if self.wanted is None else self.wanted.text
        digest = blake2b(repr(text).encode(), digest_size=16).hexdigest()
        return f"math_equal:{_RULES}:{identity(self.answer)}:{digest}"

    def bind(self, problem: Problem) -> MathEqual:
        """The same check against `problem.reference`."""
        if problem.reference is not None:
            return replace(self, reference=problem.reference)
        if self.reference is None:
            raise ConfigError(UNBOUND)
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        if self.wanted is None:
            raise VerifierError(UNBOUND)
        return [await self._judge(self.wanted, self._find(sample.value)) for sample in samples]

    async def _judge(self, wanted: Answer, found: Answer | None) -> Verdict:
        if found is None:
            return Verdict(passed=False, feedback="no answer was found")
        outcome = judge(wanted, found)
        if outcome.equal is None and wanted.node is not None and found.node is not None:
            outcome = await QUEUE.compare(wanted.text, found.text)
        return _verdict(outcome)

    def _wanted(self) -> Answer:
        """A bare reference such as "42" need not carry the marker that samples must carry."""
        wanted = self._find(self.reference)
        if wanted is None and isinstance(self.answer, keys.Extractor | keys.FirstOf):
            wanted = _read(self.reference)
        if wanted is None:
            raise ConfigError(f"there is no answer in the reference {str(self.reference)[:80]!r}: pass the bare answer")
        return wanted

    def _find(self, value: Any) -> Answer | None:
        try:
            return _read(keys.written(self.answer, value))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise VerifierError(f"the answer key {label(self.answer)} raised {reason}") from error


def _read(found: Any) -> Answer | None:
    """An agent's number is read as its digits, a tuple or list as a tuple; other values have no maths in them."""
    if isinstance(found, Number):
        found = canonical(found)
    elif isinstance(found, tuple | list):
        found = f"({', '.join(str(canonical(part)) for part in found)})"
    return read(found) if isinstance(found, str) else None


def _verdict(outcome: Outcome) -> Verdict:
    word = {True: "equal", False: "different", None: "unknown"}[outcome.equal]
    return Verdict(passed=outcome.equal, feedback=f"{word}: {outcome.reason}")
