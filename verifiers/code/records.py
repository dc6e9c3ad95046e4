"""Tests in the forms in which data sets have them: HumanEval, MBPP, APPS, LiveCodeBench.

Nothing of a record is evaluated. Arguments of calls are read as JSON and written into a test as Python.
"""

from __future__ import annotations

import base64
import difflib
import functools
import io
import json
import pickle
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from searchkit.errors import ConfigError

READ = (
    "tests", "test", "prompt", "entry_point", "setup", "test_list", "challenge_test_list", "test_setup_code",
    "test_imports", "fn_name", "inputs", "outputs", "input_output", "public_test_cases", "private_test_cases",
    "starter_code", "metadata",
)  # fmt: skip
OTHERS = ("input", "output", "test_setup", "public_tests", "private_tests")  # of records of other data sets
NEAR = 0.85  # how alike a key must be to one that is read, to be taken for a misspelling of it
LARGEST = 2**26  # bytes of the tests of one record, unpacked
# What the harness of LiveCodeBench puts in front of every program, and that of APPS in good part: its programs are
# written as the sites that they come from take them, where `List` and `inf` are there without an import.
MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json", "typing",
)  # fmt: skip
PRELUDE = "\n".join(
    [f"from {name} import *" for name in MODULES] + [f"import {name}" for name in MODULES]
    + ["import fractions", "import time", "sys.setrecursionlimit(50_000)"]
)  # fmt: skip
# By names that no function of a record has: what it calls may be named `any`.
_CALL = """
import builtins as _sk
from math import inf, nan

def _sk_plain(value):
    return [_sk_plain(one) for one in value] if _sk.isinstance(value, (_sk.list, _sk.tuple)) else value

_sk_found = _sk_plain({name}(*{arguments!r}))
assert _sk.any([_sk_found == _sk_plain(one) for one in {accepted!r}]), "another value"
"""


def fields_of(given: Any) -> dict[str, Any]:
    """tests, prompt, entry_point, setup, as far as they are given. Raises `ConfigError` for a record that is broken.

    Of records of APPS and LiveCodeBench also the prelude, and their starter code where they have any.
    """
    if isinstance(given, Mapping):
        _refuse_misspelt(given)
    else:
        return {"tests": _cases(given, ""), **_around({}, _is_live(given))}
    fields = {name: given.get(name) for name in ("prompt", "entry_point", "setup")}
    if "test_list" in given:
        fields["prompt"] = None  # of MBPP, and so prose, where MBPP+ has a `test` as well
    for name in ("tests", "test"):
        if given.get(name) is not None:
            cases = _cases(given[name], given.get("entry_point") or "")
            return {**fields, "tests": cases, **_around(given, _is_live(given[name]))}
    if "test_list" in given:
        return _mbpp(given)
    name = _function(given)
    if "public_test_cases" in given or "private_test_cases" in given:
        pairs = [*_hidden(given.get("public_test_cases")), *_hidden(given.get("private_test_cases"))]
        return {"tests": _cases(pairs, name), "entry_point": name, **_around(given)}
    held = given
    if "input_output" in given:
        held = _json(given["input_output"], "input_output")
        name = _function(held) or name
    if isinstance(held, Mapping) and {"inputs", "outputs"} <= held.keys():
        return {**_apps(held, name), **_around(given)}
    return fields


def _refuse_misspelt(given: Mapping[Any, Any]) -> None:
    """Raises `ConfigError` for a key that is nearly one that is read, where the latter is missing."""
    if near := _misspelt(tuple(key for key in given if isinstance(key, str))):
        key, name = near
        raise ConfigError(f"the tests have the key {key!r:.80}, which is not read: did you mean {name!r}?")


@functools.lru_cache(100)  # the records of a data set have the same keys
def _misspelt(given: tuple[str, ...]) -> tuple[str, str] | None:
    """The first key that is nearly one that is read and missing, with that one."""
    has_tests = "tests" in given or "test" in given
    missing = {_letters(name): name for name in READ if name not in given and not (has_tests and name in READ[:2])}
    for key in given:
        if key in READ or key in OTHERS:
            continue
        if near := difflib.get_close_matches(_letters(key), missing, 1, NEAR):
            return key, missing[near[0]]
    return None


def _letters(key: str) -> str:
    return re.sub(r"[^a-z]", "", key[:100].lower())


def _around(given: Mapping[str, Any], site: bool = True) -> dict[str, str]:
    """What stands in front of the programs of a record of one of the sites, and what these may continue."""
    starter = given.get("starter_code")
    starter = starter.rstrip() if isinstance(starter, str) else ""
    return {"prelude": PRELUDE, "starter": starter + "\n" if starter else ""} if site else {}


