"""Answers of chat and completions with odd fields: what is paid for is read, what is unknown is unknown."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.types import Params
from searchkit.wire import choices
from searchkit.wire.contents import arguments, calls, loose, said
from searchkit.wire.errors import Malformed, Reported
from searchkit.wire.fields import read_answer
from searchkit.wire.finishes import finish_of
from searchkit.wire.logprobs import tokens

WHOLE = ["stop", "STOP", "Stop", "eos", "EOS", "eos_token", "endoftext", "end_turn", "end_of_turn", "stop_sequence",
         "STOP_SEQUENCE", "COMPLETE", "complete", "completed", "FINISH"]  # fmt: skip
CALLED = ["tool_calls", "TOOL_CALLS", "tool_call", "tool_use", "function_call", "Function_Call"]
FILTERED = ["content_filter", "CONTENT_FILTER", "content_filtered", "SAFETY", "refusal", "RECITATION", "SPII", "sensitive",
            "guardrail_intervened", "ERROR_TOXIC", "IMAGE_SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT"]  # fmt: skip
CUT: list[Any] = [
    "length", "LENGTH", "max_tokens", "MAX_TOKENS", "max_output_tokens", "max_new_tokens", "token_limit", "out_of_tokens",
    "context_length_exceeded", "abort", "aborted", "cancelled", "canceled", "timeout", "time_limit", "preempted", "evicted",
    "error", "network_error", "insufficient_system_resource", "server_shutdown", "disconnected", "budget", "loop_detected",
    "repetition_truncation", "stopped", "stopping", "not_stop", "stop\x00", "stop\x0b", "stop\u00a0", "st0p", "ѕtop", "ſtop", "stop\u200b",
    "eo\u017f", "max-stop", "stop_by_user", "interrupted", "pause_turn", "unknown", "none", "null", "NULL", "undefined", "nan",
    "", None, True, False, 0, 1, 1.0, [], ["stop"], {}, {"type": "stop"}, "OTHER", "FINISH_REASON_UNSPECIFIED", "stop,length",
]  # fmt: skip


@pytest.mark.parametrize(("reasons", "finish"), [(WHOLE, "stop"), (CALLED, "tool_calls"), (FILTERED, "content_filter"), (CUT, "length")])  # fmt: skip
def test_finish_reasons(reasons: list[Any], finish: str) -> None:
    assert {str(reason): finish_of(reason) for reason in reasons} == {str(reason): finish for reason in reasons}


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_a_reason_out_of_thin_air_is_never_a_whole_answer(reason: Any) -> None:
    known = {name.lower() for name in (*WHOLE, *CALLED, *FILTERED)}
    assert finish_of(reason) == "length" or (isinstance(reason, str) and reason.strip(" \t\r\n").lower() in known)


def chat(message: Any = None, finish: Any = "stop", **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish, **choice}]}


def read(answer: Any, **params: Any) -> Any:
    [one] = choices.samples(json.dumps(answer).encode(), Params(**params), None)
    return one


CONTENTS: list[tuple[Any, str]] = [
    ("4", "4"),
    (None, ""),
    ("", ""),
    ([], ""),
    ([{"type": "text", "text": "4"}], "4"),
    ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
    ([{"text": "4"}], "4"),
    ([{"type": "output_text", "text": "4"}], "4"),
    ([{"type": "text", "text": ["4"]}, {"type": "text", "text": "5"}], "45"),
    ([{"type": "text", "text": {"value": "4"}}, "5"], "45"),
    ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "4"}], "4"),
    ([{"type": None, "text": "4"}, "5"], "5"),
    ([{"type": 7, "text": "4"}, "5"], "5"),
    ([None, "4", None], "4"),
    ({"type": "text", "text": "4"}, "4"),
    ({"text": "4"}, "4"),
    ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "4"}], "4"),
    ([{"type": "reasoning", "reasoning": "hm"}, "4"], "4"),
    ("a\ud800b", "a?b"),
    ([{"type": "text", "text": "\udfff"}], "?"),
]


@pytest.mark.parametrize(("content", "text"), CONTENTS)
def test_contents(content: Any, text: str) -> None:
    assert said({"content": content}).text == text
    assert read(chat({"content": content})).text == text


@pytest.mark.parametrize(
    "content", [5, 0, 1.5, True, False, {"a": "b"}, {}, [5], [["4"]], [True], {"answer": "4"}, [{"a": 1}]]
)
def test_contents_that_nobody_can_read(content: Any) -> None:
    """Which text is meant is a guess: no sample, and no crash."""
    with pytest.raises(ValueError, match="another type"):
        read(chat({"content": content}))


@pytest.mark.parametrize(
    "message", [None, {}, [], "4", 5, True, {"role": "assistant"}, {"refusal": None}, {"tool_calls": []}]
)
def test_messages_that_say_nothing_are_no_whole_answer(message: Any) -> None:
    with pytest.raises(ValueError, match=r"neither a message|says nothing"):
        read(chat(message))
    if isinstance(message, dict):
        assert read(chat(message, "length")).truncated


@pytest.mark.parametrize(
    ("value", "text"),
    [("hm", "hm"), (None, ""), (3, ""), (False, ""), ([], ""), ({}, ""), (["a", "b"], "ab"), ([{"text": "a"}, None, "b"], "ab"),
     ({"content": "a"}, "a"), ({"summary": [{"type": "summary_text", "text": "a"}]}, "a"), ({"a": "b"}, ""),
     ({"text": None, "content": "a"}, "a"), ([[["a"]]], "a"), (["a\ud800"], "a?")],
)  # fmt: skip
@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thoughts_never_cost_an_answer(value: Any, text: str, field: str) -> None:
    found = read(chat({"content": "4", field: value}))
    assert (found.text, found.message.reasoning) == ("4", text)


def test_deep_thoughts_are_bounded() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert loose(deep) == ""


ARGUMENTS: list[tuple[Any, str]] = [
    (None, "{}"), ("", "{}"), (" ", "{}"), ("\n\t", "{}"), ("{}", "{}"), ({}, "{}"), ({"a": 2}, '{"a": 2}'), ([], "[]"), ([1], "[1]"),
    ({"ä": "\ud800"}, '{"ä": "?"}'), (5, "5"), (True, "true"), ('{"a": ', '{"a": '), ("null", "null"), ({"a": {"b": [None]}}, '{"a": {"b": [null]}}'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), ARGUMENTS)
def test_arguments(value: Any, text: str) -> None:
    assert arguments(value) == text
    [call] = calls({"tool_calls": [{"function": {"name": "f", "arguments": value}}]})
    assert call.arguments == text


def test_deep_arguments_are_refused() -> None:
    deep: Any = 1
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(Malformed, match="deep"):
        arguments(deep)


F = {"name": "f", "arguments": "{}"}
LISTED: list[tuple[Any, list[str]]] = [
    ([{"id": "a", "function": F}], ["a"]),
    ([{"id": 7, "function": F}], ["7"]),
    ([{"id": None, "function": F}, {"function": F}], ["", ""]),
    ([{"id": [1], "function": F}], [""]),
    ([{"id": 10**30, "function": F}], [""]),
    ([{"id": True, "function": F}], [""]),
    ([None, {"id": "a", "function": F}, None], ["a"]),
    ({"id": "a", "function": F}, ["a"]),
    ([{"id": "a", **F}], ["a"]),
    ([{"id": "a", "function": F, "index": None, "type": 3}], ["a"]),
    ([], []),
    ({}, []),
    ("", []),
    (None, []),
    (0, []),
    (False, []),
]


@pytest.mark.parametrize(("listed", "ids"), LISTED)
def test_calls(listed: Any, ids: list[str]) -> None:
    found = read(chat({"content": "", "tool_calls": listed}))
    assert [call.id for call in found.message.tool_calls] == ids
    assert found.finish == ("tool_calls" if ids else "stop")


@pytest.mark.parametrize("listed", ["f()", 5, True, ["f()"], [5], [{}], [{"function": "f"}], [{"function": {"name": None}}],
                                    [{"function": {"name": ["f"]}}], [{"id": "a"}], [[]], {"a": 1}])  # fmt: skip
def test_calls_without_a_name_are_none(listed: Any) -> None:
    """Which tool is meant cannot be told."""
    with pytest.raises(ValueError, match=r"tool call has no name|another type"):
        read(chat({"content": "x", "tool_calls": listed}))


NAN = math.nan
ROWS: list[tuple[Any, list[float] | None]] = [
    (None, None), ({}, None), ([], None), ("none", None), (5, None), (True, None), ({"content": None}, None), ({"content": {}}, None),
    ({"content": []}, []),
    ({"content": [{"token": "a", "logprob": -1}]}, [-1.0]),
    ({"content": [{"token": "a", "logprob": None}]}, [NAN]),
    ({"content": [{"token": "a"}]}, [NAN]),
    ({"content": [{"logprob": -1}]}, [-1.0]),
    ({"content": [None, 5, "a", [], {}]}, [NAN] * 5),
    ({"content": [{"token": "a", "logprob": "-1"}]}, [NAN]),
    ({"content": [{"token": "a", "logprob": "nan"}]}, [NAN]),
    ({"content": [{"token": "a", "logprob": True}]}, [NAN]),
    ({"content": [{"token": "a", "logprob": [1]}]}, [NAN]),
    ({"content": [{"token": "a", "logprob": 5.0}]}, [NAN]),
    ({"content": [{"token": "a", "logprob": 1e-6}]}, [1e-6]),
    ({"content": [{"token": "a", "logprob": -(10**400)}]}, [NAN]),
    ({"content": [{"token": "a", "logprob": -math.inf}]}, [-math.inf]),
    ({"tokens": ["a", "b"], "token_logprobs": [-1, -2]}, [-1.0, -2.0]),
    ({"tokens": ["a", "b"], "token_logprobs": [-1]}, [NAN, NAN]),
    ({"tokens": ["a", "b"], "token_logprobs": None}, [NAN, NAN]),
    ({"tokens": ["a", "b"], "token_logprobs": [None, -2], "top_logprobs": [None, {"b": -2}]}, [NAN, -2.0]),
    ({"tokens": ["a"], "token_logprobs": [-1], "top_logprobs": [{"a": -1}, {"b": -2}]}, [-1.0]),
    ({"tokens": "ab", "token_logprobs": [-1, -2]}, None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "logs"), ROWS)
def test_log_probabilities(value: Any, logs: list[float] | None) -> None:
    found = tokens(value)
    assert (None if found is None else [token.logprob for token in found]) == (
        logs if logs is None else pytest.approx(logs, nan_ok=True)
    )
    assert read(chat({"content": "4"}, logprobs=value)).text == "4"


@pytest.mark.parametrize("rivals", [None, [], {}, "ab", 5, [None], [5], [{}], [{"token": "b"}], [{"logprob": -1}],
                                    [{"token": "b", "logprob": None}], [{"token": None, "logprob": -1}], [[]]])  # fmt: skip
def test_rivals_of_which_something_is_unknown_are_left_out(rivals: Any) -> None:
    found = tokens({"content": [{"token": "a", "logprob": -1, "top_logprobs": rivals}]})
    assert found is not None
    assert found[0].top == ()


@pytest.mark.parametrize("index", [None, "0", [], {}, 1.5, True, -1, 10**40])
def test_indexes(index: Any) -> None:
    """The choices come in the order in which they were, or that they say."""
    answer = {
        "choices": [{"index": index, "message": {"content": "a"}}, None, {"index": 5, "message": {"content": "b"}}]
    }
    assert {s.text for s in choices.samples(json.dumps(answer).encode(), Params(), None)} == {"a", "b"}


@pytest.mark.parametrize("found", [None, 5, "x", True, [], {}, [None], {"0": {"message": {"content": "4"}}}])
def test_choices_that_are_none(found: Any) -> None:
    with pytest.raises(ValueError, match="no choices"):
        read({"choices": found})


@pytest.mark.parametrize(
    "choice",
    ["4", 5, True, [], [{"message": {"content": "4"}}], {"delta": {"content": "4"}}, {"text": None}, {"text": 4}],
)
def test_a_choice_that_is_none(choice: Any) -> None:
    with pytest.raises(ValueError, match=r"neither a message|another type"):
        read({"choices": [choice]})


@pytest.mark.parametrize("error", [{"message": "no"}, "no", ["no"], {"code": 429, "message": "no"}])
def test_a_choice_with_an_error(error: Any) -> None:
    with pytest.raises(Reported, match="no"):
        read(chat({"content": "4"}, "error", error=error))
    assert read(chat({"content": "4"}, "error", error=None)).truncated
    with pytest.raises(Reported, match="gave up"):
        read(chat({"content": ""}, "error"))


REFUSALS = [
    ({"content": None, "refusal": "no"}, "no"),
    ({"content": "", "refusal": "no"}, "no"),
    ({"content": "Sorry.", "refusal": "no"}, "Sorry.\nno"),
    ({"content": "no", "refusal": "no"}, "no"),
    ({"refusal": "no"}, "no"),
    ({"content": [{"type": "refusal", "refusal": "no"}]}, "no"),
    ({"content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}]}, "a\nno"),
    ({"content": None, "refusal": {"text": "no"}}, "no"),
    ({"content": None, "refusal": ["n", "o"]}, "no"),
]


@pytest.mark.parametrize(("message", "text"), REFUSALS)
@pytest.mark.parametrize("finish", ["stop", "content_filter", "tool_calls"])
def test_refusals(message: dict[str, Any], text: str, finish: str) -> None:
    found = read(chat(message, finish))
    assert (found.text, found.finish, found.truncated) == (text, "content_filter", True)


@pytest.mark.parametrize("refusal", [None, "", False, 0, [], {}, {"a": 1}])
def test_refusals_that_are_none(refusal: Any) -> None:
    assert read(chat({"content": "4", "refusal": refusal})).finish == "stop"


@pytest.mark.parametrize("raw", [b"[" * 10**5, b'{"a":' * 10**5, b"[" * 10**5 + b"]" * 10**5, b'[{"a":' * 50_000])
def test_deep_json(raw: bytes) -> None:
    with pytest.raises(Malformed, match="deep"):
        read_answer(raw)


def test_many_brackets() -> None:
    """Counted before anything is made of them."""
    raw = b'{"choices": [' + b"[]," * 1000 + b"[]]}"
    assert len(read_answer(raw, 2003)["choices"]) == 1001
    with pytest.raises(Malformed, match="brackets"):
        read_answer(raw, 1000)
    assert read_answer("[[]]", 1) == [[]]  # a text is ours


@pytest.mark.parametrize("digits", [641, 5000, 100_000])
def test_long_numbers(digits: int) -> None:
    """As long as Python takes, or longer."""
    found = read_answer(f'{{"x": {"9" * digits}, "y": -{"9" * digits}, "z": 7}}'.encode())
    assert found["z"] == 7
    assert found["x"] > 10**300 > -(10**300) > found["y"]
