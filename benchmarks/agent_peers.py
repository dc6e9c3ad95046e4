"""Other libraries that search inside agents, or over their runs, in the five-steps worlds: success at equal paid calls.

    tools/peers_env.sh DIR agents
    DIR/bin/python benchmarks/agent_peers.py --json       # two minutes; beside `agent_steps.py --only worlds`

The worlds, the budget of 80 calls and the score of a beginning are those of `agent_steps.py`. All else is a library's
default, but for what has to say how long an answer is and how much may be spent. `agent` tells what becomes of it:

as it is      the agent is called as it is. its_hub 1.2.0 BestOfN in the place of its model: 16 answers a call, of which
              the one with the best score goes on. treequest 0.3.3 and agent-mcts 0.1.0 over whole runs: a node is a run
              from the beginning, 16 runs.
as a tool     saplings 6.2.0 has an agent of its own, which calls steps as tools; its evaluator is the world's score.
as a step     treequest over a function from a state to the next: the agent's loop, taken apart by hand.

The answer is the complete one with the best score. Intervals are 95 %, over seeds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import tempfile
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # saplings' litellm asks the network for it

from agent_mcts.adapters.base import EpisodeResult
from agent_mcts.core.engine import SearchConfig, SearchEngine
from agent_mcts.core.model import RunMeta, Tree
from agent_mcts.core.value import Evaluation as Valued
from agent_mcts.core.worktree import WorktreeManager
from saplings import AStarAgent, GreedyAgent, Model, MonteCarloAgent
from saplings.abstract import Evaluator, Tool
from saplings.dtos import Evaluation
from treequest import ABMCTSA, StandardMCTS
from worlds_peers import TREEQUEST, Drawn
from worlds_peers import treequest as by_steps

from searchkit.experiments import bootstrap
from searchkit.testing.worlds import WORLDS, Place

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own parts that have moved
    from its_hub.api import AbstractLanguageModel, AbstractOutcomeRewardModel
    from its_hub.core.algorithms.bon import BestOfN

NAMES = ("steps, strong", "steps, weak")
CALLS = 80
Call = Callable[[list[dict[str, str]]], Awaitable[str]]


async def agent(call: Call, depth: int) -> list[str]:
    """The agent: `depth` requests to its model, each with all that was said."""
    messages = [{"role": "user", "content": "play"}]
    for turn in range(depth):
        said = {"role": "assistant", "content": await call([*messages])}
        messages += [said, {"role": "user", "content": f"step {turn} is done"}]
    return said_in(messages)


def said_in(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    return [message["content"] for message in messages if message["role"] == "assistant"]


class Spent(Exception):
    """The next calls are more than is left."""


class Played:
    """The world of one search: draws are counted, and complete answers kept with their scores."""

    def __init__(self, name: str, seed: int) -> None:
        self.drawn = Drawn(WORLDS[name], seed)
        self.depth: int = self.drawn.world.depth  # type: ignore[attr-defined]
        self.ends: list[Place] = []

    def place(self, actions: Sequence[str]) -> Place:
        place = self.drawn.begun
        for action in actions:
            place = self.drawn.world.after(place, json.loads(action))
        return place

    def say(self, actions: Sequence[str]) -> str:
        """What the model says after `actions`."""
        if self.drawn.spent >= CALLS:
            raise Spent
        action, _ = self.drawn.draw(self.place(actions))
        return json.dumps(action)

    def score(self, actions: Sequence[str]) -> float:
        place = self.place(actions)
        if place.complete:
            self.ends.append(place)
        return place.score or 0.0

    async def run(self, call: Call | None = None) -> tuple[list[str], float]:
        """What the agent answers, and how good it is."""

        async def own(messages: list[dict[str, str]]) -> str:
            return self.say(said_in(messages))

        actions = await agent(call or own, self.depth)
        return actions, self.score(actions)

    @property
    def worth(self) -> float:
        return max(self.ends, key=lambda place: place.score or 0.0).worth if self.ends else 0.0


# ---------------------------------------------------------------- the agent as it is


class Hub(AbstractLanguageModel, AbstractOutcomeRewardModel):
    """The model behind its_hub's BestOfN, and its reward model."""

    def __init__(self, played: Played) -> None:
        self.played = played

    async def agenerate(self, messages: Sequence[Any], stop: str | None = None, **options: Any) -> list[dict[str, str]]:
        return [await self.agenerate_single(one) for one in messages]

    async def agenerate_single(
        self, messages: Sequence[Any], stop: str | None = None, **options: Any
    ) -> dict[str, str]:
        return {"role": "assistant", "content": self.played.say(said_in([message.to_dict() for message in messages]))}

    def score(self, conversations: Sequence[Any], *args: Any, **options: Any) -> list[float]:
        places = [self.played.place([m.content for m in one if m.role == "assistant"]) for one in conversations]
        return [place.score or 0.0 for place in places]

    async def ascore(self, conversations: Sequence[Any], *args: Any, **options: Any) -> list[float]:
        return self.score(conversations)

    async def ainfer(self, messages: list[dict[str, str]]) -> str:
        found = await BestOfN(self).ainfer(self, _chat(messages), CALLS // self.played.depth)
        return str(found["content"])


def _chat(messages: list[dict[str, str]]) -> Any:
    from its_hub.api import ChatMessage

    return [ChatMessage(**message) for message in messages]


def its_hub(played: Played) -> None:
    asyncio.run(played.run(Hub(played).ainfer))


def whole_runs(make: Callable[[], Any], played: Played) -> None:
    algorithm = make()
    state = algorithm.init_tree()

    def generate(parent: Any) -> tuple[Any, float]:
        return asyncio.run(played.run())

    for _ in range(CALLS // played.depth):
        state = algorithm.step(state, {"run": generate})


class Episodes:
    """The agent as agent-mcts takes one: a run in a folder, judged by what it wrote there."""

    name = "agent"

    def __init__(self, played: Played) -> None:
        self.played = played

    async def run_episode(self, prompt: str, workdir: Path, *, resume_session: str | None = None) -> EpisodeResult:
        actions, score = await self.played.run()
        (workdir / "answer.json").write_text(json.dumps([actions, score]))
        return EpisodeResult(session_id="", summary=" ".join(actions))

    async def evaluate(self, workdir: Path) -> Valued:
        file = workdir / "answer.json"
        return Valued(score=json.loads(file.read_text())[1] if file.exists() else 0.0)


def agent_mcts(played: Played) -> None:
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@localhost"]
        subprocess.run([*git[:3], "init", "-q"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "begun"], check=True)
        episodes = Episodes(played)
        engine = SearchEngine(
            tree=Tree(RunMeta(run_id="r", task="play", repo_root=folder)),
            adapter=episodes, value_fn=episodes, worktrees=WorktreeManager(Path(folder), "r"),
            journal_path=Path(folder, "journal.jsonl"), config=SearchConfig(max_nodes=CALLS // played.depth),
        )  # fmt: skip
        asyncio.run(engine.run())


# ---------------------------------------------------------------- an agent of the library's own


class Act(Tool):  # type: ignore[misc]
    """A step as a tool; the last one ends the conversation, which its agents have to be told."""

    def __init__(self, name: str) -> None:
        self.name, self.description, self.is_terminal = name, "Take a step.", name == "end"
        self.parameters: dict[str, Any] = {"type": "object", "properties": {"action": {"type": "string"}}}

    async def run(self, action: str, **context: Any) -> str:
        return "done"


def taken(trajectory: Sequence[Any]) -> list[str]:
    return [call.arguments["action"] for message in trajectory for call in message.tool_calls or ()]


class Sapling(Model, Evaluator):  # type: ignore[misc]
    """The model of its agents, and what judges a conversation."""

    def __init__(self, played: Played) -> None:
        self.played = played

    def count_message_tokens(self, message: Any) -> int:
        return 0

    def truncate_messages(self, messages: list[Any], headroom: int, tools: Sequence[Any] = ()) -> list[Any]:
        return messages

    async def run_async(self, messages: list[Any], n: int = 1, **options: Any) -> Any:
        actions = taken(messages)
        name = "end" if len(actions) + 1 == self.played.depth else "act"
        said = [self._calling(name, self.played.say(actions)) for _ in range(n)]
        return said[0] if n == 1 else [SimpleNamespace(message=message) for message in said]

    def _calling(self, name: str, action: str) -> Any:
        function = SimpleNamespace(name=name, arguments=json.dumps({"action": action}))
        return SimpleNamespace(role="assistant", content=None, tool_calls=[SimpleNamespace(id="", function=function)])

    async def run(self, trajectory: Sequence[Any]) -> Any:
        return Evaluation(self.played.score(taken(trajectory)))


def saplings(make: Callable[..., Any], more: Mapping[str, Any], played: Played) -> None:
    model = Sapling(played)
    searching = make([Act("act"), Act("end")], model, model, verbose=False, **more)
    with suppress(Spent):
        asyncio.run(searching.run_async("play"))


# ---------------------------------------------------------------- the agent, taken apart


def stepwise(make: Callable[[], Any], played: Played) -> None:
    place = by_steps(make, played.drawn, CALLS, until=False)
    played.ends += [] if place is None else [place]


PEERS: Mapping[str, tuple[str, Callable[[Played], None]]] = {
    "its_hub best-of-16 at each call": ("as it is", its_hub),
    "treequest ABMCTSA over whole runs": ("as it is", partial(whole_runs, ABMCTSA)),
    "treequest StandardMCTS over whole runs": ("as it is", partial(whole_runs, StandardMCTS)),
    # The task is the root of the first two, and the first call that of the third.
    "saplings AStarAgent": ("as a tool", partial(saplings, AStarAgent, {"max_depth": 6})),
    "saplings GreedyAgent": ("as a tool", partial(saplings, GreedyAgent, {"max_depth": 6})),
    "saplings MonteCarloAgent": ("as a tool", partial(saplings, MonteCarloAgent, {"max_rollouts": CALLS})),
    **{name: ("as a step", partial(stepwise, make)) for name, make in TREEQUEST.items()},
    "agent-mcts": ("as it is", agent_mcts),  # the longest: a worktree of git for each run
}


def rows(seeds: int) -> Iterator[dict[str, Any]]:
    for name, (how, search) in PEERS.items():
        for world in NAMES:
            worths, paid = [], 0
            for seed in range(seeds):
                random.seed(seed)
                np.random.seed(seed)  # both are what these libraries draw from
                played = Played(world, seed)
                search(played)
                worths.append([played.worth])
                paid += played.drawn.spent
            found = bootstrap(np.array(worths))
            mean, low, high = (float(x[0]) for x in (found.mean, found.low, found.high))
            yield {"world": world, "search": name, "agent": how, "success": mean, "low": low, "high": high,
                   "calls": paid / seeds}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, default=60)
    options = parser.parse_args()
    for told in rows(options.seeds):
        plain = {k: round(v, 3) if isinstance(v, float) else v for k, v in told.items()}
        print(json.dumps(plain) if options.json else "  ".join(f"{k} {v}" for k, v in plain.items()), flush=True)


if __name__ == "__main__":
    main()
