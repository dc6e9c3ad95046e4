"""What the tests of judges share: verdicts through a real run, and scripted models that compare two answers."""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit.calls import Request
from searchkit.engine.run import Run, Search
from searchkit.testing.doubles import Scripted
from searchkit.types import Budget, Problem, Prompt, Sample, Token, Usage, Verdict

PROMPT = Prompt.of("How much is 6 * 7?")
FENCE = re.compile(r"`{3,}")


def judged(verifier: Any, *answers: str, reference: Any = None, **options: Any) -> tuple[list[Verdict], Usage, Search]:
    """Verdicts on answers, what was charged for them, and the search."""

    async def go() -> list[Verdict]:
        run = Run.root(search, 0, Budget())
        scored = await run.score(verifier, PROMPT, [Sample(answer) for answer in answers])
        assert all(candidate.sample.text in answers for candidate in run.frame.candidates())
        return [one.verdict for one in scored]

    search = Search(Problem("p", PROMPT, reference), **options)
    return asyncio.run(go()), search.usage, search


def fences(text: str) -> tuple[str, list[str]]:
    """A text without what stands in fences, and that: as a reader of Markdown sees it, written without `fenced`."""
    outside, inside, fence = list[str](), list[list[str]](), ""
    for line in text.split("\n"):
        if fence:
            fence = "" if line == fence else fence
            if fence:
                inside[-1].append(line)
        elif FENCE.fullmatch(line):
            fence = line
            inside.append([])
        else:
            outside.append(line)
    assert not fence, "a fence is not closed"
    return "\n".join(outside), ["\n".join(lines) for lines in inside]


def says(**fields: Any) -> str:
    """A judge's reply."""
    return json.dumps({"reasoning": "so", **fields})


def comparing(prefer: Callable[[str, str, Request], str], otherwise: str = "an answer") -> Scripted:
    """A backend that says `prefer(first, second, request)` of two answers, and writes answers when not asked that."""

    def reply(request: Request) -> str:
        question, found = fences(request.prompt.text)
        if "Which answer is better" not in question:
            return f"{otherwise} {request.seed % 5}"
        return says(better=prefer(found[0], found[1], request))

    return Scripted(reply)


def greater(first: str, second: str, request: Request) -> str:
    """Knows the true order: the greater number, else the later word, is better."""
    return "tie" if first == second else "A" if rank(first) > rank(second) else "B"


def rank(text: str) -> float:
    return float(text.split()[-1])


@dataclass(frozen=True)
class Grading:
    """A judge of known noise: a call's seed picks its reasons, then a letter from what these reasons make of it.

    reasons: of the question's text, (probability, letter -> probability) of each train of thought. top: how many rivals
    a token lists, None for a server that gives no log-probabilities.
    """

    reasons: Callable[[str], Sequence[tuple[float, Mapping[str, float]]]]
    top: int | None = 20
    seen: list[Request] = field(default_factory=list, compare=False)
    name: str = "grading"

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        self.seen.extend(requests)
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Sample[str]:
        rng, trains = random.Random(request.seed), self.reasons(request.prompt.text)
        at = rng.choices(range(len(trains)), [weight for weight, _ in trains])[0]
        shares = trains[at][1]
        letter = rng.choices(list(shares), list(shares.values()))[0]
        text = f"These are reasons {at}.\nScore: {letter}"
        usage = Usage(model_calls=1, prompt_tokens=len(request.prompt.text) // 4, generated_tokens=6)
        return Sample(text, logprobs=self._tokens(at, letter, shares, request), usage=usage)

    def _tokens(self, at: int, letter: str, shares: Mapping[str, float], request: Request) -> tuple[Token, ...] | None:
        if self.top is None or not request.params.logprobs:
            return None
        ranked = sorted(shares.items(), key=lambda one: -one[1])[: min(self.top, request.params.logprobs)]
        last = Token(f" {letter}", math.log(shares[letter]), tuple((f" {x}", math.log(p)) for x, p in ranked if p))
        words = ("These", " are", " reasons", f" {at}", ".", "\n", "Score", ":")
        return (*(Token(word, 0.0) for word in words), last, Token("<|im_end|>", 0.0))
