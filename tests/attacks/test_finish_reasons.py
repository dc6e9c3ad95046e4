"""K21: a finish reason that nobody knows is never "stop": such a text is truncated, or an error, and does not vote."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

from typing import Any

import pytest

from searchkit import CallError, Model, Params, Sample, SearchWarning, solve_sync
from searchkit.generators import OpenAI
from searchkit.strategies import SelfConsistency
from searchkit.types import ConfidenceFloor
from searchkit.wire.finishes import finish_of, is_known
from tests.attacks.hostile import PARAMS, TEXT, Asked, Hostile, ask, case, completion, events, http

pytestmark = pytest.mark.filterwarnings("ignore::searchkit.errors.SearchWarning")  # that nobody knows the reason

# Reports: crewAIInc/crewAI#7013, earendil-works/pi#1509 (z.ai), InternLM/xtuner#1755, vercel/ai#1832; the other names are
# those of Gemini, Cohere, Claude, Bedrock and of engines' own interfaces.
UNKNOWN = [
    case("max_tokens", "max_tokens"),
    case("max-length", "max_length"),
    case("gemini-max-tokens", "MAX_TOKENS"),
    case("token-limit", "token_limit"),
    case("context-window", "model_context_window_exceeded"),
    case("z-ai-abort", "abort"),
    case("z-ai-sensitive", "sensitive"),
    case("z-ai-network-error", "network_error"),
    case("openrouter-error", "error"),
    case("deepseek-insufficient", "insufficient_system_resource"),
    case("gemini-recitation", "RECITATION"),
    case("gemini-other", "OTHER"),
    case("gemini-blocklist", "BLOCKLIST"),
    case("gemini-prohibited", "PROHIBITED_CONTENT"),
    case("gemini-malformed-call", "MALFORMED_FUNCTION_CALL"),
    case("gemini-unspecified", "FINISH_REASON_UNSPECIFIED"),
    case("cohere-toxic", "ERROR_TOXIC"),
    case("cohere-user-cancel", "USER_CANCEL"),
    case("claude-pause", "pause_turn"),
    case("claude-refusal", "refusal"),
    case("bedrock-guardrail", "guardrail_intervened"),
    case("preempted", "preempted"),
    case("repetition", "repetition"),
    case("deadline", "deadline_exceeded"),
    case("unknown", "unknown"),
    case("the-word-null", "null"),
    case("begins-like-stop", "stopped_by_watchdog"),
    case("ends-like-stop", "hard_stop"),
    case("stop-and-a-nul", "stop\x00"),
    case("a-path", "../stop"),
    case("empty", ""),
    case("nothing", None),
    case("false", False),
    case("true", True),
    case("a-number", 0),
    case("a-list", ["stop"]),
    case("sglang-length-object", {"type": "length", "length": 16}),
    case("sglang-abort-object", {"type": "abort", "message": "Abort in waiting queue"}),
]


@pytest.mark.parametrize("reason", UNKNOWN)
def test_an_unknown_reason_is_not_a_whole_answer(reason: Any) -> None:
    """A text that ended for a reason of the server's own is truncated or filtered, or the call is an error."""
    entry = ask(http(completion(finish=reason)))
    assert isinstance(entry, CallError) or entry.finish in ("length", "content_filter"), entry


@pytest.mark.parametrize("reason", UNKNOWN)
def test_an_unknown_reason_does_not_win_a_vote(reason: Any) -> None:
    """Two texts that ended so against one that is whole: the whole one is the answer."""
    texts = [("4", reason), ("4", reason), ("5", "stop")]

    def answer(asked: Asked) -> bytes:
        return http(completion(*texts.pop()))

    with Hostile(answer) as server:
        result = solve_sync("What?", SelfConsistency(3), generator=Model(OpenAI(server.url, "m"), PARAMS))
    assert result.answer == "5"


@pytest.mark.parametrize("reason", UNKNOWN[:31])
def test_an_unknown_reason_at_the_end_of_a_stream(reason: Any) -> None:
    """The same where the answer was streamed."""
    token = {"token": "4", "logprob": -0.1, "top_logprobs": [{"token": "4", "logprob": -0.1}]}
    first = {
        "choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": None, "logprobs": {"content": [token]}}]
    }
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    params = Params(max_tokens=16, logprobs=1, floor=ConfidenceFloor(4, 0.01))
    entry = ask(http(events(first, last), kind="text/event-stream"), params)
    assert isinstance(entry, CallError) or entry.finish in ("length", "content_filter"), entry


# Natural ends by other names: vibrantlabsai/ragas#1548 (Together, watsonx), openai/openai-dotnet#267, TGI, Claude, Gemini.
NATURAL = [
    case("stop", "stop"),
    case("together-eos", "eos"),
    case("watsonx-eos-token", "eos_token"),
    case("tgi-stop-sequence", "stop_sequence"),
    case("claude-end-turn", "end_turn"),
    case("gemini-stop", "STOP"),
]


@pytest.mark.parametrize("reason", NATURAL)
def test_natural_ends_are_whole(reason: str) -> None:
    """What other servers call the end of a text is "stop", so that their answers vote."""
    entry = ask(http(completion(finish=reason)))
    assert isinstance(entry, Sample)
    assert (entry.text, entry.finish) == (TEXT, "stop")


@pytest.mark.parametrize(
    "reason",
    [
        "stop ",
        " stop",
        "stop\n",
        "\tSTOP\r\n",
        " Eos ",
        "End_Turn ",
        "Length ",
        " tool_calls",
        "MAX_TOKENS\n",
        "Content_Filter ",
    ],
)
def test_blanks_and_capitals_change_no_reason(reason: str) -> None:
    """A reason that is known is known by its letters."""
    assert finish_of(reason) == finish_of(reason.strip().lower())
    assert is_known(reason)


