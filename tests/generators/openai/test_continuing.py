"""How a turn is continued: which of three ways a server honours, told from its token counts, and its reason if none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import CallError, NeedsPrefix, Params, Prompt, Sample, SearchWarning
from searchkit.calls import Request
from searchkit.generators import Capabilities, OpenAI
from tests.attacks.hostile import Asked, Hostile, case, completion, http

PARAMS = Params(max_tokens=16)
PROMPT = Prompt.of("What is 2 + 2?").continued("The answer is")
MISTRAL = "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant"
DEEPSEEK = "The last message of deepseek-reasoner must be a user message, or an assistant message with prefix mode on"
CLAUDE = "This model does not support assistant message prefill. The conversation must end with a user message."
LLAMA = "Assistant response prefill is incompatible with enable_thinking."


@dataclass(frozen=True)
class Turns:
    """A server that counts a prompt's words, and three more for each message that is closed.

    opens: whether it continues the last message of this body. refuses: the words in which it does not take it. strict:
    fields that it does not know are refused, in messages and beside them. repeats: it says the beginning again.
    """

    opens: Callable[[dict[str, Any]], bool] = lambda body: False
    refuses: Callable[[dict[str, Any]], str] = lambda body: ""
    strict: tuple[str, ...] = ()
    repeats: bool = False
    counts: bool = True

    def __call__(self, asked: Asked) -> bytes:
        body = asked.body
        last = body["messages"][-1]
        for name in self.strict:
            if name in body or name in last:
                return http({"detail": [{"type": "extra_forbidden", "loc": ["body", name]}]}, "422 Unprocessable")
        if last["role"] == "assistant" and (words := self.refuses(body)):
            return http({"error": {"message": words, "type": "invalid_request_error"}}, "400 Bad Request")
        if last["role"] == "user":
            return http(self.answer("4.", body, len(body["messages"])))
        opened = self.opens(body)
        text = (last["content"] if self.repeats else "") + " 4." if opened else "Water is wet."
        return http(self.answer(text, body, len(body["messages"]) - opened))

    def answer(self, text: str, body: dict[str, Any], closed: int) -> dict[str, Any]:
        words = sum(len(message["content"].split()) for message in body["messages"])
        usage = {"prompt_tokens": words + 3 * closed, "completion_tokens": 1} if self.counts else None
        return {**completion(text), "usage": usage}


def flagged(body: dict[str, Any]) -> bool:
    return body.get("continue_final_message") is True and body.get("add_generation_prompt") is False


def marked(body: dict[str, Any]) -> bool:
    return body["messages"][-1].get("prefix") is True


def unless(continued: Callable[[dict[str, Any]], bool], words: str) -> Callable[[dict[str, Any]], str]:
    return lambda body: "" if continued(body) else words


FLAGS = ("continue_final_message", "add_generation_prompt")
EXTRAS = (*FLAGS, "top_k", "min_p", "no_stop_trim", "include_stop_str_in_output")
WAYS = [
    case("vllm", Turns(flagged), "flags"),
    case("vllm-that-refuses-a-bare-turn", Turns(flagged, unless(flagged, "no")), "flags"),
    case("sglang", Turns(flagged), "flags"),
    case("llama-cpp", Turns(lambda body: True), "flags"),
    case("claude-before-4-6", Turns(lambda body: True, strict=FLAGS), "bare"),
    case("bare-and-strict", Turns(lambda body: True, strict=(*EXTRAS, "prefix")), "bare"),
    case("deepseek", Turns(marked, unless(marked, DEEPSEEK)), "prefix"),
    case("deepseek-that-takes-a-closed-turn", Turns(marked), "prefix"),
    case("mistral", Turns(marked, unless(marked, MISTRAL), strict=EXTRAS), "prefix"),
    case("mistral-that-takes-a-closed-turn", Turns(marked, strict=FLAGS), "prefix"),
    case("both-marks", Turns(lambda body: flagged(body) or marked(body)), "flags"),
    case("hosted", Turns(strict=FLAGS), None),
    case("hosted-strict-in-messages", Turns(strict=(*FLAGS, "prefix")), None),
    case("ollama", Turns(), None),
    case("claude", Turns(refuses=lambda body: CLAUDE), None),
    case("llama-cpp-that-thinks", Turns(refuses=lambda body: LLAMA), None),
    case("mark-refused", Turns(refuses=unless(lambda body: False, "Unexpected role 'assistant' at the end")), None),
    case("repeats-under-a-flag", Turns(flagged, repeats=True), None),
    case("repeats-under-a-mark", Turns(marked, repeats=True), None),
    case("counts-nothing", Turns(flagged, counts=False), None),
]


def drawn(url: str, **options: Any) -> Sample[str] | CallError:
    [entry] = asyncio.run(OpenAI(url, "m", **options).complete([Request(PROMPT, PARAMS, 1)]))
    return entry


@pytest.mark.filterwarnings("ignore::searchkit.SearchWarning")
@pytest.mark.parametrize("extras", [True, False])
@pytest.mark.parametrize(("server", "way"), WAYS)
def test_a_turn_is_continued_the_servers_way(server: Turns, way: str | None, extras: bool) -> None:
    """Found by one probe for many requests; without extras the flags are not among the ways."""
    if not extras and way == "flags":
        way = "bare" if server.opens({"messages": [{}]}) else "prefix" if server.opens(_MARKED) else None
    with Hostile(server) as at:
        backend = OpenAI(at.url, "m", extras=extras)
        entries = asyncio.run(backend.complete([Request(PROMPT, PARAMS, i) for i in range(4)]))
        found = asyncio.run(backend.probe())
    assert (found.prefix, found.prefix_flag) == (way is not None, way == "prefix")
    if way is None:
        assert all(isinstance(entry, NeedsPrefix) for entry in entries)
        return
    assert [entry.text for entry in entries if isinstance(entry, Sample)] == [" 4."] * 4
    continued = [asked.body for asked in at.asked if asked.body["messages"][-1]["content"] == "The answer is"]
    assert len(continued) >= 4
    for body in continued:
        assert flagged(body) is (way == "flags")
        assert marked(body) is (way == "prefix")


_MARKED = {"messages": [{"prefix": True}]}


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        case("llama-cpp", LLAMA, "enable_thinking"),
        case("claude", CLAUDE, 'route="completions"'),
        case("bedrock", "The model does not support conversations that end with an assistant turn", "vLLM"),
        case("gemini", "Please ensure that function call turn comes immediately after a user turn.", "render="),
        case("plain", "no", 'route="completions"'),
    ],
)
def test_the_servers_reason_is_quoted(words: str, advice: str) -> None:
    """With what helps against it."""
    with Hostile(Turns(refuses=lambda body: words)) as server:
        entry = drawn(server.url)
    assert isinstance(entry, NeedsPrefix)
    assert words in str(entry)
    assert advice in str(entry)


def test_thinking_can_be_switched_off() -> None:
    """The advice works: what is added goes with the probe, too."""

    def refuses(body: dict[str, Any]) -> str:
        return "" if body.get("chat_template_kwargs") == {"enable_thinking": False} else LLAMA

    with Hostile(Turns(lambda body: True, refuses)) as server:
        assert isinstance(drawn(server.url), NeedsPrefix)
        entry = drawn(server.url, extra_body={"chat_template_kwargs": {"enable_thinking": False}})
    assert isinstance(entry, Sample), entry


def test_presets_go_with_the_probe() -> None:
    """Mistral refuses a seed whatever it is asked."""
    with Hostile(Turns(marked, unless(marked, MISTRAL), strict=(*EXTRAS, "seed"))) as server:
        entry = drawn(server.url, preset="mistral")
    assert isinstance(entry, Sample), entry
    assert server.asked[-1].body["messages"][-1] == {"role": "assistant", "content": "The answer is", "prefix": True}
    assert all("random_seed" in asked.body for asked in server.asked)


def test_what_is_known_is_not_asked() -> None:
    """Given capabilities say the way; a server that cannot is not asked either."""
    with Hostile(Turns(marked)) as server:
        assert isinstance(drawn(server.url, capabilities=Capabilities(prefix=True, prefix_flag=True)), Sample)
        assert marked(server.asked[-1].body)
        assert isinstance(drawn(server.url, capabilities=Capabilities(prefix=True)), Sample)
        assert flagged(server.asked[-1].body)
        assert isinstance(drawn(server.url, capabilities=Capabilities(prefix=True), extras=False), Sample)
        assert not flagged(server.asked[-1].body)
        assert isinstance(drawn(server.url, capabilities=Capabilities()), NeedsPrefix)
        assert len(server.asked) == 3


def test_an_empty_object_is_a_no() -> None:
    """`transformers serve` answers {} to a conversation that ends with an assistant's turn."""

    def answer(asked: Asked) -> bytes:
        return http({} if asked.body["messages"][-1]["role"] == "assistant" else completion())

    with Hostile(answer) as server:
        entry = drawn(server.url, preset="transformers-serve")
    assert isinstance(entry, NeedsPrefix)


def test_a_field_that_the_server_refuses_does_not_hide_the_way() -> None:
    """top_k is left out of the probe's questions as of all others, and it is said once."""
    with Hostile(Turns(flagged, strict=("top_k",))) as server:
        with pytest.warns(SearchWarning, match="top_k") as caught:
            entry = drawn(server.url)
        assert len(caught) == 1
    assert isinstance(entry, Sample), entry
    assert entry.left_out == ("top_k",)
    assert json.loads(server.asked[-1].content)["continue_final_message"] is True
