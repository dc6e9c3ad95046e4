"""What the verifiers share that ask a language model: how a judgement is drawn, redrawn, worded and read."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from searchkit import mistakes
from searchkit.answers.thoughts import without_thoughts
from searchkit.errors import BudgetExhausted, ConfigError
from searchkit.protocols import Generator, Run
from searchkit.types import Params, Prompt, Sample, Usage
from searchkit.verifiers.base import identity

T = TypeVar("T")

LONGEST = 100_000  # characters of an answer, and of a judgement
LONGEST_MARKS = 1_000  # characters of what may stand behind a judgement
TOO_LONG = f"an answer of more than {LONGEST:,} characters is not judged"
UNREADABLE = "no verdict could be read"

_OBJECT = re.compile(r'\{\s*"')
_TAGS = "answer|final_answer|verdict|judge?ment|evaluation|response|result|output|score|json"
_MARKS = re.compile(
    rf"(?:[\s`]|</(?:{_TAGS})>|<[|｜][A-Za-z][\w▁]{{1,40}}[|｜]>|</s>|<(?:eos|end_of_turn|EOT)>|\[(?:EOS|/INST)\])+\Z",
    re.IGNORECASE,
)
_OPENED = re.compile(rf"\A(?:\s|<(?:{_TAGS})>)+", re.IGNORECASE)
_COMMA = re.compile(r'("(?:\\.|[^"\\])*+"?)|,(?=\s*[}\]])', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9A-Fa-f]{4})?')


class Quotation(Exception):
    """A verdict that the judge was shown, so that it may be no verdict of its own.

    It is not drawn again, which would go on until one comes that was not shown: of an answer that lists all but the
    best, the best.
    """


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a field is there twice")
    return dict(pairs)


_JSON = json.JSONDecoder(strict=False, object_pairs_hook=_unique)


async def judgements(
    generator: Generator | None,
    question: Prompt,
    read: Callable[[Sample[Any]], T | None],
    run: Run,
    *,
    n: int,
    retries: int,
    params: Params | None,
    start: int = 0,
    stride: int = 1,
) -> list[T]:
    """What `read` finds in `n` replies to `question`. start: the index of the first of them.

    stride: by how much the index grows for a reply that is drawn again, where others are drawn beside it.
    Replies that fail or cannot be read (None) are drawn again, `retries` times; the result is shorter where that did
    not help, and empty where `read` finds a `Quotation`. Cost: `n` model calls, at most `retries` + 1 times as many.
    Raises what the generator raised if nothing was read and the last try failed. After a try for which nothing was left
    of the budget there is no other.
    """
    found, asked, failure = list[T](), start, None
    for _ in range(retries + 1):
        missing = n - len(found)
        try:
            replies = await run.sample(generator, question, missing, params=params, start=asked, partial=True)
            failure = None
        except ConfigError:
            raise
        except Exception as error:
            run.fail(error)
            replies, failure = [], error
        asked += missing * stride
        try:
            found += [judgement for judgement in map(read, replies) if judgement is not None]
        except Quotation:
            return []
        if len(found) >= n or isinstance(failure, BudgetExhausted):
            break
    if failure is not None:
        if not found:
            raise failure
        run.note_failure(failure)  # what was read before is paid for: it counts
    return found


async def afford(run: Run, generator: Generator | None, questions: Sequence[Prompt], params: Params | None) -> None:
    """Wait until a model call for each of `questions` can be paid: the judge can make no use of some of them alone.

    Raises `BudgetExhausted` where that cannot be. An opaque agent or a strategy may cost more than one call.
    """
    most, n = (params or run.base_params(generator)).max_tokens or 0, len(questions)
    read = sum(len(question.text) for question in questions) // 4  # characters a token: a guess, as for every call
    await run.afford(Usage(model_calls=n, generated_tokens=n * most, prompt_tokens=read))


def filled(template: str, **texts: object) -> str:
    """`template` with the trusted `texts` as they are in the fields of their names; its other fields stay fields."""
    made = []
    for literal, name, _, _ in string.Formatter().parse(template):
        made.append(_escaped(literal))
        if name is not None:
            made.append(_escaped(str(texts[name])) if name in texts else f"{{{name}}}")
    return "".join(made)


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def field_of(reply: Sample[Any], name: str, shown: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON object that a reply ends with, its names in lower case, if it has the field `name`; else an empty one.

    Thoughts and prose without objects may stand before it, nothing but end tokens, closing tags and the end of a code
    block after it: a sentence there may take it back. Where anything else looks like an object, where a field is there
    twice, and where the reply was truncated it may be a quotation: that counts as unreadable. Raises `Quotation` where
    the object stands in one of the texts that the judge was `shown` (white space aside). Backslashes that JSON does not
    know, as in LaTeX, line breaks in texts and a comma after the last field are let pass.
    """
    text = without_thoughts(reply.text)
    start = _OBJECT.search(text)
    if reply.truncated or start is None or len(text) > LONGEST:
        return {}
    text = without_marks(text[start.start() :])
    verdict = _decoded(_ESCAPE.sub(lambda found: found[0] if found[1] else r"\\", text))
    folded = {field.strip().casefold(): value for field, value in verdict.items()}
    if name not in folded or len(folded) < len(verdict):
        return {}
    if is_shown(text, shown):
        raise Quotation
    return folded


def _decoded(text: str) -> dict[str, Any]:
    """The one object that the text is; an empty one for any other text."""
    for one in dict.fromkeys((text, _COMMA.sub(lambda found: found[1] or "", text))):
        try:
            verdict, end = _JSON.raw_decode(one)
        except (ValueError, RecursionError):
            continue
        return verdict if end == len(one) else {}
    return {}


def without_marks(text: str) -> str:
    """The text without end tokens, closing tags and the end of a code block behind it, and opening tags in front."""
    text = text.rstrip("` \t\r\n")
    end = _MARKS.search(text, max(len(text) - LONGEST_MARKS, 0))
    text = text if end is None else text[: end.start()]
    opened = _OPENED.match(text)
    return text if opened is None else text[opened.end() :]


def bare_word(value: Any) -> str:
    """A text or a whole number as a word in small letters, without what may stand around it; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return str(value).casefold().strip(" \t\n.*_()[]")


def is_shown(text: str, shown: Sequence[str]) -> bool:
    """Whether the text stands in one that the judge was shown, white space aside: it may be a quotation."""
    return any(_dense(text) in _dense(other) for other in shown)


def _dense(text: str) -> str:
    return "".join(text.split())


def check_asking(owner: Any, generator: Any, **least: int) -> None:
    """Raises `ConfigError` unless `generator` is one, or None, the parameters of `owner` for it are some, or None, and
    each of these fields of `owner` is a whole number and at least so much."""
    if generator is not None:
        mistakes.check_generator(type(owner).__name__, generator)
    mistakes.check_params(getattr(owner, "params", None))
    mistakes.check_counts(owner, **least)


def name_of(generator: Any) -> str:
    """What a journal knows a generator by: its model's name, else its own; "" for None, the one given to `solve`."""
    backend = getattr(generator, "backend", None)
    if generator is None:
        return ""
    return f"{backend.name}:{getattr(generator, 'params', None)}" if backend is not None else identity(generator)
