"""Log-probabilities and token counts, in the words of each API."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.errors import ConfigError
from searchkit.types import Params, Token, ToolCall
from searchkit.wire import Counts, Price, Route, answer, counts, parse, samples
from searchkit.wire.logprobs import columns, of_rows, rows, tokens
from searchkit.wire.usage import for_choices, for_message, for_response
from tests.helpers import wire_cases as cases

USER = [{"role": "user", "content": "Hi"}]
ASKED: dict[Route, dict[str, Any]] = {
    "chat": {"model": "m", "messages": USER},
    "completions": {"model": "m", "prompt": "Hi"},
    "responses": {"model": "m", "input": "Hi"},
    "messages": {"model": "m", "messages": USER},
}
WRITTEN: dict[Route, Any] = {
    "chat": for_choices,
    "completions": for_choices,
    "responses": for_response,
    "messages": for_message,
}


@given(st.lists(st.builds(Token, cases.texts, st.floats(-99, 0), st.just((("a", -1.0), ("b", -2.5)))), max_size=4))
def test_tokens_there_and_back(drawn: list[Token]) -> None:
    """As rows of chat, as those of responses, and as columns of completions."""
    listed = json.loads(json.dumps([rows(drawn), columns(drawn)]))
    assert tokens({"content": listed[0]}) == of_rows(listed[0]) == tuple(drawn)
    assert tokens(listed[1]) == tuple(drawn)
    assert [bytes(row["bytes"]).decode() for row in listed[0]] == [token.text for token in drawn]


def test_numbers_that_json_does_not_have() -> None:
    """Probability 0 is said as OpenAI says it; what is no number leaves the whole list unknown."""
    never = (Token("a", -math.inf, (("b", -math.inf), ("c", -0.5))),)
    wanted = [{"token": "a", "logprob": -9999.0, "bytes": [97]}, {"token": "b", "logprob": -9999.0, "bytes": [98]}]
    [row] = rows(never) or []
    assert [{**row, "top_logprobs": None}, row["top_logprobs"][0]] == [{**wanted[0], "top_logprobs": None}, wanted[1]]
    found = columns(never)
    assert found is not None
    assert (found["token_logprobs"], found["top_logprobs"]) == ([-9999.0], [{"b": -9999.0, "c": -0.5}])
    for token in (Token("a", math.nan), Token("a", -1.0, (("b", math.nan),))):
        assert rows([token]) is columns([token]) is None
    assert rows(None) is columns(None) is None


@pytest.mark.parametrize("route", ASKED)
@pytest.mark.parametrize("found", [Counts(9, 4, 7, 3), Counts(9, 0, 0, None), Counts(0, 0, 5, 0), Counts(9, 9, 1, 1)])
def test_counts_there_and_back(route: Route, found: Counts) -> None:
    """The responses API alone cannot leave the reasoning open."""
    usage = WRITTEN[route](found)
    wanted = (
        Counts(found.prompt, found.cached, found.generated, found.reasoning or 0) if route == "responses" else found
    )
    assert counts(route, {"usage": usage}) == wanted
    assert usage.get("total_tokens", 0) in (0, found.prompt + (found.generated or 0))


@pytest.mark.parametrize("route", ASKED)
def test_counts_that_are_none(route: Route) -> None:
    """A word, a fraction, a number below 0 or beyond all measure says nothing: an answer is not lost for it."""
    assert counts(route, {}).generated is None
    names = ("completion_tokens",) if route in ("chat", "completions") else ("output_tokens",)
    for wrong in ("seven", "", "-7", "7" * 40, -1, 1.5, True, [7], {"n": 7}, None, math.nan, math.inf, 1e308, 10**400):
        assert counts(route, {"usage": dict.fromkeys(names, wrong)}).generated is None
    for same in (7, 7.0, "7"):
        assert counts(route, {"usage": dict.fromkeys(names, same)}).generated == 7
    for wrong in ([7], "7", 7, True):
        assert counts(route, {"usage": wrong}).generated is None


@pytest.mark.parametrize("route", ASKED)
def test_more_cached_than_read(route: Route) -> None:
    """No more than the prompt can have been in the cache: prices are taken of the rest."""
    said = {
        "usage": {
            "prompt_tokens": 3, "input_tokens": 3, "completion_tokens": 1, "output_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 8}, "input_tokens_details": {"cached_tokens": 8},
        }
    }  # fmt: skip
    found = counts(route, said)
    assert 0 <= found.cached <= found.prompt == 3


@pytest.mark.parametrize("route", ASKED)
def test_what_was_not_counted_is_charged_at_the_worst(route: Route) -> None:
    """The limit, marked as an estimate; and money, by the price."""
    request = parse(route, json.dumps(ASKED[route]).encode())
    said = answer(request, [cases.SAMPLES["text"]], id="a", created=0)
    [sample] = samples(route, said, Params(max_tokens=50), Price(1e6, 2e6))
    assert (sample.usage.generated_tokens, sample.usage.estimated_tokens, sample.usage.usd) == (5, 0, 7 + 2 * 5)
    del said["usage"]
    [sample] = samples(route, said, Params(max_tokens=50), Price(1e6, 2e6))
    assert (sample.usage.generated_tokens, sample.usage.estimated_tokens, sample.usage.usd) == (50, 50, 100)


@pytest.mark.parametrize("route", ASKED)
def test_an_answer_has_the_samples_that_its_api_can_carry(route: Route) -> None:
    """None is never enough; two are too many for responses and messages."""
    request = parse(route, json.dumps(ASKED[route]).encode())
    for drawn in ([], [cases.SAMPLES["text"]] * 2):
        if drawn and route in ("chat", "completions"):
            assert len(answer(request, drawn, id="a", created=0)["choices"]) == 2
            continue
        with pytest.raises(ConfigError, match="samples"):
            answer(request, drawn, id="a", created=0)


def test_how_an_answer_says_why_it_ended() -> None:
    """What one API has no word for is said in its nearest: a named tool's call, a call in plain text, a stop string."""
    request = {route: parse(route, json.dumps(body).encode()) for route, body in ASKED.items()}
    named = cases.sample("", ToolCall("c", "f", "{}"))
    called = cases.sample("a", finish="tool_calls")
    stopped = cases.sample("a", stop="\n")
    said = answer(request["messages"], [named], id="a", created=0)
    assert said["stop_reason"] == "tool_use"
    assert answer(request["chat"], [named], id="a", created=0)["choices"][0]["finish_reason"] == "stop"
    assert answer(request["completions"], [called], id="a", created=0)["choices"][0]["finish_reason"] == "stop"
    for route in ("chat", "completions"):
        found = answer(request[route], [stopped], id="a", created=0)  # type: ignore[index]
        assert found["choices"][0]["stop_reason"] == "\n"
        [back] = samples(route, found, Params(stop=("\n",)))  # type: ignore[arg-type]
        assert back == stopped
