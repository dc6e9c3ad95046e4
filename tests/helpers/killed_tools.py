"""A search over tool calls in a process of its own, for a test that kills it: `python -m tests.helpers.killed_tools`.

Arguments: the server's URL, the journal, a folder. What tools do is written to `FOLDER/done`, a line each; what the
search comes to is written to `FOLDER/out.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from searchkit import Model, Params, solve_sync
from searchkit.environments import Planned, SnapshotEnvironment, ToolEnvironment, irreversible, pure, reversible
from searchkit.generators.openai.backend import OpenAI
from searchkit.strategies import MCTS, UCT, RecedingHorizon
from searchkit.testing.server_replies import Reply
from searchkit.verifiers import Predicate

FOLDER = Path(sys.argv[3]) if len(sys.argv) > 3 else Path()


def done(what: str) -> None:
    with open(FOLDER / "done", "a") as file:
        file.write(f"{what} by {os.getpid()}\n")


@pure
def weigh(item: str) -> int:
    """What it weighs."""
    done(f"weigh {item}")
    return sum(item.encode()) % 7


@reversible
def take(world: list[str], item: str) -> str:
    """Take it along."""
    world.append(item)
    return ", ".join(world)


@irreversible
def pay(what: str) -> str:
    """Pay for it."""
    done(f"pay {what}")
    return f"paid {what}"


def reply(prompt: str, seed: int, body: dict[str, Any]) -> Reply | str:
    """A function of the conversation and the seed: two turns with calls, then a payment, then an end."""
    drawn = hashlib.blake2b(f"{seed}".encode(), digest_size=2).digest()[0]
    item = "abcd"[drawn % 4]
    turns = sum(message["role"] == "assistant" for message in body["messages"])
    seen = [message["content"] for message in body["messages"] if message["role"] == "tool"]
    if turns < 2:
        weighed, taken = json.dumps({"item": item}), json.dumps({"item": item * (drawn % 3 + 1)})
        return Reply(tool_calls=(("weigh", weighed), ("take", taken), ("weigh", taken)))
    if turns == 2:
        return Reply(tool_calls=(("pay", json.dumps({"what": seen[-2]})),))
    return f"paid for {seen[-3]}"


def worth(answer: Any) -> float:
    text = answer.answer if isinstance(answer, Planned) else answer
    return sum(str(text).encode()) % 97 / 97 * (1.0 if isinstance(answer, Planned) else 0.5)


def searched(url: str, journal: str | None) -> Any:
    environment = ToolEnvironment([weigh, take, pay], SnapshotEnvironment(list))
    search = MCTS(Predicate(worth), UCT(), environment, iterations=16, width=3, in_flight=2)
    model = Model(OpenAI(url, "test-model"), Params(max_tokens=30))
    return solve_sync("shop", RecedingHorizon(search), generator=model, journal=journal)


if __name__ == "__main__":
    result = searched(sys.argv[1], sys.argv[2])
    told = {"answer": repr(result.answer), "tree": result.tree.to_json(), "paid": result.paid.model_calls}
    (FOLDER / "out.json").write_text(json.dumps(told))
