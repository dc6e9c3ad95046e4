"""How far two backends agree on greedy texts: equal but for near ties, equal log-probabilities. Prints nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.calls import Request
from searchkit.protocols import Backend
from searchkit.types import Params, Prompt, Sample

GREEDY = Params(temperature=0.0, max_tokens=100, logprobs=2)  # a completions route without max_tokens stops at 16


@dataclass(frozen=True)
class Agreement:
    """Of `texts` pairs, `equal` are the same token for token; the others first differ where the gap was `gaps`.

    gaps: difference of the log-probabilities (so of the logits) of the two best tokens there, as the first backend has
    them. tokens: compared before any difference; worst: the greatest difference of their log-probabilities.
    """

    texts: int
    equal: int
    gaps: tuple[float, ...]
    tokens: int
    worst: float


async def greedy(backend: Backend, prompts: Sequence[str], at_once: int = 32) -> list[Sample[str]]:
    """Greedy samples with the two best tokens at each position; what failed is asked once more. Raises the first error
    of that: a backend alone repeats nothing, and a server on a busy machine may drop a connection."""
    requests, found = [Request(Prompt.of(text), GREEDY, i) for i, text in enumerate(prompts)], list[Sample[str]]()
    for i in range(0, len(requests), at_once):
        asked = requests[i : i + at_once]
        for request, entry in zip(asked, await backend.complete(asked), strict=True):
            if not isinstance(entry, Sample):
                [entry] = await backend.complete([request])
            if not isinstance(entry, Sample):
                raise entry
            found.append(entry)
    return found


def compare(ours: Sequence[Sample[str]], theirs: Sequence[Sample[str]]) -> Agreement:
    """Token by token until the first difference. The end token, which has a text over HTTP alone, is the last."""
    equal, gaps, tokens, worst = 0, list[float](), 0, 0.0
    for a, b in zip(ours, theirs, strict=True):
        rows = list(zip(a.logprobs or (), b.logprobs or (), strict=False))
        last = len(rows) - 1 if len(a.logprobs or ()) == len(b.logprobs or ()) else None
        for i, (x, y) in enumerate(rows):
            if x.text != y.text and not (i == last and a.finish == b.finish == "stop" and "" in (x.text, y.text)):
                gaps.append(x.top[0][1] - x.top[1][1])
                break
            tokens += 1
            worst = max(worst, abs(x.logprob - y.logprob))
        else:
            equal += (a.text, a.finish) == (b.text, b.finish)
    return Agreement(len(ours), equal, tuple(gaps), tokens, worst)


def agreement(ours: Backend, theirs: Backend, prompts: Sequence[str]) -> Agreement:
    """`compare` of what both write."""

    async def both() -> Agreement:
        return compare(await greedy(ours, prompts), await greedy(theirs, prompts))

    return asyncio.run(both())
