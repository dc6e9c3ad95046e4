"""What the test server answers: pure functions from a request body to a status and a JSON value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from searchkit.testing.server_profiles import Profile

_TOKEN = re.compile(r" ?\w+|\W")
_WORDS = ("so", "then", "take", "the", "sum", "of", "both", "sides", "and", "check", "that", "it", "holds", "first")

# What the OpenAI API documents (the subset that a search can send): the hosted API refuses anything else.
_DOCUMENTED = {
    *("model", "messages", "prompt", "tools", "temperature", "top_p", "stop", "seed", "n", "logprobs", "top_logprobs"),
    *("max_tokens", "max_completion_tokens", "stream", "stream_options"),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with reasoning beside it, or with tool calls given as (name, JSON arguments).

    last: the probabilities of the last token and its rivals, for clients that ask for log-probabilities.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[tuple[str, str], ...] = ()
    last: tuple[tuple[str, float], ...] = ()


ReplyFunction = Callable[[str, int, dict[str, Any]], "str | Reply"]


class Refused(Exception):
    """The server answers with this status and message instead of a completion."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def tokens(text: str) -> list[str]:
    """The server's tokens: a word with the space before it, or one other character. Joined, they are `text`."""
    return _TOKEN.findall(text)


def words(prompt: str, seed: int, params: dict[str, Any]) -> str:
    """The default reply: some words, a blank line and an answer 0 to 9, a function of prompt and seed alone."""
    drawn = blake2b(f"{prompt}\0{seed if params['temperature'] else 0}".encode(), digest_size=8).digest()
    line = " ".join(_WORDS[byte % len(_WORDS)] for byte in drawn[:7])
    return f"{line}\n\nThe answer is {drawn[7] % 10}."


