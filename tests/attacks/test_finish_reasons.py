"""K21: a finish reason that nobody knows is never "stop": such a text is truncated, or an error, and does not vote."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

from typing import Any

import pytest

from searchkit import CallError, Model, Params, Sample, solve_sync
from searchkit.generators import OpenAI
from searchkit.strategies import SelfConsistency
from searchkit.types import ConfidenceFloor
from tests.attacks.hostile import PARAMS, TEXT, Asked, Hostile, ask, case, completion, events, http

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
