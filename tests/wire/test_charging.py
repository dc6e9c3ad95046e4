"""What answers are charged whose server does not count, or counts what nobody can have written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from searchkit.types import Params, Token, ToolCall
from searchkit.wire import Price, Route, answer, counts, parse, samples
from searchkit.wire.estimates import written
from tests.helpers import wire_cases as cases
from tests.wire.test_tokens import ASKED

ROUTES: list[Route] = list(ASKED)
ZEROS = dict.fromkeys(("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"), 0)
TEXT = "All of the sides are equal, so that their sum must be even. " * 20


def unsaid(route: Route, **sample: Any) -> Any:
    said = answer(parse(route, json.dumps(ASKED[route]).encode()), [cases.sample(TEXT, **sample)], id="a", created=0)
    del said["usage"]
    return said


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("usage", [None, {}, ZEROS])
def test_without_usage_and_limit_the_text_is_counted(route: Route, usage: Any) -> None:
    """By an estimate, and marked, as the guessed prompt is; zeros are what some servers say that do not count."""
    [sample] = samples(route, {**unsaid(route), "usage": usage}, Params(), Price(1e6, 2e6), prompt=9)
    used = sample.usage
    assert used.generated_tokens == written(TEXT) > 200
    assert (used.prompt_tokens, used.estimated_tokens, used.usd) == (9, 9 + written(TEXT), 9 + 2 * written(TEXT))
    assert used.longest_context == 9 + written(TEXT)


@pytest.mark.parametrize("route", ROUTES)
def test_without_usage_a_limit_is_the_worst_case(route: Route) -> None:
    [sample] = samples(route, unsaid(route), Params(max_tokens=500), prompt=9)
    assert (sample.usage.generated_tokens, sample.usage.estimated_tokens) == (500, 509)


@pytest.mark.parametrize("route", ["chat", "responses", "messages"])
def test_calls_and_reasoning_are_text_too(route: Route) -> None:
    request = parse(route, json.dumps(ASKED[route]).encode())
    called = cases.sample("", ToolCall("c", "f", json.dumps({"a": TEXT})), reasoning=TEXT)
    said = answer(request, [called], id="a", created=0)
    del said["usage"]
    [sample] = samples(route, said, Params())
    assert sample.usage.estimated_tokens >= 2 * written(TEXT)


@pytest.mark.parametrize("route", ["chat", "completions"])
def test_more_choices_than_were_sent(route: Route) -> None:
    """The best of eight is charged as eight."""
    [known] = samples(route, unsaid(route), Params(max_tokens=5), choices=8)
    [unknown] = samples(route, unsaid(route), Params(), choices=8)
    assert known.usage.generated_tokens == 40
    assert unknown.usage.generated_tokens == 8 * written(TEXT)


def test_rows_are_a_count_where_they_are_all_that_was_written() -> None:
    rows = (Token("a", -1.0), Token("b", -1.0))
    request = parse("chat", json.dumps({**ASKED["chat"], "logprobs": True}).encode())
    for reasoning, wanted in (("", (2, 0)), ("hm", (50, 50))):
        said = answer(request, [cases.sample("ab", logprobs=rows, reasoning=reasoning)], id="a", created=0)
        del said["usage"]
        [sample] = samples("chat", said, Params(max_tokens=50, logprobs=0))
        assert (sample.usage.generated_tokens, sample.usage.estimated_tokens) == wanted


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("absurd", [10**13, 10**400, -1, 1e999, True])
def test_counts_that_nobody_can_have_written(route: Route, absurd: Any) -> None:
    """No answer, with a price or without: nothing overflows."""
    for key in ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens"):
        said = {**unsaid(route), "usage": {key: absurd}}
        if key in ("prompt_tokens", "completion_tokens") == (route in ("chat", "completions")):
            with pytest.raises(ValueError, match="token count"):
                samples(route, said, Params(), Price(1.0, 1.0))


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_not_said_is_not_zero(route: Route) -> None:
    assert (counts(route, {}).prompt, counts(route, {}).generated) == (None, None)
