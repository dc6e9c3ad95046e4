"""Exact: the sample's answer equals the reference answer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from searchkit.answers import keys
from searchkit.answers.canonical import canonical
from searchkit.errors import VerifierError
from searchkit.protocols import Run
from searchkit.types import Prompt, Sample, Verdict
from searchkit.verifiers.reference.referenced import NO_ANSWER, Referenced


@dataclass(frozen=True)
class Exact(Referenced[Hashable]):
    """Passes a sample whose answer key equals the reference's; a sample without an answer fails, as `unread`.

    answer: the key that finds the answer, see `searchkit.answers.keys`; any callable that returns something hashable.
    reference: the right answer, or a worked solution in which `answer` finds it; None takes the problem's, which wins
    where both are given. Raises `ConfigError` when bound to a problem without a reference, or to one in which no answer
    is found. Cost: microseconds of CPU, no model call.
    """

    rules: ClassVar[str] = "exact:3"  # another number when keys find other answers, or journals return old verdicts

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        if self.wanted is None:
            raise VerifierError(self.unbound)
        return [self._judge(self.find(sample.value)) for sample in samples]

    def _judge(self, found: Hashable | None) -> Verdict:
        if found is None:
            return NO_ANSWER
        return Verdict(passed=found == self.wanted, feedback="" if found == self.wanted else "the answer is wrong")

    def read(self, value: Any) -> Hashable | None:
        return self.answer(value)

    def bare(self, reference: Any) -> Hashable | None:
        return self.answer.settle(reference) if isinstance(self.answer, keys.Extractor) else canonical(reference)

    def spelt(self, wanted: Hashable) -> Hashable:
        return wanted
