"""MCPTools against real servers, written with the official package, over their input and output and over HTTP."""

from __future__ import annotations

import asyncio
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from searchkit import solve_sync
from searchkit.calls import CallError
from searchkit.environments import MCPTools, Planned, ToolEnvironment
from searchkit.environments.tools.schema import wrong_arguments
from searchkit.errors import ConfigError
from searchkit.strategies import MCTS, RecedingHorizon
from searchkit.types import Message
from searchkit.verifiers import Predicate
from tests.environments.live_worlds import drive
from tests.environments.tools.test_environment import add, after, seen, told
from tests.environments.tools.worlds import answered, model, observed

SERVER = Path(__file__).parents[2] / "helpers" / "mcp_server.py"
EFFECTS: dict[str, Any] = {"read": "pure", "table": "pure", "note": "reversible", "tear": "reversible"}


def server(folder: Path, **options: Any) -> MCPTools:
    return MCPTools([sys.executable, str(SERVER), str(folder)], **{"effects": EFFECTS, **options})


def log(folder: Path) -> list[str]:
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


@contextmanager
def over_http(folder: Path) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(SERVER), str(folder), str(port)], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_servers_tools_are_tools_as_any_other(tmp_path: Path) -> None:
    """Their schemas, texts and JSON; beside a function; calls that cannot be made never reach the server."""
    environment = ToolEnvironment([server(tmp_path), add])
    calls = [("note", {"text": "a"}), ("read", {}), ("table", {}), ("add", {"a": 1}), ("post", {"text": "x"}),
             ("note", {}), ("note", {"text": 3}), ("note", "{"), ("noted", {}), ("note", [])]  # fmt: skip
    state = after(environment, calls)
    said = observed(state.messages())
    assert said[:2] == ["a", "a"]
    assert "".join(said[2].split()) == '{"numbers":[1,2]}'
    assert said[3] == "2"
    assert said[4].startswith("Put off")
    assert [one.split(":")[0] for one in said[5:]] == ["Error"] * 5
    assert "text: it is required" in said[5]
    assert "text: it should be of type string" in said[6]
    assert "add, read, note, tear, post, table" in said[8]
    assert log(tmp_path) == ["started", "note a", "read"]
    names = [tool.split('"name": "')[1].split('"')[0] for tool in environment.prompt(state).tools]
    assert names == ["add", "read", "note", "tear", "post", "table"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["raise", "die", "sleep"])
def test_a_call_that_failed_has_changed_nothing_whatever_became_of_the_server(how: str, tmp_path: Path) -> None:
    environment = ToolEnvironment([server(tmp_path)], seconds=20 if how != "sleep" else 1.5)
    said = seen(environment, [("note", {"text": "a"})], [("tear", {"how": how})], [("note", {"text": "b"})])
    assert (said[0], said[2]) == ("a", "a, b")
    assert said[1].startswith("Error: tear ")
    assert log(tmp_path) == ["started", "note a", "started", "note a", "note b"]


@pytest.mark.slow
def test_branches_have_connections_of_their_own_and_pure_calls_are_not_made_again(tmp_path: Path) -> None:
    environment = ToolEnvironment([server(tmp_path, copies=2)])

    async def body(prompt: Any, run: Any) -> None:
        root = await environment.start(prompt, run)
        one = await told(environment, root, [("note", {"text": "a"}), ("read", {})], run=run)
        other = await told(environment, root, [("note", {"text": "b"})], run=run)
        both = await run.map(
            lambda state, child: environment.step(state, answered([("read", {}), ("note", {"text": "c"})]), child),
            [one, other],
        )
        last = [observed(one.unwrap().state.messages())[-2:] for one in both]
        assert last == [["a", "a, c"], ["b", "b, c"]]

    drive(body)
    assert log(tmp_path).count("note c") == 2


def agent(messages: tuple[Message, ...], seed: int) -> Any:
    """Notes a or b, posts the notes, and is done."""
    turns = sum(message.role == "assistant" for message in messages)
    if turns == 0:
        return [("note", {"text": "ab"[seed % 2]}), ("read", {})]
    return [("post", {"text": observed(messages)[0]})] if turns == 1 else f"done {observed(messages)[0]}"


def prefers_b(answer: Any) -> float:
    return 0.9 if isinstance(answer, Planned) and answer.answer == "done b" else 0.3


@pytest.mark.slow
def test_side_effects_are_done_once_for_each_committed_path(tmp_path: Path) -> None:
    """Searched, committed, and run again over its journal: posted once. By another journal: once more."""
    search = MCTS(Predicate(prefers_b), environment=ToolEnvironment([server(tmp_path)]), iterations=6, width=2)
    posted = []
    for journal in ("one.db", "one.db", "two.db"):
        result = solve_sync("go", RecedingHorizon(search), generator=model(agent), journal=tmp_path / journal)
        assert result.answer == "done b"
        posted.append([line for line in log(tmp_path) if line.startswith("post")])
    assert posted == [["post b"], ["post b"], ["post b"] * 2]
    solve_sync("go", search, generator=model(agent))
    assert log(tmp_path).count("post b") == 2  # a search alone never does