OWN = [
    "done", "end", "finished", "stop_token", "eos_found", "FINISH_REASON_STOP", "natural", "ended", "stopped", "fin",
    "model_stop", "stop-sequence", "<|im_end|>", "ok", "success", "terminated", "2", "final", "closed", "eot",
]  # fmt: skip


@pytest.mark.filterwarnings("default::searchkit.errors.SearchWarning")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("reason", OWN)
def test_a_reason_that_nobody_knows_is_told_once_and_kept(reason: str, streamed: bool) -> None:
    """A search whose texts all end so says it once, by name; each sample has the reason."""
    chunk = {"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": reason}]}
    body = http(events(chunk), kind="text/event-stream") if streamed else http(completion("4", reason))
    with Hostile(body) as server, pytest.warns(SearchWarning) as said:
        result = solve_sync("What?", SelfConsistency(4), generator=Model(OpenAI(server.url, "m"), PARAMS))
    assert [str(w.message) for w in said if f'"{reason}"' in str(w.message) and "never votes" in str(w.message)] != []
    assert sum("finish_reason" in str(w.message) for w in said) == 1
    assert [(c.sample.finish, c.sample.stop_reason) for c in result.candidates] == [("length", reason)] * 4


@pytest.mark.filterwarnings("error::searchkit.errors.SearchWarning")
@pytest.mark.parametrize(
    "reason",
    ["stop", "length", "MAX_TOKENS", "max_length", "model_context_window_exceeded", "eos", "tool_use", "safety"],
)
def test_of_reasons_that_are_known_nothing_is_said(reason: str) -> None:
    """Nor kept: a text that was cut at its limit is that."""
    entry = ask(http(completion(finish=reason)))
    assert isinstance(entry, Sample)
    assert entry.stop_reason is None


@pytest.mark.filterwarnings("default::searchkit.errors.SearchWarning")
def test_no_reason_at_all_is_told() -> None:
    """A server that never says why leaves nothing that votes."""
    with pytest.warns(SearchWarning, match="gives no reason"):
        ask(http(completion(finish=None)))


@pytest.mark.filterwarnings("default::searchkit.errors.SearchWarning")
def test_a_server_with_ever_new_reasons_is_not_quoted_forever() -> None:
    """Warnings and memory are bounded, and so is what a sample keeps."""
    left = [f"reason {i} " + "x" * 9999 for i in range(60)]
    with Hostile(lambda asked: http(completion("4", left.pop()))) as server, pytest.warns(SearchWarning) as said:
        result = solve_sync("What?", SelfConsistency(60), generator=Model(OpenAI(server.url, "m"), PARAMS))
    assert 1 < len([w for w in said if "finish_reason" in str(w.message)]) <= 32
    assert all(len(c.sample.stop_reason or "") <= 40 for c in result.candidates)


TWO = [
    case("length-stop", ("length", "stop"), "length"),
    case("stop-length", ("stop", "length"), "length"),
    case("filter-stop", ("content_filter", "stop"), "content_filter"),
    case("stop-filter", ("stop", "content_filter"), "content_filter"),
    case("length-filter", ("length", "content_filter"), "content_filter"),
    case("filter-length", ("content_filter", "length"), "content_filter"),
    case("max-tokens-stop", ("max_tokens", "stop"), "length"),
    case("unknown-stop", ("preempted", "stop"), "length"),
    case("stop-unknown", ("stop", "preempted"), "length"),
    case("error-stop", ("error", "stop"), "length"),
    case("stop-abort", ("stop", "abort"), "length"),
    case("stop-stop", ("stop", "stop"), "stop"),
    case("stop-eos", ("stop", "eos"), "stop"),
    case("stop-null", ("stop", None), "stop"),
    case("null-length-null", (None, "length", None), "length"),
    case("stop-empty", ("stop", ""), "stop"),
    case("length-empty-stop", ("length", "", "stop"), "length"),
    case("three", ("stop", "length", "stop"), "length"),
    case("capitals", ("LENGTH", "STOP"), "length"),
    case("blanks", ("length ", "stop"), "length"),
    case("an-object-stop", ({"type": "length"}, "stop"), "length"),
    case("a-list-stop", (["length"], "stop"), "length"),
]


@pytest.mark.parametrize("route", ["chat", "completions"])
@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(("reasons", "finish"), TWO)
def test_of_several_reasons_in_a_stream_the_worst_stays(
    reasons: tuple[Any, ...], finish: str, asked: bool, route: str
) -> None:
    """A proxy that closes every stream with its own "stop" makes no whole text of one that was cut."""
    token = {"token": "4", "logprob": -0.1, "top_logprobs": [{"token": "4", "logprob": -0.1}]}
    rows = (
        {"tokens": ["4"], "token_logprobs": [-0.1], "top_logprobs": [{"4": -0.1}]}
        if route == "completions"
        else {"content": [token]}
    )

    def chunk(text: str, reason: Any) -> dict[str, Any]:
        said = {"text": text} if route == "completions" else {"delta": {"content": text}}
        return {"choices": [{"index": 0, **said, "finish_reason": reason, "logprobs": rows if text else None}]}

    body = http(events(chunk("4", None), *(chunk("", reason) for reason in reasons)), kind="text/event-stream")
    entry = ask(
        body, Params(max_tokens=16, logprobs=1, floor=ConfidenceFloor(4, 0.01)) if asked else PARAMS, route=route
    )
    assert isinstance(entry, Sample), entry
    assert (entry.text, entry.finish) == ("4", finish)
