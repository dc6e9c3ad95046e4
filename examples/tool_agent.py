"""A chat model with tools that edit files, searched over: `python examples/tool_agent.py`.

The module with three bugs of `file_agent.py`, and the same random edits; here a chat model asks for them as calls of a
tool, over HTTP. The server that ships for tests plays the model, so that this runs offline; give `OpenAI` the URL of
your own for a real one. Two searches may ask it equally often: best-of-N has N whole conversations, tree search has
the tests run after each call, and goes on from the conversation whose module passes most of them. Nobody touches the
project before the best one is committed.

What the edits can make is harmless arithmetic. With a real model the tests run a stranger's code: give it
`CodeActions`, or run them in a sandbox of your own.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from file_agent import BUGS, MODULE, edited, edits, read, share, write

from searchkit import Budget, Model, Params, Prompt, Run, Sample, solve
from searchkit.environments import FolderEnvironment, ToolEnvironment, reversible
from searchkit.generators.openai.backend import OpenAI
from searchkit.strategies import BestFirst, BestOfN, Children, RecedingHorizon
from searchkit.testing.server import Reply, Server
from searchkit.verifiers import Predicate

CALLS, TURNS = 80, BUGS + 1  # how often a search may ask the model; its answers in one conversation


@reversible
def edit(world: Path, place: int, old: str, new: str) -> str:
    """Put another operator or number at a place of the module.

    place: counted from 0, operators and numbers alike
    old: what stands there
    new: what is to stand there
    """
    module = world / "module.py"
    module.write_text(edited(module.read_text(), f"{place}: {old} -> {new}"))
    return module.read_text()


def model(prompt: str, seed: int, request: dict[str, Any]) -> Reply:
    """The model: after as many edits as there are bugs it is done; before that it wants any edit of what it sees."""
    seen = [message["content"] for message in request["messages"] if message["role"] in ("user", "tool")]
    if len(seen) == TURNS:
        return Reply("I am done.")
    place, _, swap = random.Random(seed).choice(edits(seen[-1])).partition(": ")
    old, _, new = swap.partition(" -> ")
    return Reply(tool_calls=(("edit", f'{{"place": {place}, "old": "{old}", "new": "{new}"}}'),))


@dataclass(frozen=True)
class Conversation:
    """A generator whose samples are whole conversations of a model with its tools."""

    environment: ToolEnvironment
    model: Model

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        state, ended = await self.environment.start(prompt, run), False
        while not ended:
            [answer] = await run.sample(self.model, self.environment.prompt(state), start=run.index, partial=True)
            step = await self.environment.step(state, answer, run)
            state, ended = step.state, step.terminal
        return self.environment.candidate(state)


async def main() -> None:
    verifier, budget = Predicate(share), Budget(model_calls=CALLS)
    with tempfile.TemporaryDirectory() as folder, Server(reply=model) as server:
        project, chat = Path(folder), Model(OpenAI(server.url, "test-model"), Params(max_tokens=100))
        write(project, MODULE)
        environment = ToolEnvironment([edit], FolderEnvironment(project, render=read))
        tree = BestFirst(verifier, environment=environment, evaluation=Children(), width=12, threshold=1.0)
        plain = BestOfN(CALLS // TURNS, verifier, window=4, generator=Conversation(environment, chat))
        for seed in range(3):
            many = await solve(MODULE, plain, seed=seed)
            found = await solve(MODULE, tree, generator=chat, budget=budget, seed=seed)
            print(f"seed {seed}: best-of-N passes {await shown(many)}, tree search {await shown(found)}")
        assert read(project) == MODULE
        committed = await solve(MODULE, RecedingHorizon(tree, rounds=1), generator=chat, budget=budget, seed=seed)
        assert read(project) == committed.answer != MODULE
        print(f"committed: the project's own tests pass to {(await share(read(project))).score:.0%}")


async def shown(result: Any) -> str:
    return f"{(await share(result.answer)).score:.0%} of the tests after {result.usage.model_calls} calls"


if __name__ == "__main__":
    asyncio.run(main())
