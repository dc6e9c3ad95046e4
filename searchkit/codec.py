"""Prompts, samples and verdicts as JSON, for journals, caches and pools, and the digests that name them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import is_number, told
from searchkit.types import (
    NO_USAGE,
    ConfidenceFloor,
    Image,
    Message,
    Params,
    Prompt,
    Sample,
    Scored,
    StepSpan,
    Text,
    Token,
    ToolCall,
    Usage,
    Verdict,
)

_USAGE = tuple(field.name for field in fields(Usage))
# NaN is equal only to itself, the same object: so a sample with an unknown log-probability is equal to what is stored.
_JSON = json.JSONDecoder(parse_constant={"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.__getitem__)


@dataclass(frozen=True)
class Codec:
    """How a value that is not JSON is stored: `dump` makes it JSON-compatible, `load` makes it again."""

    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


def _message(message: Message) -> dict[str, Any]:
    parts = [["text", p.text] if isinstance(p, Text) else ["image", p.url] for p in message.parts]
    stored: dict[str, Any] = {"role": message.role, "parts": parts}
    if message.tool_calls:
        stored["tool_calls"] = [[c.id, c.name, c.arguments] for c in message.tool_calls]
    if message.tool_call_id is not None:
        stored["tool_call_id"] = message.tool_call_id
    if message.reasoning:
        stored["reasoning"] = message.reasoning
    return stored


def _load_message(stored: dict[str, Any]) -> Message:
    return Message(
        stored["role"],
        tuple(Text(body) if kind == "text" else Image(body) for kind, body in stored["parts"]),
        tuple(ToolCall(*call) for call in stored.get("tool_calls", ())),
        stored.get("tool_call_id"),
        stored.get("reasoning", ""),
    )


def digest(prompt: Prompt, params: Params) -> bytes:
    """16 bytes that name the content of a request: equal exactly where prompt and parameters are equal."""
    return digest_of(dump_request(prompt, params))


def digest_of(request: str) -> bytes:
    """The digest of a request that `dump_request` stored."""
    return blake2b(request.encode(), digest_size=16).digest()


def dump_request(prompt: Prompt, params: Params) -> str:
    """A request as JSON text; `load_request` makes an equal one."""
    content: list[Any] = [
        [_message(m) for m in prompt.messages], prompt.tools, prompt.prefix, prompt.prefix_ids,
        [params.temperature, params.top_p, params.top_k, params.min_p, params.max_tokens, params.stop, params.logprobs],
    ]  # fmt: skip
    if params.floor is not None or params.form:  # left out where there is none: older journals and caches stay good
        content.append(None if params.floor is None else [params.floor.window, params.floor.bar])
    if params.form:
        content.append(params.form)
    return json.dumps(content)


def load_request(text: str) -> tuple[Prompt, Params]:
    """The request that `dump_request` stored."""
    messages, tools, prefix, ids, sampling, *rest = json.loads(text)
    floor, form = rest[0] if rest else None, rest[1] if len(rest) > 1 else ""
    temperature, top_p, top_k, min_p, most, stop, logprobs = sampling
    prompt = Prompt(tuple(map(_load_message, messages)), tuple(tools), prefix, None if ids is None else tuple(ids))
    return prompt, Params(
        temperature=temperature, top_p=top_p, top_k=top_k, min_p=min_p, max_tokens=most, stop=tuple(stop),
        logprobs=logprobs, floor=ConfidenceFloor(*floor) if floor else None, form=form,
    )  # fmt: skip


def dump_sample(sample: Sample[Any], codec: Codec | None = None) -> str:
    """`sample` as JSON text; `ConfigError` if its value is not JSON and there is no codec."""
    return json.dumps(_sample(sample, codec))


def load_sample(text: str, codec: Codec | None = None) -> Sample[Any]:
    """The sample that `dump_sample` stored."""
    return _load_sample(_JSON.decode(text), codec)


def dump_row(
    sample: Sample[Any],
    retried: Usage,
    codec: Codec | None = None,
    inside: Sequence[Mapping[str, Any]] = (),
    seconds: float = 0.0,
) -> str:
    """A finished call for the journal: its sample, what failed attempts before it cost, and the calls inside of it.

    seconds: how long it took.
    """
    stored = _sample(sample, codec)
    if seconds:
        stored["seconds"] = round(seconds, 4)
    if retried != NO_USAGE:
        stored["retried"] = _usage(retried)
    if inside:
        stored["inside"] = inside
    return json.dumps(stored)


def load_row(text: str, codec: Codec | None = None) -> tuple[Sample[Any], Usage, Sequence[Mapping[str, Any]], float]:
    """What `dump_row` stored."""
    stored = _JSON.decode(text)
    seconds = stored.get("seconds", 0.0)
    if not is_number(seconds) or not 0 <= seconds < math.inf:
        raise ValueError(f"seconds is {told(seconds)}")
    return _load_sample(stored, codec), _load_usage(stored.get("retried", {})), stored.get("inside", ()), seconds


def content_of(sample: Sample[Any]) -> bytes:
    """What a sample says: all of it as it would be stored, else how it ended and its text. Equal for equal samples.

    What was left out of its request is not part of it: a key made before the server refused a field stays good.
    """
    try:
        return json.dumps(_sample(sample, None, whole=False)).encode()
    except ConfigError:
        return f"{sample.finish}\0{sample.text}".encode("utf-8", "surrogatepass")


def _load_usage(stored: Mapping[str, Any]) -> Usage:
    for name, amount in stored.items():
        if not is_number(amount) or not 0 <= amount < math.inf:
            raise ValueError(f"{name} is {told(amount)}")
    return Usage(**stored)


def _usage(usage: Usage) -> dict[str, Any]:
    """What is not 0. Not by `asdict`, which took a third of a sweep's time."""
    return {name: value for name in _USAGE if (value := getattr(usage, name))}


