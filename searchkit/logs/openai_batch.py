"""Output of OpenAI's batch API: a line a request, with the answer or the error; n choices are n samples.

The form is `BatchRequestOutput` of OpenAI's published API description: id, custom_id, response (status_code,
request_id, body), error. It has neither prompts nor references: give `problems`, and a truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from searchkit.errors import ConfigError
from searchkit.kinds import printable
from searchkit.logs.bounded import lines
from searchkit.logs.json_lines import named
from searchkit.logs.logged import Graded, How, Logged, Notes, entry, failed
from searchkit.types import Params
from searchkit.wire.dialects import samples
from searchkit.wire.values import Route

NAME = "openai-batch"
ABOUT = "output of OpenAI's batch API (chat, completions, responses): answers and tokens; no verdicts, no prompts"
USES = ("key", "prices", "problem")
ROUTES: Mapping[str, Route] = {"chat.completion": "chat", "text_completion": "completions", "response": "responses"}
UNJUDGED = "a batch says nothing of what is right: give a truth"
LONGEST_PATTERN = 200
NO_PARAMS = Params()


def fits(path: Path, head: bytes) -> bool:
    """By the fields of its first line."""
    return b'"custom_id"' in head and b'"response"' in head


def read(path: Path, how: How, told: Notes) -> Iterator[Logged]:
    """Its samples. A request that failed, or was not answered, is one sample with finish "error"."""
    pattern = _pattern(how.problem)
    for where, row in lines(path, told.advance):
        problem = _problem(named(row.get("custom_id"), where, "custom_id"), pattern, where)
        response, error = row.get("response"), row.get("error")
        body = response.get("body") if isinstance(response, Mapping) else None
        status = response.get("status_code") if isinstance(response, Mapping) else None
        if error or status != 200 or not isinstance(body, Mapping):
            why = error or (isinstance(body, Mapping) and body.get("error")) or f"status {status!r:.80}"
            told.notes["are requests that failed"] += 1
            yield Logged(problem, failed(why.get("message", why) if isinstance(why, Mapping) else why))
            continue
        told.model = told.model or str(body.get("model") or "")
        for sample in _samples(body, where):
            tokens = sample.usage.prompt_tokens, sample.usage.generated_tokens
            yield Logged(
                problem, entry(sample.value, None, Graded(why=UNJUDGED), how, tokens=tokens, finish=sample.finish)
            )


def _samples(body: Mapping[str, Any], where: str) -> list[Any]:
    route = ROUTES.get(str(body.get("object")), "chat")
    try:
        return samples(route, body, NO_PARAMS)
    except ValueError as error:
        raise ConfigError(
            f"{where}: the body is no answer of {route} ({printable(str(error))}): mend or delete the line"
        ) from None


def _pattern(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        found = re.compile(text)
    except re.error as error:
        raise ConfigError(f"problem={text!r} is no regular expression: {error}") from None
    if found.groups != 1 or len(text) > LONGEST_PATTERN:
        raise ConfigError(f"problem={text!r:.80} needs one group, which finds the problem's id, as in '(.*)-[0-9]+'")
    return found


def _problem(custom: str, pattern: re.Pattern[str] | None, where: str) -> str:
    if pattern is None:
        return custom
    found = pattern.fullmatch(custom[:1000])
    if found is None or not found[1]:
        raise ConfigError(f"{where}: {custom!r:.80} does not match problem={pattern.pattern!r}: mend the expression")
    return found[1]
