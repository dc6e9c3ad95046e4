"""An answer of a server before it is read: what it cost to get it, and what it was given without."""

from __future__ import annotations

from dataclasses import dataclass, replace

from searchkit.types import Sample, Usage


@dataclass(frozen=True)
class Answer:
    """The body of a successful answer.

    refused: what attempts before it cost, and nobody was told yet (`Request.unmetered`). left_out: fields that the
    server was seen to refuse, and that were not sent.
    """

    body: bytes
    refused: Usage = Usage()
    left_out: tuple[str, ...] = ()

    def recorded(self, drawn: list[Sample[str]]) -> list[Sample[str]]:
        """The samples of this answer, saying so; the first carries the cost."""
        if not self.left_out:
            return drawn
        first, *rest = (replace(sample, left_out=self.left_out) for sample in drawn)
        return [replace(first, usage=first.usage + self.refused), *rest]
