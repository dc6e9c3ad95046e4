"""What an answer shows that nobody asked for: a prompt that was cut, a stop string that was not named, or not sent."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest

from searchkit import Model, Params, Prompt, Sample, SearchWarning, solve_sync
from searchkit.calls import Request
from searchkit.environments import TextSteps
from searchkit.generators import OpenAI
from searchkit.generators.openai.noticed import ended_at
from searchkit.strategies import SelfConsistency
from searchkit.testing.server import Server
from searchkit.types import ConfidenceFloor, Message, Text, Token
from tests.attacks.hostile import Hostile, call, case, completion, events, http, sample

PARAMS = Params(max_tokens=16)
ENGLISH = "The quick brown fox jumps over the lazy dog. "
GERMAN = "Donaudampfschifffahrtsgesellschaftskapitänsmützen sind Rechtsschutzversicherungsgesellschaften. "
CHINESE = "今天天气很好,我们去公园散步吧。"
CODE = "def f(x):\n            return x        # " + "-" * 60 + "\n\n\n"


def counted(tokens: int | None) -> bytes:
    usage = None if tokens is None else {"prompt_tokens": tokens, "completion_tokens": 5}
    return http({**completion(), "usage": usage})


# ---------------------------------------------------------------- cut prompts

CUT = [
    case("ollama-2048", ENGLISH * 1000, 2048),
    case("ollama-4096", ENGLISH * 1000, 4096),
    case("half-of-num-ctx", ENGLISH * 1000, 1026),
    case("twelve-tokens", "word " * 20_000, 12),
    case("one-token", ENGLISH * 100, 1),
    case("german", GERMAN * 500, 2048),
    case("chinese", CHINESE * 3000, 4096),
    case("code", CODE * 3000, 2048),
    case("numbers", "".join(str(i) for i in range(20_000)), 4096),
    case("lines", "\n".join(f"line {i} of the document" for i in range(5000)), 4096),
]
WHOLE = [
    case("english", ENGLISH * 1000, 10_000),
    case("long-words", GERMAN * 500, 500 * 16),
    case("german-in-a-large-vocabulary", GERMAN * 500, 500 * 14),
    case("chinese", CHINESE * 3000, 3000 * 10),
    case("a-space-run", "x" + " " * 100_000 + "y", 800),
    case("a-row-of-dashes", "-" * 100_000, 1600),
    case("indented-code", CODE * 1000, 1000 * 16),
    case("short", ENGLISH * 10, 4),
    case("nothing-counted", ENGLISH * 1000, None),
    case("zero", ENGLISH * 1000, 0),
]


@pytest.mark.parametrize(("text", "tokens"), CUT)
def test_a_prompt_that_was_cut_is_said(text: str, tokens: int) -> None:
    """Once, with both figures and what helps; the answer stands."""
    with Hostile(counted(tokens)) as server:
        backend = OpenAI(server.url, "m")
        with pytest.warns(SearchWarning, match=f"read {tokens} tokens .* {len(text)} characters.*num_ctx") as caught:
            entries = asyncio.run(backend.complete([Request(Prompt.of(text), PARAMS, i) for i in range(3)]))
    assert len(caught) == 1
    assert all(isinstance(entry, Sample) for entry in entries)


@pytest.mark.parametrize(("text", "tokens"), WHOLE)
def test_a_prompt_that_was_read_is_not_doubted(text: str, tokens: int | None) -> None:
    """Whatever the language, and however many characters of a kind stand in a row."""
    with Hostile(counted(tokens)) as server:
        assert isinstance(call(server.url, PARAMS, Prompt.of(text)), Sample)


def test_what_is_rendered_is_not_compared() -> None:
    """`render` may shorten a conversation on purpose."""
    with Hostile(counted(12)) as server:
        entry = call(
            server.url, PARAMS, Prompt.of(ENGLISH * 1000), route="completions", render=lambda prompt: prompt.text[:40]
        )
    assert isinstance(entry, Sample)


# ---------------------------------------------------------------- stop strings that nobody names


@pytest.mark.parametrize("stop", ["\n", "\n\n", " ", "\t", "\r\n"])
def test_steps_that_nobody_can_tell_are_said(stop: str) -> None:
    """A stop of white space, and an answer in which no field could name it."""
    with pytest.warns(SearchWarning, match="neither keeps nor names"):
        sample(http(completion()), Params(max_tokens=16, stop=(stop,)))


@pytest.mark.parametrize(
    ("answer", "stop"),
    [
        case("named-null", completion(stop_reason=None), "\n"),
        case("named", completion(stop_reason="\n"), "\n"),
        case("matched", completion(matched_stop=151645), "\n"),
        case("kept", completion("one\n"), "\n"),
        case("cut-off", completion(finish="length"), "\n"),
        case("a-stop-that-ends-an-answer", completion(), "</answer>"),
        case("a-mark", completion(), "##"),
        case("a-question", completion(), "\n\nQ:"),
    ],
)
def test_where_it_can_be_told_or_does_not_matter_nothing_is_said(answer: dict[str, Any], stop: str) -> None:
    """A name (null is one: none fired), the string itself, another end, or a string that ends an answer."""
    sample(http(answer), Params(max_tokens=16, stop=(stop,)))


def test_a_text_that_names_the_field_is_no_name() -> None:
    """The model may write what it likes."""
    with pytest.warns(SearchWarning, match="neither keeps nor names"):
        sample(http(completion('{"stop_reason": "x", "matched_stop": "y"}')), Params(max_tokens=16, stop=("\n",)))


@pytest.mark.parametrize(("profile", "said"), [("llama.cpp", 1), ("ollama", 1), ("vllm", 0), ("sglang", 0)])
def test_a_search_over_steps_says_it_once(profile: str, said: int) -> None:
    """It is what such a search needs; a vote over whole answers does not."""
    with Server(profile, reply=lambda prompt, seed, params: "one\ntwo") as server:
        model = Model(OpenAI(server.url, "test-model"), Params(max_tokens=8))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            solve_sync("question", SelfConsistency(2), generator=model)
            assert not caught
            params = TextSteps().step_params(_Run())  # type: ignore[arg-type]
            solve_sync("question", SelfConsistency(2), generator=model, params=params)
    assert len(caught) == said


class _Run:
    params = Params(max_tokens=8)


# ---------------------------------------------------------------- stop strings that are not sent


@pytest.mark.parametrize(
    ("text", "stops", "left", "fired"),
    [
        case("in-the-middle", "one END two", ("END",), "one ", "END"),
        case("at-the-end", "one END", ("END",), "one ", "END"),
        case("at-the-beginning", "END one", ("END",), "", "END"),
        case("the-first-of-two", "a\nb\n\nc", ("\n\n", "\n"), "a", "\n"),
        case("the-longer-at-one-place", "a\n\nb", ("\n", "\n\n"), "a", "\n\n"),
        case("not-there", "one two", ("END",), "one two", None),
        case("no-stops", "one END", (), "one END", None),
        case(
            "beyond-the-plane", "\N{PILE OF POO}\N{PILE OF POO}END", ("END",), "\N{PILE OF POO}\N{PILE OF POO}", "END"
        ),
    ],
)
def test_a_text_ends_before_a_stop_that_was_not_sent(
    text: str, stops: tuple[str, ...], left: str, fired: str | None
) -> None:
    """As it would have, had the server been told; what it costs is what was written."""
    params = Params(max_tokens=16, stop=stops)
    found = sample(http(completion(text, "length")), params, leave_out=("stop",))
    assert (found.text, found.stop_reason) == (left, fired)
    assert found.finish == ("stop" if fired else "length")
    assert found.usage.generated_tokens == 5
    assert found.message == Message("assistant", (Text(left),) if left else ())


def test_a_stop_that_was_sent_is_the_servers_matter() -> None:
    """vLLM's min_tokens lets one pass, and that is as asked."""
    assert sample(http(completion("one END two")), Params(max_tokens=16, stop=("END",))).text == "one END two"


