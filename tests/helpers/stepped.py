"""Agents to be searched step by step, and the plain environment that they are to be like."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import openai

from searchkit import Model, Params, Result, solve
from searchkit.agents import async_client, client
from searchkit.protocols import Run
from searchkit.strategy import Strategy
from searchkit.testing.doubles import Scripted
from searchkit.types import Prompt, Sample, Transition
from searchkit.verifiers import Predicate
from tests.helpers.sdk_agents import CHAT_TOOLS, begun, chat_answer

NOWHERE = "http://nowhere.invalid/v1"
MOST = 5
LETTERS = "abc"


def sdk() -> Any:
    """OpenAI's client, whose server is nowhere: whatever it asks has to be answered by somebody else."""
    return openai.AsyncOpenAI(base_url=NOWHERE, api_key="none", http_client=async_client(), max_retries=0)


async def ask(api: Any, text: str, **options: Any) -> str:
    said = await api.chat.completions.create(
        model="m", messages=[{"role": "user", "content": text}], max_tokens=MOST, **options
    )
    return said.choices[0].message.content or ""


def spelling(depth: int = 3) -> Callable[[str], Awaitable[str]]:
    """An agent that spells a word, a letter a call."""
    api = sdk()

    async def agent(task: str) -> str:
        word = ""
        for _ in range(depth):
            word += await ask(api, f"{task} {word}")
        return word

    return agent


def spelled(task: str) -> str:
    """The same by a synchronous client, with nothing around its calls."""
    with client() as http:
        api = openai.OpenAI(base_url=NOWHERE, api_key="none", http_client=http)
        word = ""
        for _ in range(3):
            message: Any = [{"role": "user", "content": f"{task} {word}"}]
            word += api.chat.completions.create(model="m", messages=message).choices[0].message.content or ""
        return word


def calculating() -> Callable[[str], Awaitable[str]]:
    """An agent that calls the tool of `sdk_agents` until its model answers."""
    api = sdk()

    async def agent(task: str) -> str:
        messages, answer = begun(task), None
        while answer is None:
            reply = await api.chat.completions.create(model="m", messages=messages, tools=CHAT_TOOLS)
            answer = chat_answer(messages, reply.choices[0].message)
        return answer

    return agent


def letters() -> Model:
    """A model that says one of three letters, by its seed."""
    return Model(Scripted(lambda request: LETTERS[request.seed % len(LETTERS)]), Params(max_tokens=MOST))


def worth(value: Any) -> float:
    """How good a word is, or the beginning of one: more where "c" comes early, and odd words a little more."""
    word = "".join(value) if isinstance(value, tuple) else str(value)
    return sum((letter == "c") / 2 ** (i + 1) for i, letter in enumerate(word)) + sum(map(ord, word)) % 7 / 100


JUDGE = Predicate(worth, range=(0.0, 2.0))


@dataclass(frozen=True)
class Words:
    """The same decisions as those of `spelling`, without an agent: a state is the word so far."""

    depth: int = 3

    async def start(self, prompt: Prompt, run: Run) -> tuple[str, tuple[str, ...]]:
        return prompt.text, ()

    def prompt(self, state: tuple[str, tuple[str, ...]]) -> Prompt:
        return Prompt.of(f"{state[0]} {''.join(state[1])}")

    def step_params(self, run: Run) -> Params | None:
        return Params(max_tokens=MOST)

    async def step(self, state: Any, action: Sample[Any], run: Run) -> Transition[Any]:
        with run.traced("step"):
            after = (state[0], (*state[1], action.text))
        return Transition(after, terminal=len(after[1]) == self.depth)

    def candidate(self, state: Any) -> Sample[Any]:
        return Sample("".join(state[1]) if len(state[1]) == self.depth else state[1])

    def complete(self, state: Any) -> bool:
        return len(state[1]) == self.depth


def searched(strategy: Strategy, generator: Any = None, **options: Any) -> Result[Any]:
    return asyncio.run(solve("spell", strategy, generator=generator or letters(), **options))


def grown(result: Result[Any]) -> Sequence[Any]:
    """What of a tree has to be equal where two searches decide the same."""
    tree = result.tree
    assert tree is not None
    return list(zip(tree.parent, tree.text, tree.visits, tree.total, tree.terminal, strict=True))
