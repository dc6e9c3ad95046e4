"""Model: the generator around any backend."""

from __future__ import annotations

from dataclasses import dataclass

from searchkit.calls import Request
from searchkit.mistakes import check_backend, check_params
from searchkit.protocols import Backend, Run
from searchkit.types import Params, Prompt, Sample


@dataclass(frozen=True)
class Model:
    """Samples from `backend` with `params`, unless the caller of `generate` gives others.

    Cost: one model call a sample. Raises `CapabilityError` if the parameters have a floor that `backend` cannot honour.
    """

    backend: Backend
    params: Params = Params()

    def __post_init__(self) -> None:
        check_backend("Model", self.backend)
        check_params(self.params)

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[str]:
        chosen = params if params is not None else self.params
        return await run.complete(self.backend, Request(prompt, chosen, run.seed, run.index))