def _sample(sample: Sample[Any], codec: Codec | None, *, whole: bool = True) -> dict[str, Any]:
    """`whole`: with what is no part of its identity."""
    value = codec.dump(sample.value) if codec else sample.value
    if type(value) is not str and not _storable(value):
        raise ConfigError(
            f"a value of type {type(value).__name__} cannot be stored in a journal: annotate what "
            "the function returns, or pass codec=Codec(dump, load), or run without a journal"
        )
    stored: dict[str, Any] = {"value": value, "finish": sample.finish}
    if sample.message is not None:
        stored["message"] = _message(sample.message)
    if sample.stop_reason is not None:
        stored["stop_reason"] = sample.stop_reason
    if sample.usage != NO_USAGE:
        stored["usage"] = _usage(sample.usage)
    if sample.token_ids is not None:
        stored["token_ids"] = sample.token_ids
    if sample.logprobs is not None:
        stored["logprobs"] = [[t.text, t.logprob, t.top] for t in sample.logprobs]
    if sample.step_spans:
        stored["steps"] = [[s.start, s.end] for s in sample.step_spans]
    if sample.candidates:
        stored["candidates"] = [[_sample(c.sample, codec, whole=whole), _verdict(c.verdict)] for c in sample.candidates]
    if whole and sample.left_out:
        stored["left_out"] = sample.left_out
    return stored


def _load_sample(stored: dict[str, Any], codec: Codec | None) -> Sample[Any]:
    ids, logprobs = stored.get("token_ids"), stored.get("logprobs")
    return Sample(
        codec.load(stored["value"]) if codec else stored["value"],
        _load_message(stored["message"]) if "message" in stored else None,
        stored["finish"],
        stored.get("stop_reason"),
        _load_usage(stored.get("usage", {})),
        None if ids is None else tuple(ids),
        None if logprobs is None else tuple(Token(t, p, tuple((a, b) for a, b in top)) for t, p, top in logprobs),
        tuple(StepSpan(*s) for s in stored.get("steps", ())),
        tuple(Scored(_load_sample(s, codec), _load_verdict(v)) for s, v in stored.get("candidates", ())),
        left_out=tuple(stored.get("left_out", ())),
    )


def _storable(value: Any) -> bool:
    try:
        return _is_json(value)
    except RecursionError:  # it holds itself, or is nested too deeply
        return False


def _is_json(value: Any) -> bool:
    """True if JSON gives back an equal value of the same type (a tuple or a dataclass would come back changed)."""
    if value is None or type(value) in (bool, int, float):
        return value == value and value not in (float("inf"), float("-inf"))
    if type(value) in (list, dict):
        keys = all(type(k) is str for k in value) if type(value) is dict else True
        return keys and all(map(_is_json, value.values() if type(value) is dict else value))
    return type(value) is str


def _verdict(verdict: Verdict) -> list[Any]:
    rare: list[Any] = [verdict.unread] if verdict.unread or verdict.standard_error is not None else []
    rare += [] if verdict.standard_error is None else [verdict.standard_error]
    return [verdict.score, verdict.passed, verdict.step_scores, verdict.feedback, *rare]


def _load_verdict(stored: list[Any]) -> Verdict:
    score, passed, steps, feedback, *rare = stored
    return Verdict(score, passed, None if steps is None else tuple(steps), feedback, *rare)


def dump_verdicts(verdicts: list[Verdict]) -> str:
    return json.dumps([_verdict(v) for v in verdicts])


def load_verdicts(text: str) -> list[Verdict]:
    return [_load_verdict(v) for v in json.loads(text)]
