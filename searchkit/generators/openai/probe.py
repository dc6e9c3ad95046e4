"""What a server honours, found by asking it: servers drop unknown fields silently, so documentation is not enough."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from searchkit.calls import CallError, Request
from searchkit.generators.in_order import each
from searchkit.generators.openai.answer import Answer
from searchkit.generators.openai.errors import Missing
from searchkit.types import Params, Prompt, Usage
from searchkit.wire.choices import fired, samples, text_of
from searchkit.wire.usage import cached_tokens

QUESTION = "Write ten random digits between 0 and 9, separated by spaces."
PREFIX = "Yes"  # one token in practically every vocabulary
_STOPS = ["a", "e", "o", " "]  # hardly a text goes without; four is the most that the OpenAI API takes


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server was seen to honour. False: it does not, or it could not be told.

    - n: several choices that differ.
    - seed: equal seeds give equal texts and others do not.
    - logprobs: log-probabilities of the sampled tokens come with the answer.
    - prefix: an assistant turn is continued.
    - stop_kept: the stop text stays in the answer if asked for.
    - stop_named: it says which stop string fired.
    - cached_tokens: prefix-cache hits are reported.
    - usage: what the probe cost, outside any budget.
    """

    n: bool = False
    seed: bool = False
    logprobs: bool = False
    prefix: bool = False
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
        found = await self._call(Request(Prompt.of(QUESTION), Params(max_tokens=16), 1), fields)
        if isinstance(found, CallError):
            if fields and found.kind == "bad_request" and not isinstance(found, Missing):
                return None
            raise found
        try:
            drawn = samples(found.body, Params(max_tokens=16), None)
            self.usage = sum((s.usage for s in drawn), self.usage + found.refused)
        except ValueError as error:
            message = f"the server at {self._url} sent an answer that is no completion: {error}"
            raise CallError(message, kind="malformed") from None
        answer: dict[str, Any] = json.loads(found.body)
        return answer


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


async def prefix(ask: Asker) -> bool:
    """Whether an assistant turn is continued: three calls of one token.

    Told from the prompt's token counts. Closing the turn and opening a new one costs the tokens of the template between
    them, so a continued turn is shorter with the flags than without; where the flags change nothing (llama.cpp always
    continues) it is longer than no assistant turn at all by just the prefix. A server that repeats the prefix is not
    usable either.
    """
    user = {"role": "user", "content": "Is water wet? Say yes or no, then explain."}
    open_turn = [user, {"role": "assistant", "content": PREFIX}]
    flags = {"continue_final_message": True, "add_generation_prompt": False}
    turns: list[Mapping[str, Any]] = [{"messages": [user]}, {"messages": open_turn, **flags}, {"messages": open_turn}]
    without, flagged, closed = await each(ask, [{"max_tokens": 1, **turn} for turn in turns])
    counts = [_prompt_tokens(answer) for answer in (without, flagged, closed)]
    if flagged is None or counts[0] is None or counts[1] is None or _texts(flagged)[0].startswith(PREFIX):
        return False
    if closed is None:
        return True  # refused without the flags, taken with them: they are read
    return (counts[2] is not None and counts[1] < counts[2]) or counts[1] - counts[0] <= 1


def _texts(answer: Mapping[str, Any] | None) -> list[str]:
    return [text_of(choice) for choice in answer["choices"]] if answer else []


def _prompt_tokens(answer: Mapping[str, Any] | None) -> int | None:
    return (answer.get("usage") or {}).get("prompt_tokens") if answer else None
