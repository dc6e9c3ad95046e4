"""Keys of JSON values and tool calls, votes over them, and the vote on each field."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit import Model, Params, solve, start
from searchkit.answers.keys import json_field
from searchkit.answers.structured import LONGEST, json_key, tool_key
from searchkit.calls import Request
from searchkit.errors import ConfigError
from searchkit.generators import Recorded
from searchkit.protocols import Backend
from searchkit.strategies import SelfConsistency, Vote
from searchkit.strategies.sampling.field_vote import FieldVote
from searchkit.strategies.selection.of_messages import OfMessages
from searchkit.strategy import Strategy
from searchkit.testing import Scripted, StrategyTests
from searchkit.types import Message, Sample, Scored, Text, ToolCall
from tests.helpers.selecting import candidate, select


def replay(strategy, *values):
    return asyncio.run(solve("q", strategy, generator=Recorded({"q": values})))


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1, "b": [1, 2]}', ' {"b":[1.0,2e0],"a":1}\n', True),
        ('{"a": 1}', '```json\n{"a": 1}\n```', True),
        ('{"a": 1}', '<think>{"a": 2}?</think>{"a": 1}', True),
        ('"caf\\u00e9"', '"café"', True),
        ("0.10", "1e-1", True),
        ("-0.0", "0", True),
        ('{"a": "<think>x</think>y"}', '<think>so</think>\n```\n{"a": "<think>x</think>y"}\n```', False),
        ('{"a": "<think>x</think>y"}', '{"a": "y"}', False),
        # ------------------------------ not the same
        ("[1, 2]", "[2, 1]", False),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": 0}', '{"a": null}', False),
        ('{"a": []}', '{"a": {}}', False),
        ('{"a": 1}', '{"a": 1, "b": null}', False),
        ('"README"', '"readme"', False),
        ("9007199254740993", "9007199254740992.0", False),
        ('["object", ["a", 1]]', '{"a": 1}', False),
    ],
)
def test_which_json_texts_are_the_same(one, other, same):
    """The table above: order of fields, spelling of numbers and white space do not count, all else does."""
    assert json_key(one) is not None
    assert (json_key(one) == json_key(other)) is same
    assert (repr(json_key(one)) == repr(json_key(other))) is same


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "{'a': 1}", '{"a": 1} or so', "NaN", '{"a": Infinity}', "1e999", '{"a": 1, "a": 2}', "[" * 100_000,
        "[" * 3000 + "]" * 3000, "9" * 5000, '"' + "x" * LONGEST + '"', '```json\n{"a": 1}', "<think>1",
    ],
)  # fmt: skip
def test_what_is_no_json_value_has_no_key(text):
    """Prose, cut off, ambiguous, not finite, too deep, too long: it abstains and nothing is raised."""
    assert json_key(text) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def same(a, b):
    """Equality as JSON means it: Python's, but True is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@settings(max_examples=60)
@given(st.lists(JSON, max_size=2), st.lists(JSON, max_size=2))
def test_keys_are_equal_where_values_are(a, b):
    """Any two values, one of them through its text; keys are hashable and their reprs agree with them."""
    assert (json_key(a) == json_key(json.dumps(b))) is same(a, b)
    assert json_key(a) == json_key(json.dumps(a, indent=1)) is not None
    assert (hash(json_key(a)), repr(json_key(a))) == (hash(json_key(json.dumps(a))), repr(json_key(json.dumps(a))))


def test_values_that_json_cannot_hold_have_no_key():
    """An agent may return anything; containers in themselves end."""
    loop = []
    loop.append(loop)
    for value in ({1: 2}, {1, 2}, object(), b"x", math.nan, [math.inf], loop):
        assert json_key(value) is None
    assert json_key((1, "a")) == json_key([1, "a"])


# ---------------------------------------------------------------- tool calls


def call(arguments, name="search", id="1"):
    return ToolCall(id, name, arguments)


def says(*calls, text=""):
    return Sample(text, Message("assistant", (Text(text),), calls), "tool_calls" if calls else "stop")


