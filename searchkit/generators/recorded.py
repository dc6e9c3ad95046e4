"""Recorded: serves stored samples, so that a strategy can be replayed on data that was paid for once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit.calls import CallError
from searchkit.confidence import check_floor
from searchkit.protocols import Run
from searchkit.types import Params, Prompt, Sample


@dataclass(frozen=True)
class Recorded:
    """Sample i of a prompt is `samples[prompt.text][i]`: a `Sample`, or a value that becomes one.

    Raises `CallError` for a prompt that was not recorded and for a sample past the last one: it never repeats samples.
    Parameters are ignored, but for a floor (`CapabilityError`). Cost: one generation a sample, at the recorded usage.
    """

    samples: Mapping[str, Sequence[Any]] = field(repr=False)
    name: str = "recorded"

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        check_floor(params, self)
        return await run.call(self.name, prompt, lambda: self._serve(prompt, run.index))

    async def _serve(self, prompt: Prompt, index: int) -> Sample[Any]:
        stored = self.samples.get(prompt.text)
        if stored is None:
            raise CallError(f"no samples are recorded for the prompt {prompt.text[:60]!r}", kind="bad_request")
        if index >= len(stored):
            raise CallError(
                f"only {len(stored)} samples are recorded for this prompt and sample number {index + 1} was asked for: "
                "record more, or ask for fewer",
                kind="bad_request",
            )
        return stored[index] if isinstance(stored[index], Sample) else Sample(stored[index])
