"""What the verifiers share that compare an answer with a reference: how both are found, how the reference is bound."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, ClassVar, Generic, Self, TypeVar

from searchkit.answers import keys
from searchkit.answers.boxes import Several
from searchkit.errors import ConfigError, VerifierError
from searchkit.types import Problem, Verdict
from searchkit.verifiers.base import Independent, identity, label

A = TypeVar("A")
NO_ANSWER = Verdict(passed=False, feedback="no answer was found", unread=True)


@dataclass(frozen=True)
class Referenced(Independent, ABC, Generic[A]):
    """A verifier that knows the right answer.

    answer: the key that finds the answer, see `searchkit.answers.keys`; any callable that returns something hashable.
    reference: the right answer, or a worked solution in which `answer` finds it; None takes the problem's, which wins
    where both are given. Raises `ConfigError` when bound to a problem without a reference, or to one in which no answer
    is found.
    """

    answer: keys.Key = keys.default
    reference: Any = None
    wanted: A | None = field(init=False, repr=False, compare=False, default=None)

    rules: ClassVar[str]  # the beginning of its identity

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0)

    @property
    def calls(self) -> int:
        return 0

    @property
    def oracle(self) -> bool:
        return True

    def __post_init__(self) -> None:
        if not callable(self.answer):
            name = type(self).__name__
            raise ConfigError(f"{name}(answer=...) must be a callable such as keys.boxed, got {self.answer!r}")
        if self.reference is not None:
            object.__setattr__(self, "wanted", self._wanted())

    @property
    def key(self) -> str:
        """Identity: the answer key's name and a digest of the reference's answer."""
        spelt = None if self.wanted is None else self.spelt(self.wanted)
        return f"{self.rules}:{identity(self.answer)}:{blake2b(repr(spelt).encode(), digest_size=16).hexdigest()}"

    def bind(self, problem: Problem) -> Self:
        """The same check against `problem.reference`."""
        if problem.reference is not None:
            return replace(self, reference=problem.reference)
        if self.reference is None:
            raise ConfigError(self.unbound)
        return self

    @property
    def unbound(self) -> str:
        name = type(self).__name__
        return f"{name} needs a reference: pass Problem(id, prompt, reference=...) or {name}(reference=...)"

    @abstractmethod
    def read(self, value: Any) -> A | None:
        """The answer that `answer` finds in a sample's value."""

    @abstractmethod
    def bare(self, reference: Any) -> A | None:
        """A reference that is nothing but the answer."""

    @abstractmethod
    def spelt(self, wanted: A) -> Any:
        """What the identity of an answer is made of."""

    def divided(self, found: Several) -> bool:
        """Whether the several answers of a reference differ, so that it is unclear which one is right."""
        return True

    def find(self, value: Any) -> A | None:
        """The answer of a sample, or None. Raises `VerifierError`, naming the key, if that raises."""
        try:
            return self.read(value)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise VerifierError(f"the answer key {label(self.answer)} raised {reason}") from error

    def _wanted(self) -> A:
        """A bare reference such as "42" need not carry the marker that samples must carry."""
        extracted = isinstance(self.answer, keys.Extractor | keys.FirstOf)
        found = keys.written(self.answer, self.reference) if extracted else None
        if isinstance(found, Several) and self.divided(found):
            raise ConfigError(
                f"the reference gives several answers, {' and '.join(found)!r:.120}: pass the bare answer"
            )
        wanted = self.find(self.reference)
        if wanted is None and isinstance(self.answer, keys.Extractor | keys.FirstOf):
            wanted = self.bare(self.reference)
        if wanted is None:
            raise ConfigError(f"there is no answer in the reference {str(self.reference)[:80]!r}: pass the bare answer")
        return wanted
