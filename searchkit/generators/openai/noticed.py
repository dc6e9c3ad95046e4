"""What an answer shows that nobody asked for: a prompt that was cut, a stop string that was not named, or not sent,
counts that cannot be, a reason that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from searchkit.calls import Request
from searchkit.kinds import printable
from searchkit.types import Params, Sample, Text
from searchkit.wire import charging, choices
from searchkit.wire.finishes import is_known, noted
from searchkit.wire.usage import of_choices

CHARACTERS = 8  # a token: more than any text has that is not made of repetitions
SHORTEST = 2000  # characters of a prompt that any server holds
_RUN = re.compile(r"(.)\1+", re.DOTALL)


def ended_at(sample: Sample[str], stops: Sequence[str]) -> Sample[str]:
    """The sample up to the first stop string in its text, for a server that was not told of them."""
    found = [(at, -len(stop), stop) for stop in stops if (at := sample.text.find(stop)) >= 0]
    if not found:
        return sample
    at, _, stop = min(found)
    text, said, tokens = sample.text[:at], sample.message, sample.logprobs
    if tokens is not None and "".join(token.text for token in tokens).startswith(sample.text):
        begins = [0, *accumulate(len(token.text) for token in tokens)]
        tokens = tuple(token for token, begin in zip(tokens, begins, strict=False) if begin < at)
    if said is not None:
        said = replace(said, parts=(Text(text),) if text else ())
    return replace(sample, value=text, message=said, finish="stop", stop_reason=stop, logprobs=tokens, token_ids=None)


def cut_prompt(request: Request, drawn: Sequence[Sample[str]]) -> str:
    """What to warn of if the server read far less than was sent: "" if it did not.

    Texts of all languages have at most 6 characters a token in the mean; runs of one character may have many more, and
    are counted once.
    """
    text, usage = request.prompt.text + request.prompt.prefix, drawn[0].usage
    if not 0 < usage.prompt_tokens * CHARACTERS < len(text) or len(text) < SHORTEST:
        return ""
    if len(_RUN.sub(r"\1", text)) <= usage.prompt_tokens * CHARACTERS:
        return ""
    return (
        f"says that it read {usage.prompt_tokens} tokens of a prompt of {len(text)} characters: it was probably cut. "
        "Ollama drops what exceeds its num_ctx, which OLLAMA_CONTEXT_LENGTH or a Modelfile raises, and no request"
    )


def unnamed_stop(request: Request, body: bytes, drawn: Sequence[Sample[str]]) -> str:
    """What to warn of if nobody can tell a step that ended from a text that did: "" if that does not matter.

    It does where a stop string of white space cuts a text into steps; at any other, a text is over either way.
    """
    if (
        not any(not stop.strip() for stop in request.params.stop)
        or b'"stop_reason"' in body
        or b'"matched_stop"' in body
    ):
        return ""
    if all(sample.finish != "stop" or sample.stop_reason is not None for sample in drawn):
        return ""
    return (
        "neither keeps nor names the stop string at which a text ends (llama.cpp and Ollama do not): a text that ended "
        "at a line break is taken for one that is complete, and a search over steps ends with its first step. vLLM and "
        "SGLang name it"
    )


def in_answer(
    answer: Any, drawn: Sequence[Sample[str]], params: Params, prompt: int, n: int
) -> Iterator[tuple[str, str]]:
    """What to warn of, and what it is about. answer: its JSON. prompt, n: as in `charging.charged`."""
    if doubt := charging.doubts(drawn, of_choices(answer), params, prompt, n):
        yield "usage", f"says what cannot be: {doubt}. Such counts are not charged, but estimated"
    for reason in {noted(r) for c in choices.listed_of(answer) if not is_known(r := c.get("finish_reason"))}:
        named = "no reason" if reason is None else f'the reason "{printable(reason)}", which nobody knows,'
        kept = "" if reason is None else ", and Sample.stop_reason has the reason"
        yield (
            f"finish {reason}",
            f"gives {named} for the end of a text (finish_reason): such a text counts as cut and never votes, even if "
            f"it is whole{kept}",
        )