@pytest.mark.slow
def test_over_http_and_with_a_prefix(tmp_path: Path) -> None:
    """Side effects at a server that many share: put off, and done once."""
    with over_http(tmp_path) as url:
        tools = MCPTools(url, {"read": "pure", "table": "pure"}, prefix="wall.", headers={"X-Key": "k"})
        environment = ToolEnvironment([tools])

        async def body(prompt: Any, run: Any) -> list[str]:
            root = await environment.start(prompt, run)
            calls = [("wall_post", {"text": "x"}), ("wall_read", {}), ("post", {"text": "y"})]
            state = await told(environment, root, calls, "bye", run=run)
            assert log(tmp_path) == ["started", "read"]
            step = await environment.commit(state, run)
            return observed(step.state.messages())

        first, second, third = drive(body)
        assert (first, second) == ("posted x", "")
        assert third.startswith("Error: there is no tool 'post'. The tools are: wall_read, ")
        assert log(tmp_path) == ["started", "read", "post x"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sleep", "raise"])
def test_nothing_is_left_behind(how: str, tmp_path: Path) -> None:
    """Cancelled at any moment: no task goes on, and no server."""
    environment = ToolEnvironment([server(tmp_path)])

    async def main() -> None:
        from tests.environments.live_worlds import driven

        async def body(prompt: Any, run: Any) -> None:
            await told(environment, await environment.start(prompt, run), [("tear", {"how": how})], run=run)

        for moment in (0.0, 0.2, 0.8, 1.3, 1.6, 4.0):
            task = asyncio.create_task(driven(body))
            await asyncio.wait([task], timeout=moment)
            task.cancel()
            await asyncio.wait([task])
            assert asyncio.all_tasks() == {asyncio.current_task()}, moment

    asyncio.run(main())
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in running


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "says"),
    [
        ([sys.executable, "-c", "pass"], "no connection to the MCP server"),
        ([sys.executable, "/nowhere/server.py"], "can't open file '/nowhere/server.py'"),
        ([sys.executable, "-c", "raise KeyError('no such table')"], "its last words: .*KeyError: 'no such table'$"),
        ([sys.executable, "-c", "print(sys.stderr)"], "NameError: name 'sys' is not defined"),
        ([sys.executable, "-c", "import os; os.write(2, b'\\xff' * 10**6)"], "\ufffd$"),
        (["/nowhere/at/all"], "no connection to the MCP server"),
        ("http://127.0.0.1:9/mcp", "no connection to the MCP server"),
    ],
)
def test_a_server_that_is_not_there_is_an_error_and_no_observation(at: Any, says: str) -> None:
    with pytest.raises(CallError, match=f"(?s){says}") as failed:
        after(ToolEnvironment([MCPTools(at)]), [("read", {})])
    assert len(str(failed.value)) < 1500


@pytest.mark.slow
def test_effects_of_tools_that_the_server_has_not_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names 'write', but the server has: note, post, read, table, tear"):
        after(ToolEnvironment([server(tmp_path, effects={"write": "pure"})]), "hello")
    with pytest.raises(ConfigError, match="two tools are called read"):
        after(ToolEnvironment([server(tmp_path), server(tmp_path)]), "hello")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"at": ""}, "needs a command"),
        ({"at": []}, "needs a command"),
        ({"at": "python server.py"}, "needs a command"),
        ({"at": ["server"], "effects": {"read": "harmless"}}, "the effect of read"),
        ({"at": ["server"], "otherwise": "?"}, "the effect of otherwise"),
    ],
)
def test_impossible_configurations_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        MCPTools(**options)


def test_it_pickles_and_shows_no_secret() -> None:
    tools = MCPTools(["server"], env={"KEY": "secret"}, headers={"Authorization": "secret"})
    assert pickle.loads(pickle.dumps(tools)) == tools
    assert "secret" not in repr(tools)


def test_the_package_is_imported_only_when_it_is_needed() -> None:
    code = (
        "import sys, searchkit.environments as e; e.ToolEnvironment([e.MCPTools(['x'])]); print('mcp' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


@pytest.mark.parametrize(
    ("arguments", "schema", "wrong"),
    [
        ({"a": 1}, {"properties": {"a": {"type": "integer"}}, "required": ["a"]}, ""),
        ({"a": 1.0}, {"properties": {"a": {"type": "integer"}}}, ""),
        ({"a": 1.5}, {"properties": {"a": {"type": "integer"}}}, "a: it should be of type integer"),
        ({"a": True}, {"properties": {"a": {"type": "integer"}}}, "a: it should be of type integer"),
        ({"a": None}, {"properties": {"a": {"type": ["string", "null"]}}}, ""),
        ({"a": 1}, {"properties": {"a": {"type": ["string", "null"]}}}, "a: it should be of type ['string', 'null']"),
        ({"b": 1}, {"properties": {"a": {}}, "additionalProperties": False}, "b: there is no such parameter"),
        ({"b": 1}, {"properties": {"a": {}}}, ""),
        ({}, {"required": ["a"]}, "a: it is required"),
        ([], {}, "they are no JSON object such as {}"),
        ({"a": 1}, {"properties": {"a": True}, "required": 3, "type": 7}, ""),
        ({"a": 1}, {"properties": [1], "required": [None]}, ""),
        ({"a": 1}, {"properties": {"a": {"type": "odd"}}}, ""),
        ({"a": 1}, {"properties": {"a": {"$ref": "http://127.0.0.1:9/x", "pattern": "(a+)+$"}}}, ""),
    ],
)
def test_arguments_against_a_servers_schema(arguments: Any, schema: Any, wrong: str) -> None:
    assert wrong_arguments(arguments, schema) == wrong
