"""What an answer must be like reaches the server's model, through every wrapper; who cannot tell of it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from searchkit import Model, Params, codec, solve_sync
from searchkit.errors import CapabilityError, ConfigError
from searchkit.generators import Cached, Coalescing, Embedded, Limited, OpenAI, Retrying
from searchkit.protocols import Backend
from searchkit.strategies import BestOfN
from searchkit.testing.server import Server
from searchkit.types import ConfidenceFloor, Prompt
from searchkit.verifiers import Predicate

SHAPE = {
    "type": "json_schema",
    "json_schema": {"name": "s", "schema": {"type": "object", "properties": {"z": {}, "a": {}}}, "strict": True},
}
FORM = json.dumps({"response_format": SHAPE})
LENGTH = Predicate(lambda text: float(len(text)), range=(0.0, 1000.0))


@pytest.fixture
def server():
    with Server() as server:
        yield server


WRAPPED: dict[str, Callable[[OpenAI, str], Backend]] = {
    "plain": lambda backend, path: backend,
    "retrying limited": lambda backend, path: Retrying(Limited(backend)),
    "cached": lambda backend, path: Cached(backend, path),
    "coalescing": lambda backend, path: Coalescing(Limited(backend)),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_every_request_says_it_and_a_schema_keeps_the_order_of_its_keys(server, tmp_path, name):
    backend = WRAPPED[name](OpenAI(server.url, "test-model"), str(tmp_path / "cache.db"))
    params = Params(max_tokens=5, form=FORM)
    solve_sync("go", BestOfN(3, LENGTH), generator=Model(backend, params))
    bodies = [request.body for request in server.requests if request.body["messages"][0]["content"] == "go"]
    assert bodies
    assert all(json.dumps(body["response_format"]) == json.dumps(SHAPE) for body in bodies)


def test_without_a_form_nothing_is_said_of_it(server):
    solve_sync("go", BestOfN(1, LENGTH), generator=Model(OpenAI(server.url, "test-model"), Params(max_tokens=5)))
    assert {"response_format", "tool_choice", "parallel_tool_calls"}.isdisjoint(server.requests[0].body)


def test_a_field_of_a_form_can_be_left_out_and_renamed_like_others(server):
    form = json.dumps({"response_format": {"type": "json_object"}, "tool_choice": "required"})
    backend = OpenAI(server.url, "test-model", leave_out=["tool_choice"], rename={"response_format": "format"})
    solve_sync("go", BestOfN(1, LENGTH), generator=Model(backend, Params(max_tokens=5, form=form)))
    assert server.requests[0].body["format"] == {"type": "json_object"}
    assert {"response_format", "tool_choice"}.isdisjoint(server.requests[0].body)


@pytest.mark.parametrize(
    "backend", [Embedded(), Limited(Embedded()), OpenAI("http://127.0.0.1:9/v1", "m", route="completions")]
)
def test_who_cannot_tell_of_it_refuses_before_anything_is_paid(backend):
    with pytest.raises(CapabilityError, match='route="chat"'):
        solve_sync("go", BestOfN(2, LENGTH), generator=Model(backend, Params(max_tokens=5, form=FORM)))


@pytest.mark.parametrize(
    "form", ["{", "[]", '"json_object"', '{"temperature": 1}', "[" * 100_000, {"response_format": SHAPE}, None]
)
def test_what_is_no_form_is_a_mistake(form):
    with pytest.raises(ConfigError, match="form"):
        Params(form=form)


@pytest.mark.parametrize("floor", [None, ConfidenceFloor(2, 1.0)])
@pytest.mark.parametrize("form", ["", FORM])
def test_a_request_with_a_form_is_stored_and_is_another_one(floor, form):
    prompt, params = Prompt.of("go"), Params(logprobs=1, floor=floor, form=form)
    assert codec.load_request(codec.dump_request(prompt, params)) == (prompt, params)
    other = Params(logprobs=1, floor=floor)
    assert (codec.digest(prompt, params) == codec.digest(prompt, other)) is (form == "")


def test_a_journal_made_before_there_were_forms_stays_good():
    told = codec.dump_request(Prompt.of("go"), Params(logprobs=1, floor=ConfidenceFloor(2, 1.0)))
    assert json.loads(told)[5:] == [[2, 1.0]]
    assert len(json.loads(codec.dump_request(Prompt.of("go"), Params()))) == 5