def test_calls_are_compared_by_name_and_arguments():
    """Not by id, spelling or order of fields; the order of calls counts, and blank arguments are none."""
    assert tool_key(call('{"q": "x", "k": 5}', id="1")) == tool_key(call('{"k":5.0,"q":"x"}', id="2"))
    assert tool_key(call("")) == tool_key(call("{}")) is not None
    assert tool_key(call("{}")) != tool_key(call("{}", "open"))
    assert tool_key(call('{"q": "X"}')) != tool_key(call('{"q": "x"}'))
    assert tool_key(call('{"q": "<think>x</think>"}')) not in (None, tool_key(call('{"q": ""}')))
    both = [call('{"q": 1}'), call('{"q": 2}')]
    assert tool_key(both) == tool_key(says(*both).message) != tool_key(both[::-1])


def test_what_is_no_sound_call_has_no_key():
    """Arguments that are no JSON object, and values without calls."""
    for value in (
        call("{"),
        call("[1]"),
        call("1"),
        call('"object"'),
        [call("{}"), call("x")],
        [],
        "text",
        None,
        says().message,
        {},
    ):
        assert tool_key(value) is None


def test_a_vote_over_tool_calls_reads_the_messages():
    """Three say the same call in three spellings, two another, one answers in text: the first of the three wins."""
    spellings = ['{"q": "x", "k": 1}', '{"k": 1, "q": "x"}', '{"k":1.0,"q":"x"}']
    samples = [says(call('{"q": "y"}'))] * 2 + [says(call(s)) for s in spellings] + [says(text="It is x.")]
    choice = select(OfMessages(Vote(tool_key)), *map(candidate, samples))
    assert (choice.index, choice.score) == (2, 3 / 5)
    assert select(OfMessages(Vote(tool_key)), candidate("text")).index is None
    weighted = [candidate(s, w) for s, w in zip(samples, (0.9, 0.8, 0.1, 0.5, 0.1, 0.9), strict=True)]
    assert select(OfMessages(Vote(tool_key, weighted=True)), *weighted).index == 0


# ---------------------------------------------------------------- fields


def test_each_field_is_voted_on_by_itself():
    """No sample has Rome, 1960 and 83 together: city and year 2 to 1, teams as first seen, nobody names a mayor."""
    texts = [
        '{"city": "Rome", "year": 1956, "teams": 83}',
        '{"city": "Oslo", "year": 1960.0}',
        'I think {"city": "rome", "year": 1960, "teams": 84}',
    ]
    strategy = FieldVote(3, ("city", "year", "teams", "mayor"))
    result = replay(strategy, *texts)
    assert json.loads(result.answer) == {"city": "Rome", "year": 1960, "teams": 83}
    assert result.answer not in texts
    assert result.sample.text == result.answer
    assert [c.sample.value for c in result.candidates] == texts
    dicts = replay(strategy, *map(json.loads, texts[:2]), {"city": "rome", "year": 1960, "teams": 84})
    assert dicts.answer == {"city": "Rome", "year": 1960, "teams": 83}
    assert json.loads(dicts.sample.text) == dicts.answer


def test_a_sample_that_agrees_in_all_fields_is_the_answer_itself():
    """Nothing is put together where that is not needed: other fields and the spelling are the sample's own."""
    texts = ['{"a": 1, "b": 2}', '{"a": 1.0, "b": 3, "why": "so"}', '{"a": 2, "b": 3}']
    assert replay(FieldVote(3, ("a", "b")), *texts).answer == texts[1]
    mixed = ['{"a": true}', '{"a": 1}', '{"a": 1}']
    assert replay(FieldVote(3, ("a",)), *mixed).answer == mixed[1]  # true is not 1


def test_truncated_samples_and_samples_without_fields_do_not_vote():
    """Two truncated votes lose against one; without any field the first complete sample is returned."""
    cut = Sample('{"a": 1}', finish="length")
    assert replay(FieldVote(3, ("a",)), cut, '{"a": 2}', cut).answer == '{"a": 2}'
    assert replay(FieldVote(3, ("a",)), cut, "prose", '{"b": 2}').answer == "prose"


