"""What an agent's request says of its answer reaches a search's generator where it can be told, whichever API it is."""

from __future__ import annotations

import asyncio
import json
import warnings
from typing import Any

import anthropic
import openai
import pytest

from searchkit import Budget, Model, Params, solve
from searchkit.agents import async_client
from searchkit.environments import AgentSteps
from searchkit.errors import SearchWarning
from searchkit.generators import Limited, OpenAI, Retrying
from searchkit.strategies import MCTS
from searchkit.testing.server import Server
from searchkit.verifiers import Predicate
from tests.helpers.stepped import NOWHERE, ask, sdk


def length(value: Any) -> float:
    return len(str(value)) % 7 / 7


JUDGE = Predicate(length, range=(0.0, 1.0))
SCHEMA = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "integer"}}}
SHAPE = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("add", "book")]
NAMED = {"type": "function", "function": {"name": "book"}}


def chat(**options):
    api = sdk()

    async def agent(task: str) -> str:
        first = await ask(api, task, **options)
        return first + await ask(api, f"{task} {first}", **options)

    return agent


def responses(**options):
    api = openai.AsyncOpenAI(base_url=NOWHERE, api_key="none", http_client=async_client())

    async def agent(task: str) -> str:
        return (await api.responses.create(model="m", input=task, **options)).output_text

    return agent


def messages(**options):
    api = anthropic.AsyncAnthropic(base_url="http://nowhere.invalid", api_key="none", http_client=async_client())

    async def agent(task: str) -> str:
        said = await api.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": task}], extra_body=options
        )
        return str(said.content)

    return agent


def asked(agent, route: Any = "chat", form: str = "", wrapped=lambda backend: backend):
    """What the server of the search's generator was told beside the conversation, and what the search warns of."""
    with Server() as server, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SearchWarning)
        model = Model(wrapped(OpenAI(server.url, "test-model", route=route)), Params(max_tokens=5, form=form))
        search = MCTS(JUDGE, environment=AgentSteps(agent), iterations=4)
        result = asyncio.run(solve("go", search, generator=model, budget=Budget(model_calls=6), seed=1))
        assert not result.errors
        bodies = [request.body for request in server.requests]
    told = [
        {k: body[k] for k in ("response_format", "tool_choice", "parallel_tool_calls") if k in body} for body in bodies
    ]
    assert told
    assert all(json.dumps(one) == json.dumps(told[0]) for one in told)
    return told[0], [str(one.message) for one in caught if "not told" in str(one.message)]


def response_format(agent, **options):
    told, warned = asked(agent, **options)
    return told.get("response_format"), warned


@pytest.mark.parametrize("form", [SHAPE, {"type": "json_object"}])
def test_a_response_format_stands_in_every_body(form):
    assert response_format(chat(response_format=form)) == (form, [])


def test_a_schema_keeps_the_order_of_its_properties():
    told, _ = response_format(chat(response_format=SHAPE))
    assert list(told["json_schema"]["schema"]["properties"]) == ["z", "a"]


def test_a_response_format_passes_wrappers():
    form = {"type": "json_object"}
    assert response_format(chat(response_format=form), wrapped=lambda b: Retrying(Limited(b))) == (form, [])


def test_plain_text_is_no_form():
    assert asked(chat(response_format={"type": "text"})) == ({}, [])


def test_what_the_request_says_goes_before_what_the_generator_says():
    of_the_model = json.dumps({"response_format": {"type": "json_object"}})
    assert response_format(chat(response_format=SHAPE), form=of_the_model) == (SHAPE, [])
    assert response_format(chat(), form=of_the_model) == ({"type": "json_object"}, [])


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_tool_that_must_be_called_is_told(choice):
    assert asked(chat(tools=TOOLS, tool_choice=choice)) == ({"tool_choice": choice}, [])


def test_one_call_at_a_time_is_told():
    assert asked(chat(tools=TOOLS, parallel_tool_calls=False)) == ({"parallel_tool_calls": False}, [])
    assert asked(chat(tools=TOOLS, parallel_tool_calls=True)) == ({}, [])


def test_a_format_of_the_responses_api_is_said_as_chat_says_it():
    text = {"format": {"type": "json_schema", "name": "s", "schema": SCHEMA, "strict": True}}
    assert response_format(responses(text=text)) == (SHAPE, [])
    assert response_format(responses(text={"format": {"type": "json_object"}})) == ({"type": "json_object"}, [])
    assert response_format(responses(text={"format": {"type": "text"}})) == (None, [])


@pytest.mark.parametrize("name", ["output_format", "output_config"])
def test_a_format_of_the_messages_api_is_said_as_chat_says_it(name):
    form: dict[str, Any] = {"type": "json_schema", "schema": SCHEMA}
    agent = messages(**{name: form if name == "output_format" else {"format": form}})
    shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    assert response_format(agent) == (shape, [])


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"extra_body": {"guided_json": SCHEMA}}, "guided_json"),
        ({"extra_body": {"structured_outputs": {"choice": ["a", "b"]}}}, "structured_outputs"),
        ({"extra_body": {"grammar": 'root ::= "a"'}}, "grammar"),
        ({"functions": [{"name": "add"}], "function_call": {"name": "add"}}, "function_call and functions"),
    ],
)
def test_what_is_said_in_other_words_is_warned_of(options, field):
    told, [warned] = asked(chat(**options))
    assert told == {}
    assert f"requests say {field}, which" in warned


@pytest.mark.parametrize(
    "text",
    [
        {"format": {"type": "json_object"}, "verbosity": "low"},
        {"format": {"type": "grammar", "syntax": "lark"}},
        {"format": ["json"]},
    ],
)
def test_a_format_that_chat_cannot_say_is_warned_of(text):
    told, [warned] = asked(responses(text=text))
    assert told == {}
    assert "requests say text, which" in warned


def test_a_generator_on_the_completions_route_cannot_be_told():
    api = sdk()

    async def agent(task: str) -> str:
        return await ask(api, task, response_format=SHAPE)

    told, [warned] = asked(agent, route="completions")
    assert told == {}
    assert "requests say response_format, which" in warned


def test_resumed_nothing_is_paid_twice_and_another_form_is_another_call(tmp_path):
    with Server() as server:
        model = Model(OpenAI(server.url, "test-model"), Params(max_tokens=5))

        def searched(**options: Any) -> Any:
            search = MCTS(JUDGE, environment=AgentSteps(chat(**options)), iterations=4)
            return asyncio.run(solve("go", search, generator=model, journal=str(tmp_path / "j.db"), seed=1))

        first = searched(response_format=SHAPE)
        asked = len(server.requests)
        again = searched(response_format=SHAPE)
        assert again.answer == first.answer
        assert again.paid.model_calls == 0
        searched(response_format={"type": "json_object"})
        assert len(server.requests) > asked
