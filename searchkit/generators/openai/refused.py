"""Which fields a server names when it refuses a request, what may be left out by itself, and what to say of the rest.

Servers word this in many ways: `param` (OpenAI), `loc` (pydantic), a sentence (most). What they say is read, within
bounds, and never quoted here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.generators.openai.fitting import SENT, Fit
from searchkit.http import HTTPReply
from searchkit.types import Sample, Usage
from searchkit.wire import quoting
from searchkit.wire.fields import read_answer

READ = 2**11  # characters of one text of an error, and of all of them twice as many
_QUOTED = 12  # characters of the prompt by which a quotation of it is known
_REFUSALS = (400, 422)
_ECHOES = {"input", "request", "body", "ctx", "url", "received"}  # what was sent, which names every field
_NAMES = {"param", "params", "loc", "field", "parameter", "property", "argument", "fieldpath"}
_BY_NAME = {"errors", "detail", "details", "field_errors", "fielderrors"}  # tables of complaints by field
_FIELDS = {name.replace("_", ""): name for name in (*SENT, "max_completion_tokens", "messages", "model", "prompt")} | {
    "maxoutputtokens": "max_tokens", "maxnewtokens": "max_tokens", "stopsequences": "stop", "stopstrings": "stop",
    "responselogprobs": "logprobs", "randomseed": "seed",
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9_]+(?:-[a-z]+)*")  # not \w: Chinese is written without blanks
_OF_A_FIELD = re.compile(
    r"un(?:supported|recogni[sz]ed|known|expected|permitted)|not (?:supported|permitted|allowed|accepted)|extra inputs"
    r"|extra_forbidden|does ?n.t support|does not support|no such (?:field|parameter)|cannot find field",
    re.IGNORECASE,
)
_NEEDED = {"missing", "required", "Missing", "Required", "require", "requires", "mandatory"}
_LACKING = {
    frozenset({"query", "Query", "api-version", "querystring"}): "extra_query= adds parameters to every URL",
    frozenset({"header", "headers", "Header", "Headers"}): "extra_headers= adds headers to every request",
}
# Fields of ours that say "off", or that ask for a comfort: what follows if the server never sees them.
_SPARED: Mapping[str, tuple[Any, str]] = {
    "top_k": (-1, "its own top_k applies, and some servers draw from the 40 or 50 likeliest tokens only"),
    "min_p": (0.0, "its own min_p applies, and some servers drop unlikely tokens"),
    "include_stop_str_in_output": (True, "which stop string ended a text is known only if the server names it"),
    "no_stop_trim": (True, "which stop string ended a text is known only if the server names it"),
    "continuous_usage_stats": (True, "the prompt of a text that falls below its floor is charged by an estimate"),
}


@dataclass(frozen=True)
class Answer:
    """A successful answer.

    refused: what attempts before it cost, and nobody was told yet (`Request.unmetered`). left_out: fields that the
    server was seen to refuse, and that were not sent.
    """

    reply: HTTPReply
    refused: Usage = Usage()
    left_out: tuple[str, ...] = ()

    def recorded(self, drawn: list[Sample[str]]) -> list[Sample[str]]:
        """The samples of this answer, saying so; the first carries the cost."""
        if not self.left_out:
            return drawn
        first, *rest = (replace(sample, left_out=self.left_out) for sample in drawn)
        return [replace(first, usage=first.usage + self.refused), *rest]


def off(body: Mapping[str, Any]) -> frozenset[str]:
    """The fields of `body` that may be left out: ours, where they ask for nothing. body: by our names."""
    return frozenset(name for name, (off, _) in _SPARED.items() if _sent(body, name) == off)


def spared(reply: HTTPReply, body: Mapping[str, Any]) -> dict[str, str]:
    """Fields beyond the OpenAI API that the server refuses by name, and that can be left out: field -> what follows.

    body: what was sent, by our names. Only what we add by ourselves is spared: a top_k that was asked for is not, and
    neither is anything of the API, nor what asks to continue a turn, which `probe` settles.
    """
    if reply.status not in _REFUSALS:
        return {}
    named, said = _read(reply.body, list(_asked(body)))
    ours = off(body)
    others = {_field(name) for name in named}
    if not others & ours and not others & set(body):  # no field of the request is named apart from the sentence
        others = {_field(name) for name in said}
    return {name: _SPARED[name][1] for name in sorted(ours & others)}


def advice(reply: HTTPReply, body: Mapping[str, Any], fit: Fit) -> str:
    """The end of an error's sentence: what to pass so that the server takes the request; "" where none is known."""
    of_a_field = _OF_A_FIELD.search(_text(reply.body)) is not None
    if reply.status not in _REFUSALS and not (reply.status >= 500 and of_a_field):  # some gateways say it with a 501
        return ""
    named, said = _read(reply.body, list(_asked(body)))
    if (told := named & set(fit.add)) or (told := said & set(fit.add)):
        return f" (take {', '.join(sorted(told))} out of extra_body=)"
    sent = {fit.rename.get(name, name): name for name in body}
    fields = {sent.get(name, _field(name)) for name in named}
    if not fields & set(body):
        fields = {sent.get(name, _field(name)) for name in said}
    if fields & {"logprobs", "top_logprobs"}:  # they are sent only where they are needed
        return " (log-probabilities were asked for: use a server or a model that lists them, or Params(logprobs=None))"
    if "tools" in fields:
        return " (the prompt has tools: use a server or a model that takes them)"
    if "n" in fields and body.get("n") not in (None, 1):
        return " (to ask for one sample a call, leave out Coalescing, or --coalesce)"
    fields &= set(body) - {"model", "messages", "prompt", "stream"}  # words of any sentence, and not to be left out
    if "max_tokens" in fields and "max_completion_tokens" in said and "max_tokens" not in fit.rename:
        return ' (pass rename={"max_tokens": "max_completion_tokens"})'
    if len(fields) > 1:  # of fields that exclude one another, the one that says nothing
        fields = {name for name in fields if (name, body[name]) in (("top_p", 1.0), ("top_k", -1), ("min_p", 0.0))}
    if not of_a_field:
        fields -= {"max_tokens"}  # refused for its value, which is to be another
    if listed := sorted(fields):
        other = ', or rename={"seed": "random_seed"} for Mistral' if listed == ["seed"] else ""
        return f" (to send it no more, pass leave_out={tuple(listed)!r}{other})"
    for words, option in _LACKING.items():
        if said & words and said & _NEEDED:
            return f" ({option})"
    if of_a_field or said & _NEEDED:
        return " (leave_out=, rename= and extra_body= change what is sent; preset= does for known servers)"
    return ""


