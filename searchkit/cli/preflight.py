"""Before a sweep: whether its servers answer, with a bar while one is starting."""

from __future__ import annotations

import asyncio
import sys
import warnings
from typing import Any

from searchkit.calls import CallError
from searchkit.cli.sweep_config import Config
from searchkit.errors import SearchWarning
from searchkit.generators.openai.backend import OpenAI
from searchkit.generators.openai.preflight import Ready, preflight
from searchkit.kinds import backends_in


def check(config: Config, wait: float) -> None:
    """Ask each server of a sweep once, unless its results are all there. One line for each.

    Raises `CallError`. Of several servers of one model some may be down, as they may while the sweep runs.
    """
    from searchkit.experiments.sweep.rows import RESULTS

    if (config.out / RESULTS).exists():
        return
    prompt, down = config.sweep.problems[0].prompt, list[CallError]()
    for endpoint in config.sweep.generators:
        servers = [backend for backend in backends_in(endpoint) if isinstance(backend, OpenAI)]
        for backend in servers:
            try:
                ready = asyncio.run(_one(backend, endpoint, prompt, wait))
            except CallError as error:
                down.append(error)
                if error.kind != "connection" or len(down) == len(servers):
                    raise
                print(f"{error}: the others are asked for now", file=sys.stderr)
            else:
                print(told(backend, ready), file=sys.stderr)


async def _one(backend: OpenAI, endpoint: Any, prompt: Any, wait: float) -> Ready:
    with _Waiting(wait) as waiting, warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)  # of fields that it refuses: the line says so
        return await preflight(backend, endpoint.params, prompt, wait=wait, told=waiting)


def told(backend: OpenAI, ready: Ready) -> str:
    """One line on what a server does."""
    parts = [f"{backend.base_url} answers after {ready.seconds:.1f} s with {backend.model}"]
    if ready.seed is not None:
        parts.append("seeds hold" if ready.seed else "seeds do not hold: no sample can be drawn again")
    elif ready.varies is False:
        parts.append("3 samples are one text: the model is sure, or it does not sample")
    if ready.logprobs is not None:
        parts.append("log-probabilities come" if ready.logprobs else "no log-probabilities come")
    if ready.left_out:
        parts.append(f"refuses {', '.join(ready.left_out)}, left out from now on (extras = false says so beforehand)")
    return "; ".join(parts)


class _Waiting:
    """A bar of the seconds for which a server is waited for, from the first one on."""

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._bar: Any = None

    def __enter__(self) -> _Waiting:
        return self

    def __call__(self, seconds: float, why: str) -> None:
        from searchkit.engine.progress import bar

        if self._bar is None:
            print(f"waiting for a server: {why}", file=sys.stderr)
            self._bar = bar(round(self._wait), "s", form="{l_bar}{bar}| {n}/{total} s")
        self._bar.update(min(round(seconds), self._bar.total) - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