def _mbpp(given: Mapping[str, Any]) -> dict[str, Any]:
    """Its `prompt` is no beginning of a program."""
    setup = [given.get("test_setup_code") or "", *(given.get("test_imports") or [])]
    tests = [*given["test_list"], *(given.get("challenge_test_list") or [])]
    if not all(isinstance(text, str) for text in (*setup, *tests)):
        raise ConfigError("test_list, test_imports and test_setup_code of a record of MBPP are texts")
    return {"tests": tests, "setup": "\n".join(filter(None, setup)), "entry_point": given.get("entry_point")}


def _function(given: Mapping[str, Any]) -> str:
    """The function that the tests call; "" where they type and read."""
    metadata = _json(given.get("metadata") or "{}", "metadata")
    names = [
        given.get("fn_name"),
        given.get("entry_point"),
        isinstance(metadata, Mapping) and metadata.get("func_name"),
    ]
    return next((name for name in names if isinstance(name, str) and name), "")


def _apps(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    typed, printed = given["inputs"], given["outputs"]
    if not (isinstance(typed, Sequence) and isinstance(printed, Sequence)) or len(typed) != len(printed):
        raise ConfigError("inputs and outputs of a record of APPS are lists of the same length")
    if not name:
        return {"tests": [(_text(one), _text(other)) for one, other in zip(typed, printed, strict=True)]}
    tests = list[str]()
    for arguments, expected in zip(typed, printed, strict=True):
        if not isinstance(arguments, list):
            raise ConfigError(f"inputs of a record of APPS with fn_name are lists of arguments, got {arguments!r:.80}")
        # Some records put an answer into a list of its own, and some do not: the authors' harness takes both.
        wrapped = isinstance(expected, list) and len(expected) == 1
        accepted = [expected, *(expected if wrapped else [])]
        accepted += [numbered for one in accepted if (numbered := _numbered(one)) is not one]
        tests.append(_call(name, [_numbered(arguments[0]), *arguments[1:]] if arguments else [], accepted))
    return {"tests": tests, "entry_point": name}


def _numbered(value: Any) -> Any:
    """A dictionary whose keys are whole numbers, which JSON writes as texts: the authors' harness reads them so."""
    if not isinstance(value, dict) or not value:
        return value
    try:
        return {int(key): one for key, one in value.items()}
    except ValueError:
        return value


def _call(name: str, arguments: list[Any], accepted: list[Any]) -> str:
    if not name.isidentifier():
        raise ConfigError(f"the function of a record is a name, got {name!r:.80}")
    return _CALL.format(name=name, arguments=arguments, accepted=accepted)


def _text(lines: Any) -> str:
    """What is typed or printed: a text, or its lines."""
    if isinstance(lines, list):
        return "\n".join(_text(line) for line in lines)
    if not isinstance(lines, str):
        raise ConfigError(f"what is typed and printed is a text or a list of lines, got {lines!r:.80}")
    return lines


def _cases(tests: Any, name: str) -> Any:
    """Tests of LiveCodeBench, mappings with input, output and testtype, as pairs or calls; all else as it is."""
    if not _is_live(tests):
        return tests
    kinds = {one.get("testtype", "stdin") for one in tests}
    if kinds == {"stdin"}:
        return [(_text(one["input"]), _text(one["output"])) for one in tests]
    if kinds != {"functional"} or not name:
        raise ConfigError(
            'tests of LiveCodeBench have the testtype "stdin", or "functional" with a func_name or entry_point'
        )
    return [_call(name, [_json(line, "input") for line in _text(one["input"]).split("\n") if line.strip()],
                  [_json(_text(one["output"]), "output")]) for one in tests]  # fmt: skip


def _is_live(tests: Any) -> bool:
    """Whether they are tests as LiveCodeBench has them."""
    if not isinstance(tests, Sequence) or isinstance(tests, str) or not tests:
        return False
    return all(isinstance(one, Mapping) and {"input", "output"} <= one.keys() for one in tests)


def _json(text: Any, what: str) -> Any:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{what} of a record is JSON ({error}), got {text!r:.80}") from None


def _hidden(tests: Any) -> list[Any]:
    """Tests as JSON, or packed as LiveCodeBench hides its private ones."""
    if isinstance(tests, str) and tests and tests.lstrip()[:1] not in ("[", "{"):
        tests = _unpacked(tests)
    found = _json(tests or "[]", "public_test_cases and private_test_cases")
    if not isinstance(found, list):
        raise ConfigError("public_test_cases and private_test_cases of a record are lists")
    return found


def _unpacked(packed: str) -> str:
    """A text in a pickle in zlib in base 64. The pickle may hold a text and nothing else."""
    try:
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b64decode(packed, validate=True), LARGEST)
        text = _Plain(io.BytesIO(data)).load()
    except Exception as error:  # whatever a broken pickle raises
        raise ConfigError(f"the private_test_cases of a record could not be read ({type(error).__name__})") from None
    if not isinstance(text, str) or inflate.unconsumed_tail:
        raise ConfigError(f"the private_test_cases of a record are a text of at most {LARGEST:,} bytes")
    return text


class _Plain(pickle.Unpickler):
    """Reads no classes and functions, so that nothing can be called."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name}")
