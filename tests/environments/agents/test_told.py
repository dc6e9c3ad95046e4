"""What a search's own generator is told of an agent's request: its tools, as far as they may be called."""

from __future__ import annotations

import json
import warnings

import pytest

from searchkit import Model, Params
from searchkit.environments import AgentSteps
from searchkit.errors import SearchWarning
from searchkit.strategies import MCTS
from searchkit.testing.doubles import Scripted
from tests.helpers.stepped import JUDGE, ask, sdk, searched

TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("add", "book")]
NAMED = {"type": "function", "function": {"name": "book"}}
SHAPE = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}


def asking(**options):
    api = sdk()

    async def agent(task: str) -> str:
        first = await ask(api, task, **options)
        return first + await ask(api, f"{task} {first}", **options)

    return agent


def told(options) -> tuple[set[tuple[str, ...]], list[str]]:
    """The tools that a generator was shown, and the warnings."""
    shown = set()

    def reply(request):
        shown.add(tuple(json.loads(tool)["function"]["name"] for tool in request.prompt.tools))
        return "abc"[request.seed % 3]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SearchWarning)
        model = Model(Scripted(reply), Params(max_tokens=5))
        result = searched(MCTS(JUDGE, environment=AgentSteps(asking(**options)), iterations=6), model, seed=1)
    assert not result.errors
    return shown, [str(one.message) for one in caught if "not told" in str(one.message)]


@pytest.mark.parametrize(
    ("choice", "tools", "warned"),
    [
        (None, ("add", "book"), False),
        ("auto", ("add", "book"), False),
        ("none", (), False),
        ("required", ("add", "book"), True),
        (NAMED, ("book",), True),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, ("add", "book"), True),
    ],
)
def test_the_tools_that_a_generator_is_shown_are_those_that_may_be_called(choice, tools, warned):
    options = {"tools": TOOLS} if choice is None else {"tools": TOOLS, "tool_choice": choice}
    shown, said = told(options)
    assert shown == {tools}
    assert len(said) == warned
    assert all("say tool_choice, which" in one for one in said)


@pytest.mark.parametrize(
    ("form", "warned"), [({"type": "text"}, False), ({"type": "json_object"}, True), (SHAPE, True)]
)
def test_a_form_that_a_generator_cannot_be_told_is_said_once(form, warned):
    _, said = told({"response_format": form})
    assert len(said) == warned
    assert all("say response_format, which" in one for one in said)


def test_all_of_it_is_said_together():
    _, [said] = told({"tools": TOOLS, "tool_choice": "required", "response_format": SHAPE})
    assert "say response_format and tool_choice, which" in said


def test_the_agents_own_server_is_told_all_of_it():
    import openai

    from searchkit.agents import async_client
    from tests.helpers.model_server import ModelServer

    with ModelServer() as server, warnings.catch_warnings():
        warnings.simplefilter("error", SearchWarning)
        api = openai.AsyncOpenAI(base_url=server.url, api_key="none", http_client=async_client())

        async def agent(task: str) -> str:
            return await ask(api, task, response_format=SHAPE, tools=TOOLS, tool_choice="none")

        from searchkit import solve_sync

        solve_sync("go", MCTS(JUDGE, environment=AgentSteps(agent), iterations=2))
        bodies = [body for _, body in server.bodies]
        assert bodies
        assert all(body["response_format"] == SHAPE and body["tool_choice"] == "none" for body in bodies)
