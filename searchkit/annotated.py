"""How a value is stored that is not JSON: by the return annotation of the callable that returned it, or pickled."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import json
import sys
import types
import typing
from collections import abc
from collections.abc import Callable
from typing import Any

from searchkit import parts
from searchkit.arguments import function_of, namespace, resolved
from searchkit.codec import Codec
from searchkit.errors import ConfigError
from searchkit.types import Sample

FIX = 'pass codec=Codec(dump, load), or codec="pickle", or run without a journal'
PARTS = "searchkit parts"  # the key of what is stored so
JSON = (str, int, float, bool, type(None), list, dict, Any, object)  # what needs no codec, or what says nothing
UNIONS = (typing.Union, types.UnionType)
SPENT = (abc.Iterator, abc.Generator, abc.AsyncIterator, abc.AsyncGenerator)  # they can be read only once


def codec_for(fn: Callable[..., Any]) -> Codec | None:
    """How what `fn` returns is stored, by its return annotation: with pydantic, whose types it may use.

    None where the annotation is missing or says JSON: such values are stored as they are. Raises `ConfigError` if
    nothing of the annotated type can be stored. Cost: milliseconds the first time.
    """
    annotation = _returned(fn)
    if annotation is None or isinstance(annotation, str) or _plain(annotation):
        return None
    try:
        return _adapted(annotation)
    except TypeError:  # an annotation that cannot be hashed
        return _adapted.__wrapped__(annotation)


def reports_usage(fn: Callable[..., Any]) -> bool:
    """Whether `fn` says that it returns a `Sample`, which can tell what it cost."""
    annotation = _annotation(fn)
    return annotation is Sample or typing.get_origin(annotation) is Sample


def _annotation(fn: Callable[..., Any]) -> Any:
    """The type that `fn` returns in the end, not a coroutine of it."""
    inner = function_of(fn)
    annotation = resolved(getattr(inner, "__annotations__", {}).get("return"), namespace(fn))
    while typing.get_origin(annotation) in (abc.Awaitable, abc.Coroutine) and typing.get_args(annotation):
        annotation = typing.get_args(annotation)[-1]
    return annotation


def _returned(fn: Callable[..., Any]) -> Any:
    """The type of the value: of a `Sample` what is in it, None if that is not said."""
    annotation = _annotation(fn)
    if typing.get_origin(annotation) is Sample:
        return typing.get_args(annotation)[0]
    return None if annotation is Sample else annotation


def _plain(annotation: Any) -> bool:
    """Whether values of this type are JSON, or the annotation does not say what they are."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return all(type(arg) in JSON for arg in args)
    if origin in (list, dict, *UNIONS):
        return all(map(_plain, args)) and (origin is not dict or args[0] in (str, Any))
    return annotation in JSON or isinstance(annotation, (typing.TypeVar, str)) or annotation is None


@functools.lru_cache(maxsize=64)  # a fact about a type, which takes a millisecond to find out
def _adapted(annotation: Any) -> Codec | None:
    """As pydantic stores the type; where it cannot, or a value would come back changed, by the value's parts."""
    by_parts = Codec(
        lambda value: {PARTS: parts.dumped(value, annotation)}, lambda s: parts.loaded(s[PARTS], annotation)
    )
    try:
        whole = _by_pydantic(annotation)
    except ImportError:  # then what is not JSON is refused once it is there
        return None
    except Exception as error:
        if not parts.storable(annotation):
            reason = str(error).splitlines()[0]
            raise ConfigError(f"what is annotated as {_name(annotation)} cannot be stored ({reason}): {FIX}") from error
        whole = by_parts

    def load(stored: Any) -> Any:
        return (by_parts if type(stored) is dict and stored.keys() == {PARTS} else whole).load(stored)

    def dump(value: Any) -> Any:
        first = ""
        for way in (whole, by_parts):
            try:
                stored = way.dump(value)
                again = load(stored)
                if _same(again, value):
                    return stored
                first = first or f"would come back as {again!r:.100}"
            except Exception as error:
                first = first or f"cannot be stored ({error})"
        raise ConfigError(f"{_what(value, annotation)} {first}: {FIX}")

    return Codec(dump, load)


def _by_pydantic(annotation: Any) -> Codec:
    from pydantic import TypeAdapter

    if typing.get_origin(annotation) in SPENT or annotation in SPENT:
        raise ValueError("it can be read only once")
    adapter: TypeAdapter[Any] = TypeAdapter(_portable(annotation))
    adapter.json_schema(mode="serialization")  # refuses what has no JSON, such as a callable in a field
    return Codec(
        lambda value: adapter.dump_python(value, mode="json", warnings="none"),
        lambda stored: adapter.validate_json(json.dumps(stored)),
    )


def _pickle(value: Any) -> str:
    import pickle

    return base64.b64encode(pickle.dumps(value)).decode()


def _unpickle(text: str) -> Any:
    import pickle

    return pickle.loads(base64.b64decode(text))


PICKLED = Codec(_pickle, _unpickle)


def _same(a: Any, b: Any) -> bool:
    """Whether what was loaded is equal to the value `b`, and of the same types all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(_same, a.values(), b.values())) and all(map(_same, a, b))
    if dataclasses.is_dataclass(a):
        return all(_same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)) and bool(a == b)
    if isinstance(a, (datetime.datetime, datetime.time)):
        fixed = b.tzinfo is None or isinstance(b.tzinfo, datetime.timezone)  # a zone would come back as its offset
        return a == b and (fixed or type(a.tzinfo) is type(b.tzinfo))
    return bool(a == b)


def _portable(annotation: Any) -> Any:
    """The same type for pydantic, which before Python 3.12 wants the TypedDict of typing_extensions."""
    if sys.version_info >= (3, 12):
        return annotation
    if typing.is_typeddict(annotation) and type(annotation).__module__ == "typing":
        from typing_extensions import TypedDict

        hints = typing.get_type_hints(annotation, include_extras=True)
        fields = {name: _portable(hint) for name, hint in hints.items()}
        return TypedDict(annotation.__name__, fields, total=annotation.__total__)  # type: ignore[operator]
    args = typing.get_args(annotation)
    if args and typing.get_origin(annotation) in (list, dict, tuple, typing.Union, types.UnionType):
        parts = tuple(map(_portable, args))
        union = typing.get_origin(annotation) in UNIONS
        return typing.Union[parts] if union else typing.get_origin(annotation)[parts]  # noqa: UP007
    return annotation


def _what(value: Any, annotation: Any) -> str:
    return f"a value of type {type(value).__name__}, annotated as {_name(annotation)},"


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
