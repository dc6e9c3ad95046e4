"""Preflight: a short request before many, to learn in seconds what would make all of them fail or mean less.

It says whether the server is up, has the model, takes the fields that are sent, honours seeds and gives
log-probabilities. `searchkit sweep` asks so before its first search.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from searchkit.calls import CallError, Request
from searchkit.generators.openai.backend import OpenAI
from searchkit.generators.openai.probe import QUESTION
from searchkit.types import Params, Prompt, Sample

MOST_TOKENS = 16
_REFUSED = re.compile("refused|Connect call failed", re.IGNORECASE)
_EVERY = 0.5  # seconds between two looks at a server that is starting


@dataclass(frozen=True)
class Ready:
    """What a server was found to do.

    - seconds: until it answered, waiting for it included.
    - seed: whether equal seeds give equal texts and others do not; None where it was not asked or cannot be told.
    - varies: whether another seed gave another text; None where it was not asked. A model that is sure gives the same.
    - logprobs: whether log-probabilities came with the answer; None where they were not asked for.
    - left_out: fields that it refuses and that are sent no more.
    """

    seconds: float
    seed: bool | None = None
    varies: bool | None = None
    logprobs: bool | None = None
    left_out: tuple[str, ...] = ()


async def preflight(
    backend: OpenAI,
    params: Params | None = None,
    prompt: Prompt | None = None,
    *,
    wait: float = 20.0,
    loading: float = 900.0,
    told: Callable[[float, str], object] | None = None,
) -> Ready:
    """Whether the server answers a request with these parameters, and what it honours. Raises `CallError` if it fails.

    - params: as they will be sent, but for at most 16 tokens and no floor; None is `Params()`.
    - prompt: that is asked; None is a question about random digits.
    - wait: seconds for which a server that takes no connection is waited for: it may be starting.
    - loading: seconds for which one is waited for that says it is not ready (503), as llama.cpp while it loads.
    - told: called with the seconds so far and why it is waited for, about twice a second.

    Cost: one request of at most 16 tokens, which counts in no budget; two more to learn whether seeds hold, unless the
    temperature is 0.

    >>> from searchkit.testing.server import Server
    >>> with Server() as server:
    ...     ready = asyncio.run(preflight(OpenAI(server.url, "test-model"), Params(logprobs=2)))
    >>> ready.seed, ready.logprobs
    (True, True)
    """
    asked = prompt or Prompt.of(QUESTION)
    sent = params or Params()
    sent = replace(sent, max_tokens=min(sent.max_tokens or MOST_TOKENS, MOST_TOKENS), floor=None)
    began = time.monotonic()
    while isinstance(found := await _draw(backend, asked, sent, 1), CallError):
        passed, patience = time.monotonic() - began, _patience(found, wait, loading)
        if passed + _EVERY > patience:
            raise found
        if told is not None:
            told(passed, str(found))
        await asyncio.sleep(_EVERY)
    seconds = time.monotonic() - began
    logprobs = None if sent.logprobs is None else bool(found.logprobs)
    seed, varies = (None, None) if sent.temperature == 0 else await _seeds(backend, asked, sent, found)
    return Ready(seconds, seed, varies, logprobs, found.left_out)


async def _draw(backend: OpenAI, prompt: Prompt, params: Params, seed: int) -> Sample[str] | CallError:
    [found] = await backend.complete([Request(prompt, params, seed)])
    return found


def _patience(error: CallError, wait: float, loading: float) -> float:
    """Seconds for which a server that fails so is waited for."""
    if error.kind == "connection":  # one that nobody knows will not start
        return wait if not error.lasting or _REFUSED.search(str(error)) else 0.0
    return loading if error.kind == "rate_limit" and "(503)" in str(error) else 0.0


async def _seeds(
    backend: OpenAI, prompt: Prompt, params: Params, first: Sample[str]
) -> tuple[bool | None, bool | None]:
    """As `Ready.seed` and `Ready.varies`."""
    again, other = await asyncio.gather(*(_draw(backend, prompt, params, seed) for seed in (1, 2)))
    if isinstance(again, CallError) or isinstance(other, CallError):
        return None, None
    varies = other.text != first.text
    return (False if again.text != first.text else True if varies else None), varies
