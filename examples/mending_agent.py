"""An agent of OpenAI's Agents SDK mends a module in copies of its own; the tests choose, and the best copy comes back.

    pip install openai-agents && python examples/mending_agent.py

The module has three bugs, and is that of `file_agent.py`. The agent reads it and edits it by two tools, in a copy that
no other attempt sees. Best-of-16 takes an attempt whose module passes all tests; only then is the original changed. The
model is played by the server that ships for tests, so that this runs offline: it knows what to mend, and gets each edit
right in three of four cases. Give `AsyncOpenAI` your own URL and key for a real one, and run the tests in a sandbox.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from file_agent import MODULE, TESTS
from openai import AsyncOpenAI

from searchkit import Budget, search
from searchkit.agents import Workspace, async_client
from searchkit.environments import FolderEnvironment
from searchkit.strategies import BestOfN
from searchkit.testing.server import Reply, Server
from searchkit.types import Verdict
from searchkit.verifiers import Predicate

EDITS = [  # what to look for, what mends it, and what does not
    ("/ 5 - 32", "/ 5 + 32", "/ 5 * 32"),
    ("(year % 100 == 0 or", "(year % 100 != 0 or", "(year % 100 == 0 and"),
    ("(len(values) + 1)", "(len(values) + 0)", "(len(values) - 1)"),
]


def model(prompt: str, seed: int, body: dict[str, Any]) -> Reply | str:
    """What the server answers: the file is read, then edited in three places, each well or badly."""
    turn = sum(message["role"] == "tool" for message in body["messages"])
    if turn == 0:
        return Reply(tool_calls=(("read", "{}"),))
    if turn > len(EDITS):
        return "I have mended the module."
    old, good, bad = EDITS[turn - 1]
    new = good if random.Random(seed).random() < 0.75 else bad
    return Reply(tool_calls=(("replace", json.dumps({"old": old, "new": new})),))


def agent_in(folder: Path, llm: OpenAIChatCompletionsModel) -> Agent:
    """A fresh agent, whose tools work in `folder`."""
    module = folder / "module.py"

    @function_tool
    def read() -> str:
        """The text of module.py."""
        return module.read_text()

    @function_tool
    def replace(old: str, new: str) -> str:
        """Put `new` in the place of `old` in module.py."""
        module.write_text(module.read_text().replace(old, new, 1))
        return module.read_text()

    return Agent("mender", instructions="Mend module.py.", tools=[read, replace], model=llm)


async def passing(workspace: Workspace) -> Verdict:
    """The verifier: which share of the tests passes in a copy, in a process of their own, with ten seconds to go."""
    command = [sys.executable, "-S", "-B", "tests.py"]
    tests = await asyncio.create_subprocess_exec(*command, cwd=workspace.path, stdout=PIPE, stderr=DEVNULL)
    try:
        said, _ = await asyncio.wait_for(tests.communicate(), timeout=10)
    except TimeoutError:
        return Verdict(0.0, False, feedback="timed out")
    finally:  # also if the search is cancelled
        if tests.returncode is None:
            tests.kill()
            await tests.wait()
    passed, _, total = said.decode().partition(" ")  # nothing was said where the module does not even load
    share = int(passed) / int(total) if total else 0.0
    return Verdict(share, share == 1.0)


async def main(server: Server, project: Path) -> None:
    client = AsyncOpenAI(base_url=server.url, api_key="none", http_client=async_client())
    llm = OpenAIChatCompletionsModel("test-model", client)

    @search(
        BestOfN(16, Predicate(passing, name="tests"), first_pass=True, window=4),
        budget=Budget(model_calls=100),
        world=FolderEnvironment(project),
    )
    async def mend(task: str, workspace: Workspace) -> str:
        return str((await Runner.run(agent_in(workspace.path, llm), task)).final_output)

    result = await mend.detailed("Mend module.py.")  # type: ignore[call-arg]
    scores = [f"{candidate.score or 0.0:.0%}" for candidate in result.candidates]
    print("attempts, by the tests that they pass:", *scores)
    print(f"{result.usage.model_calls} model calls; the server saw {len(server.requests)}")
    print(result.answer.diff, end="")
    assert (project / "module.py").read_text() != MODULE


if __name__ == "__main__":
    set_tracing_disabled(True)
    with tempfile.TemporaryDirectory() as folder, Server(reply=model) as server:
        project = Path(folder)
        (project / "module.py").write_text(MODULE)
        (project / "tests.py").write_text(TESTS)
        asyncio.run(main(server, project))
