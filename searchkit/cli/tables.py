"""What a table of a TOML file may hold, derived from what it makes: the fields of a dataclass, the arguments of a call.

`hints` finds the keys with their types, `read` checks a table against them and says what is wrong in one sentence,
`schema` tells editors the same. Values are checked by pydantic, as strictly as JSON: nothing is converted but a list to
a tuple, and a table to the dataclass that stands there. What cannot be written in TOML (a callable, a verifier) is
named: by a name that `names.known` has, as a call of one, or as ``module:name``.
"""

from __future__ import annotations

import functools
import inspect
import json
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from searchkit.cli import names
from searchkit.errors import ConfigError
from searchkit.kinds import printable

Table = Mapping[str, Any]
Hints = Mapping[str, Any]
SECRET = ("api_key", "extra_headers", "extra_query")  # keys whose values no error shows
SYNONYMS = {
    "limit": "count",
    "n": "count",
    "url": "backend",
    "base_url": "backend",
    "provider": "backend",
    "path": "file",
    "data": "file",
    "name": "dataset",
    "system_prompt": "system",
    "prompt_template": "template",
    "calls": "model_calls",
    "seed": "seeds",
    "output": "out",
    "folder": "out",
    "tokens": "generated_tokens",
    "question": "prompt",
    "answer": "reference",
    "column": "prompt",
    "max_completion_tokens": "max_tokens",
    "retries": "attempts",
}  # what others call a key of ours
_SCALARS = (str, int, float, bool, types.NoneType, Any, object, Path)
_WANTED = {
    "bool_type": "true or false", "string_type": "a text", "int_type": "a whole number", "int_from_float":
    "a whole number", "float_type": "a number", "list_type": "a list", "tuple_type": "a list", "dict_type": "a table",
    "mapping_type": "a table", "dataclass_type": "a table", "path_type": "a text",
}  # fmt: skip


class NoToml(ConfigError):
    """A file that is none of TOML; what it says names the file."""


def toml(path: Path) -> dict[str, Any]:
    """What the file says; one that begins with a byte order mark, as some editors write, too. Raises `NoToml`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise NoToml(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else printable(str(error))
        raise NoToml(f"{path} cannot be read as TOML: {why}") from error


def within(path: Path, error: ConfigError) -> ConfigError:
    """What is wrong in a file, which is named once."""
    return error if isinstance(error, NoToml) else ConfigError(f"{path}: {error}")


def hints(make: Callable[..., Any], without: Iterable[str] = ()) -> dict[str, Any]:
    """What `make` can be given by name -> its type.

    >>> hints(slice)
    {}
    """
    found = _arguments(make)
    return {name: hint for name, (hint, _) in found.items() if name not in set(without)}


def needed(make: Callable[..., Any]) -> tuple[str, ...]:
    """What `make` has to be given."""
    return tuple(name for name, (_, must) in _arguments(make).items() if must)


def takes_any(make: Callable[..., Any]) -> bool:
    """Whether it takes further arguments, of any name."""
    return any(p.kind is p.VAR_KEYWORD for p in _signature(make))


def _signature(make: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(make).parameters.values())
    except (TypeError, ValueError):
        return []


def _arguments(make: Callable[..., Any]) -> dict[str, tuple[Any, bool]]:
    """Each argument that has a name: its type, and whether it is needed."""
    owner: Any = make if is_dataclass(make) and make.__dataclass_params__.init else getattr(make, "__init__", make)  # type: ignore[attr-defined]
    try:
        known = typing.get_type_hints(owner if isinstance(make, type) else make)
    except Exception:  # names that are only there for type checkers
        known = {}
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: (known.get(p.name, Any), p.default is p.empty) for p in _signature(make) if p.kind in kinds}


def read(table: Any, allowed: Hints, where: str, needed: Iterable[str] = (), more: bool = False) -> dict[str, Any]:
    """The values of `table` by name, checked against their types and made into what they stand for.

    where: what stands before a key in errors, such as ``model.``. needed: keys that must be there. more: whether other
    keys are taken, as they are. Raises `ConfigError`, which names the key.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where.rstrip('.')} must be a table, got {table!r:.80}")
    for key in table:
        if key not in allowed and not (more and not names.close(key, allowed, 0.8)):
            other = SYNONYMS.get(key)
            meant = f": did you mean {other!r}?" if other in allowed else names.meant(key, allowed)
            raise ConfigError(f"unknown key {where + key!r}{meant}")
    for key in needed:
        if key not in table:
            raise ConfigError(f"the key {where + key!r} is missing")
    return {key: checked(where + key, allowed.get(key, Any), value) for key, value in table.items()}


