"""How a server is asked to continue an assistant turn, found by asking it once.

flags    continue_final_message and add_generation_prompt, beside the messages (vLLM, SGLang)
bare     the turn stands last, and nothing else says so (llama.cpp, older models of Claude)
prefix   "prefix": true in the turn itself (DeepSeek's beta, Mistral)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from searchkit.calls import CallError
from searchkit.generators.in_order import each
from searchkit.generators.openai.probe import Asker
from searchkit.wire.chat.requests import CONTINUED
from searchkit.wire.choices import text_of
from searchkit.wire.usage import of_choices

Way = Literal["flags", "bare", "prefix"]
TURN = "Yes"  # one token in practically every vocabulary


@dataclass(frozen=True)
class Found:
    """way: how a turn is continued, None if it is not. why: what the server said when it was asked to."""

    way: Way | None
    why: str = ""

    @property
    def sentence(self) -> str:
        """Why not, and what to do; for what stands before it, see `backend`."""
        said = f" ({self.why})" if self.why else ""
        if "thinking" in self.why:
            return f'{said}: pass extra_body={{"chat_template_kwargs": {{"enable_thinking": False}}}}, or ' + _OTHERWISE
        return f"{said}: {_OTHERWISE}"


_OTHERWISE = (
    'use route="completions" with render=, or a server that does (vLLM, SGLang, llama.cpp, Mistral, '
    "https://api.deepseek.com/beta)"
)


def asked(body: Mapping[str, Any], way: Way) -> dict[str, Any]:
    """A chat body whose last message is the beginning of the assistant's turn, as it asks to have it continued."""
    if way == "flags":
        return {**body, **CONTINUED}
    if way == "prefix":
        *before, last = body["messages"]
        return {**body, "messages": [*before, {**last, "prefix": True}]}
    return dict(body)


async def find(ask: Asker, *, extras: bool) -> Found:
    """Which way the server honours: three or four calls of one token. extras: whether flags may be sent.

    Told from the prompt's token counts. Closing the turn and opening a new one costs the tokens of the template between
    them, so a continued turn is shorter with what asks for it than without; where that changes nothing (llama.cpp
    always continues) it is longer than no assistant turn at all by just the prefix. A server that repeats the prefix is
    not usable either.
    """
    user = {"role": "user", "content": "Is water wet? Say yes or no, then explain."}
    turn = {"max_tokens": 1, "messages": [user, {"role": "assistant", "content": TURN}]}
    ways: list[Way] = ["flags", "bare"] if extras else ["bare"]
    without, *rest = await each(ask.answer, [{**turn, "messages": [user]}, *(asked(turn, way) for way in ways)])
    closed = rest[-1]
    for way, answer in zip(ways, rest, strict=True):
        if _continues(answer, without, closed):
            return Found(way)
    if _continues(await ask.answer(asked(turn, "prefix")), without, closed):
        return Found("prefix")
    return Found(None, str(closed) if isinstance(closed, CallError) else "")


_Answer = dict[str, Any] | CallError


def _continues(answer: _Answer, without: _Answer, closed: _Answer) -> bool:
    """Whether `answer` goes on with the turn. without: no turn was sent; closed: it was, and nothing asked for it."""
    read, none, shut = (_prompt_tokens(found) for found in (answer, without, closed))
    if isinstance(answer, CallError) or read is None or none is None or _text(answer).startswith(TURN):
        return False
    if isinstance(closed, CallError):
        return True  # refused bare, taken so: it is read
    return (shut is not None and read < shut) or read - none <= 1


def _text(answer: Mapping[str, Any]) -> str:
    return text_of(answer["choices"][0])


def _prompt_tokens(answer: _Answer) -> int | None:
    return None if isinstance(answer, CallError) else of_choices(answer).prompt
