"""What tests are: a text, a list of texts, or inputs and outputs; read from an argument or a problem's reference."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.errors import ConfigError

FORMS = (
    "a text of Python, a list of such texts, a list of (stdin, stdout) pairs, or a mapping that has one of these as "
    '"tests" or "test", and may have "entry_point", "prompt" and "setup"'
)
_CHECK = re.compile(r"^def check\(", re.MULTILINE)


@dataclass(frozen=True)
class Suite:
    """Tests of a program; the fields are those of `pair.Case`."""

    tests: tuple[str, ...] | tuple[tuple[str, str], ...]
    prompt: str = ""
    entry_point: str = ""


def read(given: Any) -> Suite:
    """Tests in any of the `FORMS`. Raises `ConfigError` for anything else, and for tests that are no Python.

    A mapping's setup is put in front of each test; a test that defines `check` has a call of it with the entry point
    appended, as HumanEval wants it. Fields with other names are not looked at.
    """
    if isinstance(given, Suite):
        return given
    fields = given if isinstance(given, Mapping) else {"tests": given}
    tests = fields.get("tests", fields.get("test"))
    prompt, entry_point, setup = (fields.get(name) or "" for name in ("prompt", "entry_point", "setup"))
    if not all(isinstance(text, str) for text in (prompt, entry_point, setup)):
        raise ConfigError("the prompt, entry_point and setup of tests must be texts")
    if isinstance(tests, str):
        tests = [tests]
    if not isinstance(tests, Sequence) or not tests:
        raise ConfigError(f"tests are {FORMS}, got {given!r:.80}")
    if all(isinstance(test, str) for test in tests):
        return Suite(tuple(_whole(test, setup, entry_point) for test in tests), prompt, entry_point)
    if all(_is_pair(test) for test in tests) and not setup:
        return Suite(tuple((typed, printed) for typed, printed in tests), prompt, entry_point)
    raise ConfigError(f"tests are {FORMS}, got {given!r:.80}")


def _is_pair(test: Any) -> bool:
    return (
        isinstance(test, Sequence)
        and not isinstance(test, str)
        and len(test) == 2
        and all(isinstance(text, str) for text in test)
    )


def _whole(test: str, setup: str, entry_point: str) -> str:
    call = f"\ncheck({entry_point})\n" if entry_point and _CHECK.search(test) else ""
    text = (setup + "\n" if setup else "") + test + call
    try:
        ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"a test is no Python ({error}): {test!r:.80}") from None
    return text
