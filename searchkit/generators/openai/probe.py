"""What a server honours, found by asking it: servers drop unknown fields silently, so documentation is not enough."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from searchkit.calls import CallError, Request
from searchkit.generators.in_order import each
from searchkit.generators.openai.errors import Missing
from searchkit.generators.openai.refused import Answer
from searchkit.types import Params, Prompt, Usage
from searchkit.wire.choices import fired, listed_of, samples, text_of
from searchkit.wire.fields import read_answer
from searchkit.wire.usage import cached_tokens

QUESTION = "Write ten random digits between 0 and 9, separated by spaces."
_STOPS = ["a", "e", "o", " "]  # hardly a text goes without; four is the most that the OpenAI API takes


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server was seen to honour. False: it does not, or it could not be told.

    - n: several choices that differ.
    - seed: equal seeds give equal texts and others do not.
    - logprobs: log-probabilities of the sampled tokens come with the answer.
    - prefix: an assistant turn is continued.
    - prefix_flag: if it has "prefix": true in it (DeepSeek, Mistral).
    - stop_kept: the stop text stays in the answer if asked for.
    - stop_named: it says which stop string fired.
    - cached_tokens: prefix-cache hits are reported.
    - usage: what the probe cost, outside any budget.
    """

    n: bool = False
    seed: bool = False
    logprobs: bool = False
    prefix: bool = False
    prefix_flag: bool = False
    stop_kept: bool = False
    stop_named: bool = False
    cached_tokens: bool = False
    usage: Usage = field(default=Usage(), compare=False)


class Asker:
    """Asks one server `QUESTION`, with fields added to it, and adds up what that costs."""

    def __init__(self, url: str, call: Callable[[Request, Mapping[str, Any]], Awaitable[Answer | CallError]]) -> None:
        self._url, self._call, self.usage = url, call, Usage()

    async def __call__(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        """The server's JSON; None if it refuses these fields. Raises `CallError` for any other failure."""
        found = await self.answer(fields)
        return None if isinstance(found, CallError) else found

    async def answer(self, fields: Mapping[str, Any]) -> dict[str, Any] | CallError:
        """The same, but the error if it refuses these fields."""
        found = await self._call(Request(Prompt.of(QUESTION), Params(max_tokens=16), 1), fields)
        if isinstance(found, CallError):
            if fields and found.kind == "bad_request" and not isinstance(found, Missing):
                return found
            raise found
        if found.reply.body.strip() == b"{}":  # what `transformers serve` answers to a turn that is to be continued
            return CallError("it answered nothing", kind="bad_request")
        try:
            drawn = samples(found.reply.body, Params(max_tokens=16), None)
            self.usage = sum((s.usage for s in drawn), self.usage + found.refused)
        except ValueError as error:
            message = f"the server at {self._url} sent an answer that is no completion: {error}"
            raise CallError(message, kind="malformed") from None
        answer: dict[str, Any] = read_answer(found.reply.body)
        return {**answer, "choices": listed_of(answer)}


async def sampling(ask: Asker) -> dict[str, bool]:
    """n, seed, stops and cached tokens: five calls of at most 16 tokens each, one of them with two choices."""
    kept = {"stop": _STOPS, "include_stop_str_in_output": True, "no_stop_trim": True}
    questions: list[Mapping[str, Any]] = [{"n": 2}, {}, {}, {"seed": 2}, kept]
    two, one, again, other, stopped = await each(ask, questions)
    texts = [_texts(answer) for answer in (two, one, again, other, stopped)]
    end = stopped["choices"][0] if stopped else {}
    return {
        "n": len(texts[0]) == 2 and len(set(texts[0])) == 2,
        "seed": bool(texts[1]) and texts[1] == texts[2] != texts[3],
        "stop_kept": end.get("finish_reason") == "stop" and texts[4][0].endswith(tuple(_STOPS)),
        "stop_named": fired(end) in _STOPS,
        "cached_tokens": again is not None and cached_tokens(again) is not None,
    }


async def logprobs(ask: Asker, *, chat: bool) -> bool:
    """Whether log-probabilities come back when they are asked for: one call."""
    answer = await ask({"logprobs": True, "top_logprobs": 1} if chat else {"logprobs": 1})
    return bool(answer and answer["choices"][0].get("logprobs"))


def _texts(answer: Mapping[str, Any] | None) -> list[str]:
    return [text_of(choice) for choice in answer["choices"]] if answer else []
