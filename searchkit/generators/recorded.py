"""Recorded: serves stored samples, so that a strategy can be replayed on data that was paid for once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from searchkit import codec
from searchkit.calls import CallError
from searchkit.confidence import check_floor
from searchkit.protocols import Run
from searchkit.types import Params, Prompt, Sample

_MARK = "#"


@dataclass(frozen=True)
class Recorded:
    """Sample i of a prompt is `samples[prompt.text][i]`: a `Sample`, or a value that becomes one.

    Raises `CallError` for a prompt that was not recorded and for a sample past the last one: it never repeats samples.
    Parameters are ignored, but for a floor (`CapabilityError`). name: what it is called, to which a digest of the
    samples is added, as they are now, so that a journal tells others from these. Cost: one generation a sample, at the
    recorded usage; the samples are read once when it is made.
    """

    samples: Mapping[str, Sequence[Any]] = field(repr=False)
    name: str = "recorded"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.name.partition(_MARK)[0]}{_MARK}{_digest(self.samples)}")

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
        return _sample(stored[index])


def _sample(stored: Any) -> Sample[Any]:
    return stored if isinstance(stored, Sample) else Sample(stored)


def _digest(samples: Mapping[str, Sequence[Any]]) -> str:
    """16 letters that name what is served: prompts in any order, the samples of each in theirs."""
    digest = blake2b(digest_size=8)
    for prompt in sorted(samples):
        served = [codec.content_of(_sample(one)) for one in samples[prompt]]
        for part in (prompt.encode("utf-8", "surrogatepass"), len(served).to_bytes(8, "big"), *served):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