def test_log_probabilities_end_with_the_text() -> None:
    """The tokens that spell it, the one in which the stop begins included if it spells some of it."""
    tokens = tuple(Token(text, -1.0) for text in ("on", "e E", "ND", " two"))
    cut = ended_at(Sample("one END two", finish="stop", logprobs=tokens), ("END",))
    assert (cut.text, cut.logprobs) == ("one ", tokens[:2])
    other = (Token("<think>", -1.0), *tokens)
    assert ended_at(Sample("one END two", logprobs=other), ("END",)).logprobs == other


def test_a_stream_with_a_floor_ends_there_too() -> None:
    """The same text, whether it came in one piece or not."""
    rows = [{"token": t, "logprob": 0.0, "top_logprobs": [{"token": t, "logprob": 0.0}]} for t in ("one ", "END", " 2")]
    pieces = [{"index": 0, "delta": {"content": r["token"]}, "logprobs": {"content": [r]}} for r in rows]
    last = {"index": 0, "delta": {}, "finish_reason": "length"}
    stream = http(events(*({"choices": [p]} for p in [*pieces, last])), kind="text/event-stream")
    params = Params(max_tokens=16, stop=("END",), logprobs=1, floor=ConfidenceFloor(8, -1.0))
    found = sample(stream, params, leave_out=("stop",))
    assert (found.text, found.finish, found.stop_reason) == ("one ", "stop", "END")


def test_a_search_votes_on_what_is_left() -> None:
    """An answer and what the model rambled on about after it."""
    with Hostile(http(completion("#### 4\n\nQ: And 3 + 3?\n#### 6", "length"))) as server:
        model = Model(OpenAI(server.url, "m", leave_out="stop"), Params(max_tokens=16, stop=("\n\nQ:",)))
        assert solve_sync("2 + 2?", SelfConsistency(1), generator=model).answer == "#### 4"