def checked(where: str, hint: Any, value: Any) -> Any:
    """`value` as `hint` has it. Raises `ConfigError`."""
    members = [member for member in _members(hint) if member is not types.NoneType]
    plain = [member for member in members if is_plain(member)]
    if len(plain) < len(members) and isinstance(value, str) and str not in plain:
        return named(where, value)
    if not plain:
        raise ConfigError(f'{where} is named, as in {where.rpartition(".")[2]} = "module:name", got {value!r:.80}')
    complaints = list[str]()
    for member in plain:
        try:
            return _adapter(member).validate_json(_json(where, value))
        except ValueError as error:
            if not hasattr(error, "errors"):
                raise
            complaints.append(_complaint(where, error.errors()[0], value))
    deeper = [text for text in complaints if not text.startswith(f"{where} must be ")]
    if deeper:
        raise ConfigError(deeper[-1])
    wanted = dict.fromkeys(text.partition(" must be ")[2].partition(", got ")[0] for text in complaints)
    raise ConfigError(f"{where} must be {' or '.join(wanted)}{_got(where, value)}")


def named(where: str, text: str) -> Any:
    """What a text stands for that names a thing: see `names.value`."""
    try:
        found = names.value(text)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    if isinstance(found, str):
        raise ConfigError(f"{where}: {text!r:.80} is not known here (your own is named as module:name)")
    return found


def schema(allowed: Hints, needed: Iterable[str] = (), more: bool = False) -> dict[str, Any]:
    """The JSON schema of a table."""
    properties: dict[str, Any] = {}
    for key, hint in allowed.items():
        plain = [m for m in _members(hint) if m is not types.NoneType and is_plain(m)]
        written = [_inlined(_adapter(member).json_schema()) for member in plain]
        if len(plain) < len([m for m in _members(hint) if m is not types.NoneType]) and str not in plain:
            written.append({"type": "string"})
        properties[key] = written[0] if len(written) == 1 else {"anyOf": written}
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": more}
    return {**found, "required": list(needed)} if needed else found


def _inlined(found: Any, defined: Mapping[str, Any] | None = None) -> Any:
    """A schema with its definitions in the places that name them: it becomes a part of another one."""
    if isinstance(found, list):
        return [_inlined(one, defined) for one in found]
    if not isinstance(found, dict):
        return found
    known = {**(defined or {}), **found.get("$defs", {})}
    if "$ref" in found:
        return _inlined(known[found["$ref"].rpartition("/")[2]], known)
    return {key: _inlined(value, known) for key, value in found.items() if key not in ("$defs", "title")}


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def is_plain(hint: Any) -> bool:
    """Whether TOML can write it: texts, numbers, lists and tables of them, dataclasses whose fields are such."""
    if hint in _SCALARS or typing.get_origin(hint) is typing.Literal:
        return True
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return all(map(is_plain, typing.get_args(hint)))
    origin = typing.get_origin(hint) or hint
    if isinstance(origin, type) and issubclass(origin, (list, tuple, dict)):
        return all(is_plain(part) for part in typing.get_args(hint) if part is not ...)
    if getattr(origin, "__module__", "") == "collections.abc" and origin is not Callable:
        return bool(typing.get_args(hint)) and all(map(is_plain, typing.get_args(hint)))
    if isinstance(hint, type) and is_dataclass(hint) and not getattr(hint, "_is_protocol", False):
        return all(is_plain(part) for name, part in hints(hint).items()) and bool(fields(hint))
    return False


@functools.lru_cache(maxsize=512)
def _adapter(hint: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    hint = hint | None if isinstance(hint, type) and is_dataclass(hint) else hint  # or it would not take our settings
    return TypeAdapter(hint, config=ConfigDict(extra="forbid", strict=True))


def _json(where: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{where} must be a text, a number, a list or a table, got {value!r:.80}") from None


def _complaint(where: str, found: Mapping[str, Any], value: Any) -> str:
    """One complaint of pydantic as our sentence."""
    place = where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"])
    kind, got = found["type"], found["input"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"unknown key {place!r}"
    if kind in ("missing", "missing_argument"):
        return f"the key {place!r} is missing"
    if kind == "literal_error":
        words = [word.strip("' ") for word in found["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return f"{place}: unknown {place.rpartition('.')[2]} {got!r:.80}{names.meant(str(got), words)}"
    if kind == "value_error":
        return f"{where}: {found['ctx']['error']}"
    if kind in _WANTED:
        return f"{place} must be {_WANTED[kind]}{_got(where, got)}"
    return f"{place}: {found['msg'][:1].lower()}{found['msg'][1:]}{_got(where, got)}"


def _got(where: str, value: Any) -> str:
    return "" if where.rpartition(".")[2] in SECRET else f", got {value!r:.80}"