def _field(word: str) -> str:
    """Our name of a field that somebody else may write as topK or top-k; the word itself if it is none."""
    return _FIELDS.get(word.replace("_", "").replace("-", "").lower(), word)


def _sent(body: Mapping[str, Any], name: str) -> Any:
    options = body.get("stream_options")
    return options.get(name) if name not in body and isinstance(options, Mapping) else body.get(name)


def _text(body: bytes) -> str:
    return body[:READ].decode("utf-8", "replace")


def _asked(body: Mapping[str, Any]) -> Iterator[str]:
    """The texts of the prompt, which a server may quote: what fields they name, it does not."""
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else [{"content": body.get("prompt")}]:
        content = message.get("content")
        for part in content if isinstance(content, list) else [{"text": content}]:
            text = part.get("text")
            if isinstance(text, str) and len(text) >= _QUOTED and " " in text.strip():
                yield text


def _unquoted(said: str, asked: Sequence[str]) -> str:
    """What a server says without what it quotes of the prompt, cut off or not."""
    for text in asked:
        while (at := said.find(text[:_QUOTED])) >= 0:
            alike = next((i for i, (a, b) in enumerate(zip(said[at:], text, strict=False)) if a != b), len(text))
            said = f"{said[:at]} {said[at + alike :]}"
    return said


def _read(body: bytes, asked: Sequence[str] = ()) -> tuple[set[str], set[str]]:
    """The words in the places where a server names a field, and all words of what it says.

    asked: texts that it may quote.
    """
    named, said = set[str](), set[str]()
    for place, text in _texts(quoting.body_of(body)):
        words = _WORD.findall(_unquoted(text, asked))
        said.update(words)
        if place in _NAMES:
            named.update(words)
    return named, said


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """All texts in `value` with the keys that they stand under, but for what the server echoes; JSON in them, too."""
    left, read = [("", value)], 0
    while left and read < 2 * READ:
        place, value = left.pop()
        if isinstance(value, Mapping):
            left += [(key.lower(), entry) for key, entry in value.items() if key.lower() not in _ECHOES]
            if place in _BY_NAME:
                left += [("field", key) for key in value]
        elif isinstance(value, list):
            left += [(place, entry) for entry in value]
        elif isinstance(value, str):
            inner = _json(value) if value.lstrip()[:1] in ("{", "[") else value
            read += min(len(value), READ) + 1
            if isinstance(inner, str):
                yield place, value[:READ]
            else:
                left.append((place, inner))


def _json(text: str) -> Any:
    try:
        return read_answer(text)
    except ValueError:
        return text
