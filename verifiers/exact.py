"""Exact: the sample's answer equals the reference answer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, ClassVar

from searchkit.errors import ConfigError, VerifierError
from searchkit.run import Run
from searchkit.types import Problem, Prompt, Sample, Verdict
from searchkit.verifiers import keys
from searchkit.verifiers.base import Independent, identity, label
from searchkit.verifiers.canonical import canonical

UNBOUND = "Exact needs a reference: pass Problem(id, prompt, reference=...) or Exact(reference=...)"


@dataclass(frozen=True)
class Exact(Independent):
    """Passes a sample whose answer key equals the reference's; a sample without an answer fails.

    answer: the key that finds the answer, see `searchkit.verifiers.keys`; any callable that returns something hashable.
    reference: the right answer, or a worked solution in which `answer` finds it; None takes the problem's, which wins
    where both are given. Raises `ConfigError` when bound to a problem without a reference, or to one in which no answer
    is found. Cost: microseconds of CPU, no model call.
    """

    answer: keys.Key = keys.default
    reference: Any = None
    wanted: Hashable | None = field(init=False, repr=False, compare=False, default=None)

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not callable(self.answer):
            raise ConfigError(f"Exact(answer=...) must be a callable such as keys.boxed, got {self.answer!r}")
        if self.reference is not None:
            object.__setattr__(self, "wanted", self._key_of_reference())

    @property
    def key(self) -> str:
        """Identity: the answer key's name and a digest of the reference's key."""
        return f"exact:{identity(self.answer)}:{blake2b(repr(self.wanted).encode(), digest_size=16).hexdigest()}"

    def bind(self, problem: Problem) -> Exact:
        """The same check against `problem.reference`."""
        if problem.reference is not None:
            return replace(self, reference=problem.reference)
        if self.reference is None:
            raise ConfigError(UNBOUND)
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        if self.wanted is None:
            raise VerifierError(UNBOUND)
        return [self._judge(self._find(sample.value)) for sample in samples]

    def _judge(self, found: Hashable | None) -> Verdict:
        if found is None:
            return Verdict(passed=False, feedback="no answer was found")
        return Verdict(passed=found == self.wanted, feedback="" if found == self.wanted else "the answer is wrong")

    def _key_of_reference(self) -> Hashable:
        """A bare reference such as "42" need not carry the marker that samples must carry."""
        wanted = self._find(self.reference)
        if wanted is None and isinstance(self.answer, keys.Extractor | keys.FirstOf):
            wanted = canonical(self.reference)
        if wanted is None:
            raise ConfigError(f"there is no answer in the reference {str(self.reference)[:80]!r}: pass the bare answer")
        return wanted

    def _find(self, value: Any) -> Hashable | None:
        try:
            return self.answer(value)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise VerifierError(f"the answer key {label(self.answer)} raised {reason}") from error
