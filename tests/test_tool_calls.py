"""Tool calls as actions: which are the same, hostile arguments, labels, and what a live world is given."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from searchkit import Model, solve
from searchkit.calls import Request
from searchkit.environments import Guarded, ReplayEnvironment
from searchkit.environments.episode import plain
from searchkit.strategies import MCTS, BeamSearch
from searchkit.tool_calls import LONGEST, SHOWN, identity, label, meant, parsed, spelled
from searchkit.types import Message, Sample, Text, ToolCall, Usage
from searchkit.verifiers import Predicate


def call(arguments: str = "{}", name: str = "look", id: str = "1", text: str = "") -> Sample[str]:
    message = Message("assistant", (Text(text),) if text else (), (ToolCall(id, name, arguments),))
    return Sample(text, message, "tool_calls")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (call(id="1"), call(id="2")),
        (call('{"a": 1, "b": [2, null]}'), call('{"b":[2,null],"a":1}', id="x")),
        (call('{"a": "\\u0041"}'), call('{"a": "A"}')),
        (call('{"a": 1.50}'), call('{"a": 1.5}')),
        (call("not JSON"), call("not JSON", id="2")),
        (Sample(ToolCall("1", "look", "{}")), Sample(ToolCall("2", "look", "{ }"))),
        (Sample(call(id="1").message), Sample(call(id="2").message)),
    ],
)
def test_the_same_call(one: Sample[Any], other: Sample[Any]) -> None:
    """Neither its id nor how its arguments are laid out makes a call another one."""
    assert identity(one) == identity(other)
    assert label(one) == label(other)


@pytest.mark.parametrize(
    "other",
    [
        call('{"a": 2}'),
        call('{"a": 1.0}'),
        call('{"a": "1"}'),
        call('{"a": true}'),
        call('{"a": 1}', name="find"),
        call('{"a": 1}', text="I look."),
        call('{"a": 1, "a": 1}'),
        call('{"a": NaN}'),
        Sample("", call('{"a": 1}').message, "stop"),
        Sample("", None, "tool_calls"),
    ],
)
def test_other_calls(other: Sample[Any]) -> None:
    """Another name, argument, text or end makes another action."""
    assert identity(other) != identity(call('{"a": 1}'))


HOSTILE = {
    "deep": "[" * 50_000 + "]" * 50_000,
    "as deep as can just be read": "[" * 65 + "]" * 65,
    "deep objects": '{"a":' * 900 + "1" + "}" * 900,
    "long": json.dumps({"a": "x" * LONGEST}),
    "a key twice": '{"a": 1, "a": 2}',
    "a key twice, spelled otherwise": '{"a": 1, "\\u0061": 2}',
    "a key twice, below": '{"b": [{"a": 1, "a": 2}]}',
    "no number": '{"a": NaN}',
    "no finite number": '{"a": 1e999}',
    "more digits than a float has": '{"a": 0.10000000000000000001}',
    "a number that takes long to read": '{"a": ' + "9" * 5_000 + "}",
    "a tiny number": '{"a": 1e-99999999999999999999999}',
    "no JSON": "{'a': 1}",
    "cut off": '{"a": "b',
    "many quotes, none of which closes": '"' + '\\"' * 49_999,
    "nothing": "",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_arguments_are_compared_as_text(name: str) -> None:
    """They are not read in one way among several, nobody raises, and labels stay short and in one line."""
    text = HOSTILE[name]
    assert spelled(text) == text
    assert identity(call(text)) != identity(call(text + " "))
    assert len(label(call(text))) <= SHOWN


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_arguments_are_refused_or_read_in_the_one_way_that_there_is(name: str) -> None:
    """A number that a float cannot hold exactly is the nearest one; no arguments are an empty object."""
    readable = {"more digits than a float has": {"a": 0.1}, "a tiny number": {"a": 0.0}, "nothing": {}}
    if name in readable:
        assert parsed(HOSTILE[name]) == readable[name]
    else:
        with pytest.raises(ValueError, match=r"\S") as error:
            parsed(HOSTILE[name])
        assert len(str(error.value)) < 300


def test_the_same_deep_down_in_a_program() -> None:
    """What is read does not depend on how much of the stack is left."""

    def below(levels: int) -> str:
        return spelled('{"b": [[[[1]]]], "a": 1}') if not levels else below(levels - 1)

    assert below(800) == spelled('{"b": [[[[1]]]], "a": 1}')


def test_arguments_at_random_are_spelled_once() -> None:
    """What was spelled is spelled alike, and JSON that is laid out in any way comes to the same."""
    rng = random.Random(1)

    def value(depth: int) -> Any:
        plain: list[Any] = [None, True, rng.randrange(99), rng.random(), rng.choice("aé\n\u2028")]
        kinds = [lambda: [value(depth - 1) for _ in range(2)], lambda: {k: value(depth - 1) for k in "ba"}]
        return rng.choice(kinds)() if depth and rng.random() < 0.7 else rng.choice(plain)

    for _ in range(200):
        made = value(4)
        one, other = (
            json.dumps(made, sort_keys=True),
            json.dumps(made, indent=rng.choice([None, 1]), ensure_ascii=False),
        )
        assert spelled(other) == spelled(one) == one
        assert len(label(call(other)).splitlines()) == 1


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        (call('{"b": 1, "a": "é\\n"}'), 'look({"a": "é\\n", "b": 1})'),
        (call("two\nlines"), "look(two lines)"),
        (call('{"a": "\\ud800"}'), 'look({"a": "\\ud800"})'),
        (call(text="I look."), "I look."),
        (call(text=" \n"), "look({})"),
        (Sample("plain"), "plain"),
        (Sample(" "), " "),
        (Sample(3), "3"),
        (Sample([]), "[]"),
        (Sample("", Message("assistant", (), (ToolCall("1", "a", "1"), ToolCall("2", "b", "2")))), "a(1); b(2)"),
    ],
)
def test_labels(action: Sample[Any], shown: str) -> None:
    """A text as it is; a call in one line that can be written to any file."""
    assert label(action) == shown
    label(action).encode()


def test_what_is_meant() -> None:
    """The call without its id, all of several, the text where nothing is called, any other value as it is."""
    look, find = ToolCall("", "look", "{}"), ToolCall("", "find", "")
    assert plain(call(text="I look.")) == meant(call()) == look
    both = Message("assistant", (), (ToolCall("7", "look", "{}"), ToolCall("8", "find", "")))
    assert plain(Sample("", both)) == (look, find)
    assert plain(Sample(" left ")) == "left"
    assert plain(Sample({"a": 1}, both)) == {"a": 1}


# --- in searches -----------------------------------------------------------------------------------------------------


class Rooms:
    """Three rooms; to look into one ends the episode, and the reward is its number. done: every action it was given."""

    done: list[Any]

    def reset(self) -> str:
        self.done = []
        return "a corridor"

    def step(self, action: Any) -> Any:
        self.done.append(action)
        return "a room", json.loads(action.arguments)["room"] / 3, True


class Caller:
    """A backend that looks into one of three rooms, by the seed, under an id of its own."""

    name = "caller"

    async def complete(self, requests: Any) -> list[Any]:
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Sample[str]:
        said = Message(
            "assistant", (), (ToolCall(f"call-{request.seed}", "look", f'{{"room": {request.seed % 3 + 1}}}'),)
        )
        return Sample("", said, "tool_calls", usage=Usage(model_calls=1, generated_tokens=1))


@pytest.mark.parametrize(
    "environment", [ReplayEnvironment(Rooms), Guarded(ReplayEnvironment(Rooms), lambda *_: "pure")]
)
@pytest.mark.parametrize("trees", [1, 2])
def test_a_search_over_calls_sees_each_once(environment: Any, trees: int) -> None:
    """Nine calls into three rooms are three actions, the tree says which, and the world is given calls."""
    strategy = MCTS(Predicate(lambda _: 0.0), environment=environment, iterations=2, width=9, trees=trees)
    result = asyncio.run(solve("q", strategy, generator=Model(Caller())))
    assert result.answer == (ToolCall("", "look", '{"room": 3}'),)
    assert result.tree is not None
    assert sorted(result.tree.text[1:]) == [f'look({{"room": {room}}})' for room in (1, 2, 3)]


def test_long_calls_that_begin_alike_stay_apart_where_trees_are_merged() -> None:
    """Labels are cut; what makes nodes one is not."""

    class Long(Caller):
        def _one(self, request: Request) -> Sample[str]:
            arguments = json.dumps({"a": "x" * SHOWN, "room": request.seed % 3 + 1})
            return Sample("", Message("assistant", (), (ToolCall("1", "look", arguments),)), "tool_calls")

    strategy = MCTS(Predicate(len), environment=ReplayEnvironment(Rooms), iterations=2, width=9, trees=2)
    result = asyncio.run(solve("q", strategy, generator=Model(Long())))
    assert result.tree is not None
    assert len(result.tree) == 4


def test_an_irreversible_call_is_shown_and_put_off() -> None:
    """The plan names the call that is still to do."""
    guarded = Guarded(ReplayEnvironment(Rooms), lambda *_: "irreversible", irreversible="defer")
    strategy = BeamSearch(1, 1, Predicate(lambda answer: 1.0), guarded)
    result = asyncio.run(solve("q", strategy, generator=Model(Caller())))
    assert isinstance(result.answer.pending, ToolCall)
    assert result.answer.pending.name == "look"
    assert "pending: look({" in result.candidates[0].sample.text