def render(body: dict[str, Any], profile: Profile) -> str:
    """The text that the model sees. A continued assistant turn stays open at the end; else a new one is opened."""
    if "prompt" in body:
        return str(body["prompt"])
    turns = [(m["role"], _content(m)) for m in body["messages"]]
    flag = bool(body.get("continue_final_message"))
    if flag and profile.refuses_both_flags and body.get("add_generation_prompt", True):
        raise Refused(400, "Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
    last = ""
    if turns[-1][0] == "assistant":
        if profile.continues == "always" or (profile.continues == "flag" and flag):
            last = turns.pop()[1]
        elif profile.bare_turn == "user":
            turns[-1] = ("user", turns[-1][1])
    return "".join(f"<{role}>{content}</>\n" for role, content in turns) + f"<assistant>{last}"


def _content(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part["text"] if part["type"] == "text" else f"[{part['type']}]" for part in content)


def answer(body: dict[str, Any], profile: Profile, reply: ReplyFunction, cached: int, arrival: int) -> dict[str, Any]:
    """The JSON of a completion. Raises `Refused` where the imitated server would refuse.

    `cached` prompt tokens are reported as served from the prefix cache; `arrival` is the seed of a request without one.
    """
    _check(body, profile)
    chat, prompt = "messages" in body, render(body, profile)
    params = {"temperature": 1.0, "top_p": 1.0, **profile.defaults, **body}
    first = body.get("seed")
    first = arrival if first is None else int(first)
    count = 1 if profile.n == "ignored" else body.get("n") or 1
    seeds = [first if profile.n == "same" else first + i for i in range(count)]
    choices, generated = [], 0
    for index, seed in enumerate(seeds):
        drawn = reply(prompt, seed, params)
        drawn = Reply(drawn) if isinstance(drawn, str) else drawn
        text, spent, finish, fired = _cut(drawn.text, body, profile)
        generated += spent
        choice: dict[str, Any] = _chat_choice(drawn, text, profile, _called(body)) if chat else {"text": text}
        choice |= {"index": index, "finish_reason": "tool_calls" if drawn.tool_calls else finish}
        if profile.names_stop:
            choice[profile.names_stop] = fired
        choice["logprobs"] = _logprobs(text, body, profile, chat, drawn.last)
        choices.append(choice)
    spent_on_prompt = len(tokens(prompt))
    usage: dict[str, Any] = {"prompt_tokens": spent_on_prompt, "completion_tokens": generated}
    usage["total_tokens"] = spent_on_prompt + generated
    if profile.reports_cached:
        usage["prompt_tokens_details"] = {"cached_tokens": min(cached, spent_on_prompt)}
    kind = "chat.completion" if chat else "text_completion"
    return {
        "id": f"{kind}-{arrival}",
        "object": kind,
        "created": 0,
        "model": body["model"],
        "choices": choices,
        "usage": usage,
    }


def events(whole: dict[str, Any], body: dict[str, Any], profile: Profile) -> Iterator[tuple[str, int]]:
    """A completion as the events of a stream, each with the number of tokens in it, and the mark of the end.

    A token an event, then why the text ended, then the usage if it was asked for.
    """
    chat, usage, made = "messages" in body, whole["usage"], 0
    options = body.get("stream_options") or {}
    head = {**whole, "object": "chat.completion.chunk"} if chat else whole

    def event(choices: list[dict[str, Any]]) -> str:
        so_far = {**usage, "completion_tokens": made, "total_tokens": usage["prompt_tokens"] + made}
        counted = profile.counts_along and options.get("continuous_usage_stats")
        return json.dumps({**head, "choices": choices, "usage": so_far if counted else None})

    for choice in whole["choices"]:
        said, field = (dict(choice.pop("message")), "content") if chat else (choice, "text")
        for i, piece in enumerate(tokens(said.pop(field) or "")):
            rows = {name: row[i : i + 1] for name, row in (choice["logprobs"] or {}).items()} or None
            delta = {"delta": {field: piece}} if chat else {field: piece}
            made += 1
            yield event([{"index": choice["index"], **delta, "logprobs": rows, "finish_reason": None}]), 1
        yield event([{**choice, "logprobs": None, **({"delta": said} if chat else {field: ""})}]), 0
    if options.get("include_usage"):
        yield json.dumps({**head, "choices": [], "usage": usage}), 0
    yield "[DONE]", 0


def _check(body: dict[str, Any], profile: Profile) -> None:
    if profile.refuses_unknown and (unknown := set(body) - _DOCUMENTED):
        raise Refused(400, f"Unrecognized request argument supplied: {', '.join(sorted(unknown))}")
    if profile.refuses_top_k_zero and body.get("top_k") == 0:
        raise Refused(400, "top_k must be -1 (disable) or at least 1, got 0.")
    if profile.refuses_unknown and (unknown := set(body.get("stream_options") or ()) - {"include_usage"}):
        raise Refused(400, f"Unrecognized request argument supplied: {', '.join(sorted(unknown))}")
    if not body.get("messages") and not isinstance(body.get("prompt"), str):
        raise Refused(400, "messages (or a text as prompt) is missing")


def _cut(text: str, body: dict[str, Any], profile: Profile) -> tuple[str, int, str, str | None]:
    """The visible text, the tokens spent on it, the finish reason, and the stop that fired."""
    stops = body.get("stop") or []
    stops = [stops] if isinstance(stops, str) else stops
    found = [(at, stop) for stop in stops if (at := text.find(stop)) >= 0]
    at, fired = min(found, key=lambda pair: pair[0], default=(len(text), ""))
    drawn, limit = tokens(text[: at + len(fired)]), body.get("max_tokens") or body.get("max_completion_tokens")
    if limit is not None and len(drawn) > limit:
        return "".join(drawn[:limit]), limit, "length", None
    kept = fired if fired and profile.keeps_stop and body.get(profile.keeps_stop) else ""
    return text[:at] + kept, len(drawn), "stop", fired or None


def _called(body: Mapping[str, Any]) -> int:
    """The tool calls in a conversation so far: clients want other ids for later ones."""
    messages = [message for message in body.get("messages") or () if isinstance(message, dict)]
    return sum(len(message.get("tool_calls") or ()) for message in messages)


def _chat_choice(drawn: Reply, text: str, profile: Profile, called: int) -> dict[str, Any]:
    calls = [
        {"id": f"call-{called + i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(drawn.tool_calls)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": None if calls and not text else text}
    if calls:
        message["tool_calls"] = calls
    if drawn.reasoning:
        message[profile.reasoning_field] = drawn.reasoning
    return {"message": message}


def _logprobs(
    text: str, body: dict[str, Any], profile: Profile, chat: bool, last: Sequence[tuple[str, float]]
) -> dict[str, Any] | None:
    asked = body.get("logprobs")
    if not profile.logprobs or asked is None or asked is False:
        return None
    rivals = body.get("top_logprobs") or 0 if chat else int(asked)
    rows = list(_rows(text, rivals))
    if rows and last:
        top = sorted(((token, math.log(p)) for token, p in last), key=lambda rival: -rival[1])
        rows[-1] = (rows[-1][0], dict(top)[rows[-1][0]], top[:rivals])
    if chat:
        return {
            "content": [
                {"token": token, "logprob": p, "top_logprobs": [{"token": t, "logprob": q} for t, q in top]}
                for token, p, top in rows
            ]
        }
    return {
        "tokens": [token for token, _, _ in rows],
        "token_logprobs": [p for _, p, _ in rows],
        "top_logprobs": [dict(top) for _, _, top in rows],
    }


def _rows(text: str, rivals: int) -> Iterator[tuple[str, float, list[tuple[str, float]]]]:
    """Each token with an invented but repeatable log-probability; the sampled token is its own first rival."""
    for token in tokens(text):
        p = -blake2b(token.encode(), digest_size=1).digest()[0] / 256
        yield token, p, [(token, p), *((f"~{i}", p - i) for i in range(1, rivals))][:rivals]


def error_body(status: int, message: str, profile: Profile) -> bytes:
    """An error as the imitated server words it: inside an `error` object, or flat."""
    inner = {"message": message, "type": "error", "param": None, "code": status}
    return json.dumps({"object": "error", **inner} if profile.error == "flat" else {"error": inner}).encode()