@pytest.mark.parametrize("bad", ["[" * 500 + "]" * 500, '"\\ud800"', "9" * 4000, '"' + "x" * 2000 + '"', "NaN"])
def test_hostile_values_end_no_search(bad):
    """Deep, half a character, long, not a number: one vote among others, or none."""
    result = replay(FieldVote(2, ("a", "b")), f'{{"a": {bad}, "b": 1}}', '{"a": 5, "b": 2}')
    assert result.answer


def reply(request: Request) -> str:
    seed = request.seed
    return json.dumps({"a": seed % 3, "b": seed // 3 % 3}) if seed % 7 else "no idea"


class TestFieldVote(StrategyTests):
    def strategy(self) -> Strategy:
        return FieldVote(5, ("a", "b"))

    def elections(self, result):
        return [(json_field(name), result.candidates) for name in "ab"]

    def narrow(self) -> Strategy:
        return FieldVote(1, ("a", "b"))

    async def may_be_chosen(self, found: Sequence[Scored]) -> list[Scored]:
        """The sample that says what most say of each field, else an answer that says it; "no idea" if nobody does."""
        said = [json.loads(one.sample.text) for one in found if one.sample.text != "no idea"]
        if not said:
            return [found[0]]
        most = {name: Counter(one[name] for one in said).most_common(1)[0][0] for name in "ab"}  # of equals the first
        whole = [one for one in found if one.sample.text == json.dumps(most)]
        return whole[:1] or [Scored(Sample(json.dumps(most), Message("assistant", (Text(json.dumps(most)),))))]

    def backend(self) -> Backend:
        return Scripted(reply)


def test_on_a_model_all_samples_are_paid_and_the_vote_on_objects_differs():
    """Five generations; self-consistency over whole objects returns one that was said."""
    model = Model(Scripted(reply), Params(max_tokens=12))
    result = asyncio.run(solve("q", FieldVote(5, ("a", "b")), generator=model))
    assert result.usage.generations == 5
    whole = asyncio.run(solve("q", SelfConsistency(5, json_key), generator=model))
    assert whole.answer in [c.sample.value for c in whole.candidates]


def test_mistakes_are_named():
    """One clear sentence each; configuration pickles."""
    for make, word in (
        (lambda: FieldVote(0, ("a",)), "n >= 1"),
        (lambda: FieldVote(3, ()), "tuple of different names"),
        (lambda: FieldVote(3, "ab"), "tuple of different names"),
        (lambda: FieldVote(3, ("a", "a")), "tuple of different names"),
        (lambda: OfMessages(tool_key), "Vote"),
    ):
        with pytest.raises(ConfigError, match=word):
            make()
    rule = OfMessages(Vote(tool_key))
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_stopped_the_answer_is_put_together_from_what_has_come_back() -> None:
    """Field by field, as at the end; the candidates are what was said."""
    said = ['{"a": 1, "b": 2, "c": 9}', '{"a": 1, "b": 8, "c": 3}', '{"a": 7, "b": 2, "c": 3}']

    class Three:
        name = "three"

        async def complete(self, requests: Any) -> list[Any]:
            if requests[0].index >= 3:
                await asyncio.Event().wait()
            return [Sample(said[requests[0].index])]

    async def main() -> None:
        search = start("q", FieldVote(4, ("a", "b", "c")), generator=Model(Three()))
        assert search.best() is None
        for _ in range(100):
            await asyncio.sleep(0)
        best = search.best()
        assert best is not None
        assert best.sample.value == '{"a": 1, "b": 2, "c": 3}'
        search.stop()
        result = await search
        assert (result.answer, result.stopped) == (best.sample.value, "cancelled")
        assert [one.sample.text for one in result.candidates] == said
        assert search.best() == best

    asyncio.run(main())
