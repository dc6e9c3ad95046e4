"""TextSteps: what a step-wise search sends, as text and as token ids."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from searchkit import Model, Params, Result, solve
from searchkit.calls import Request
from searchkit.environments import TextSteps
from searchkit.environments.text_steps import _stopping
from searchkit.generators import Embedded
from searchkit.lab.countdown import Countdown
from searchkit.strategies import BeamSearch
from searchkit.types import Prompt
from searchkit.verifiers import Predicate

PUZZLE = Countdown().puzzles(1, "dev")[0].prompt


@dataclass(frozen=True)
class Watched:
    """The embedded model; remembers what it was asked, and does not tell tokens where `told` is False."""

    told: bool = True
    name: str = "watched"
    asked: list[Prompt] = field(default_factory=list)
    backend: Embedded = field(default_factory=Embedded)

    async def complete(self, requests: Sequence[Request]) -> list[Any]:
        self.asked.extend(request.prompt for request in requests)
        answers = await self.backend.complete(requests)
        return answers if self.told else [replace(answer, token_ids=None) for answer in answers]


def search(backend: Watched, prompt: str | Prompt = PUZZLE) -> Result[Any]:
    beam = BeamSearch(8, 4, Predicate(lambda prompt, text: "*" in text, name="times"), TextSteps())
    return asyncio.run(solve(prompt, beam, generator=Model(backend, Params(max_tokens=40))))


def test_steps_are_continued_with_the_tokens_that_were_drawn() -> None:
    """Behind the first step every request has the tokens of its prefix, those of the separator included."""
    backend = Watched()
    assert search(backend).answer
    encode = backend.backend._checkpoint.tokenizer.encode
    later = [prompt for prompt in backend.asked if prompt.prefix]
    assert later
    assert len(later) < len(backend.asked)
    for prompt in later:
        assert prompt.prefix_ids == tuple(encode(prompt.prefix))


def test_where_tokens_are_not_told_the_text_is_sent_alone() -> None:
    """No ids are made up, also behind a prefix that the caller gave as text; the answers are the same."""
    untold, told = Watched(told=False), Watched()
    assert search(untold).answer == search(told).answer
    assert all(prompt.prefix_ids is None for prompt in untold.asked)
    given = Watched()
    search(given, Prompt.of(PUZZLE).continued(search(told).answer.split("\n")[0] + "\n"))
    assert all(prompt.prefix and prompt.prefix_ids is None for prompt in given.asked)


@pytest.mark.parametrize(
    ("given", "sent"),
    [((), ("\n",)), (("\n",), ("\n",)), (("END",), ("END", "\n")), (("\n", "END"), ("\n", "END"))],
)
def test_a_stop_of_the_users_is_sent_once(given: tuple[str, ...], sent: tuple[str, ...]) -> None:
    """The separator of steps may be among the user's own: some servers refuse a stop that comes twice."""
    assert _stopping(Params(stop=given), "\n").stop == sent
