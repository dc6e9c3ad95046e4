"""Values as their parts: dataclasses and pydantic models whose class the annotation leaves open, and what they hold.

Results of agent frameworks are such: a list of messages whose type is the base class of them all. Each part is stored
with the name of its class, and must be one that its place admits: the class that the annotation or the field's type
names, or a subclass of it that the program has loaded. So a journal can name no other, and nothing is imported for it.
Dataclasses are made without their own code; pydantic models are validated; a class may say how, by `to_dict` and
`from_dict`, or by `toDict` and its constructor.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections import abc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

UNIONS = (typing.Union, types.UnionType)
SCALARS = (bool, int, float, str)


def dumped(value: Any, hint: Any) -> Any:
    """`value` as JSON, for a place of the type `hint`. Raises `ValueError` if it cannot be there."""
    kind = type(value)
    if value is None or kind in SCALARS:
        return _admitted(value, hint)
    if kind is list:
        inner = _inside(hint)
        return [dumped(item, inner) for item in value]
    if kind is dict:
        hints = _of_dict(hint)
        return {"dict": [[_key(key), dumped(item, hints(key))] for key, item in value.items()]}
    if kind is tuple:
        return {"tuple": [dumped(item, inner) for item, inner in zip(value, _of_tuple(hint, len(value)), strict=True)]}
    base = _base(kind, hint)
    if base is None:
        return {"": _leaf(hint).dump_python(value, mode="json", warnings="error")}
    fields, known = _FORMS[form_of(kind)].fields(value), _hints(kind, base)
    return {_name(kind): {name: dumped(item, known.get(name, Any)) for name, item in fields.items()}}


def loaded(stored: Any, hint: Any) -> Any:
    """What `dumped` stored. Raises `ValueError` for what is not admitted at its place."""
    if stored is None or type(stored) in SCALARS:
        return _admitted(stored, hint)
    if isinstance(stored, list):
        inner = _inside(hint)
        return [loaded(item, inner) for item in stored]
    ((name, content),) = stored.items()
    if name == "dict":
        hints = _of_dict(hint)
        return {key: loaded(item, hints(key)) for key, item in content}
    if name == "tuple":
        return tuple(loaded(item, inner) for item, inner in zip(content, _of_tuple(hint, len(content)), strict=True))
    if name == "":
        return _leaf(hint).validate_python(content)
    base, kind = _found(name, hint)
    known = _hints(kind, base)
    fields = {name: loaded(item, known.get(name, Any)) for name, item in content.items()}
    return _FORMS[form_of(kind)].made(kind, fields)


def storable(hint: Any, above: tuple[Any, ...] = ()) -> bool:
    """Whether some value of this type might be stored, as far as its own fields tell."""
    hint = _plain(hint)
    if hint in above or len(above) > 20:  # a type that holds itself
        return True
    above = (*above, hint)
    if typing.get_origin(hint) in UNIONS:
        return all(storable(arm, above) for arm in typing.get_args(hint) if arm is not type(None))
    origin = typing.get_origin(hint) or hint
    if origin is abc.Callable or not (isinstance(origin, type) and form_of(origin)):
        arms = typing.get_args(hint) if origin in (list, dict, tuple, abc.Sequence, abc.Mapping) else ()
        return (_is_leaf(hint) or bool(arms)) and all(storable(arm, above) for arm in arms if arm is not ...)
    inner = _hints(origin, hint)
    return form_of(origin) in ("pair", "keywords") or (
        bool(inner) and all(storable(one, above) for one in inner.values())
    )


# -------------------------------------------------------------------- how a class is taken apart, and made


@dataclasses.dataclass(frozen=True)
class _Form:
    fields: Callable[[Any], Mapping[str, Any]]
    made: Callable[[Any, dict[str, Any]], Any]


def form_of(kind: Any) -> str:
    """How objects of a class are taken apart; empty if nobody knows."""
    if dataclasses.is_dataclass(kind):
        return "dataclass"
    if hasattr(kind, "model_fields") and hasattr(kind, "model_validate"):
        return "model"
    if hasattr(kind, "to_dict") and hasattr(kind, "from_dict"):
        return "pair"
    return "keywords" if hasattr(kind, "toDict") else ""


def _made(kind: Any, fields: dict[str, Any]) -> Any:
    """A dataclass with these fields, without its `__init__` and `__post_init__`: they did their work before."""
    if fields.keys() != {field.name for field in dataclasses.fields(kind)}:
        raise ValueError(f"{kind.__name__} has other fields than were stored")
    value = object.__new__(kind)
    for name, item in fields.items():
        object.__setattr__(value, name, item)
    return value


def _of_model(value: Any) -> Mapping[str, Any]:
    return {**{name: getattr(value, name) for name in type(value).model_fields}, **(value.model_extra or {})}


_FORMS = {
    "dataclass": _Form(lambda value: {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, _made),
    "model": _Form(_of_model, lambda kind, fields: kind.model_validate(fields, by_name=True)),
    "pair": _Form(lambda value: value.to_dict(), lambda kind, fields: kind.from_dict(fields)),
    "keywords": _Form(lambda value: value.toDict(), lambda kind, fields: kind(**fields)),
}


# -------------------------------------------------------------------- what a place admits


def _key(key: Any) -> str:
    if type(key) is not str:
        raise ValueError(f"the key {key!r:.60} is no text")
    return key


def _plain(hint: Any) -> Any:
    """A type without what is annotated beside it; a type variable as its bound."""
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.TypeVar):
            hint = hint.__bound__ or Any
        elif type(hint).__name__ == "TypeAliasType":  # before Python 3.12 that of typing_extensions
            hint = hint.__value__
        else:
            return Any if isinstance(hint, str) or hint is object else hint


def _arms(hint: Any) -> Iterator[Any]:
    """The alternatives of a type."""
    hint = _plain(hint)
    if typing.get_origin(hint) in UNIONS:
        for arm in typing.get_args(hint):
            yield from _arms(arm)
    else:
        yield hint


def _admitted(value: Any, hint: Any) -> Any:
    for arm in _arms(hint):
        if arm is Any or (arm in (None, type(None)) and value is None) or arm is type(value):
            return value
        if typing.get_origin(arm) is typing.Literal and any(
            value == one and type(value) is type(one) for one in typing.get_args(arm)
        ):
            return value
        if arm is float and type(value) is int:
            return value
    raise ValueError(f"{value!r:.60} is no {hint}")


_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)
_DICTS = (dict, abc.Mapping, abc.MutableMapping)


def _union(hints: list[Any]) -> Any:
    """One place for several types; Any where one of them is not said. Raises `ValueError` for none."""
    if not hints:
        raise ValueError("it is not of the annotated type")
    return Any if Any in hints else typing.Union[tuple(hints)]  # noqa: UP007


def _inside(hint: Any) -> Any:
    """What a list holds at a place."""
    arms = list(_arms(hint))
    found = [typing.get_args(arm)[0] for arm in arms if typing.get_origin(arm) in _LISTS]
    return _union(found + [Any for arm in arms if arm is Any or arm in _LISTS])


def _of_dict(hint: Any) -> Callable[[Any], Any]:
    """What a dictionary holds at a place, by key: that of a mapping, or of a TypedDict."""
    arms = list(_arms(hint))
    named = [typing.get_type_hints(arm, include_extras=True) for arm in arms if typing.is_typeddict(arm)]
    found = [typing.get_args(arm)[1] for arm in arms if typing.get_origin(arm) in _DICTS]
    found += [Any for arm in arms if arm is Any or arm in _DICTS]
    return lambda key: _union(found + [hints[key] for hints in named if key in hints])


def _of_tuple(hint: Any, length: int) -> list[Any]:
    for arm in _arms(hint):
        args = typing.get_args(arm)
        if typing.get_origin(arm) is tuple and len(args) == 2 and args[1] is ...:
            return [args[0]] * length
        if typing.get_origin(arm) is tuple and len(args) == length:
            return list(args)
    raise ValueError("a tuple is not of the annotated type")


def _class_of(arm: Any) -> Any:
    """The class that an alternative names, if objects of it can be taken apart."""
    kind = typing.get_origin(arm) or arm
    return kind if isinstance(kind, type) and form_of(kind) else None


def _base(kind: type, hint: Any) -> Any:
    """The alternative of a place that admits objects of `kind`; None if nobody knows how to take them apart."""
    if not form_of(kind):
        return None
    for arm in _arms(hint):
        if (named := _class_of(arm)) is not None and issubclass(kind, named):
            return arm
    raise ValueError(f"a {kind.__name__} is not of the annotated type")


def _found(name: str, hint: Any) -> tuple[Any, Any]:
    """The class of this name that a place admits, and the alternative that does."""
    for arm in _arms(hint):
        left, seen = [_class_of(arm)], set[Any]()
        while left:
            kind = left.pop()
            if kind is None or kind in seen:
                continue
            if _name(kind) == name and form_of(kind):
                return arm, kind
            seen.add(kind)
            left += type.__subclasses__(kind)
    raise ValueError(f"there is no {name} where a {hint} is stored")


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _hints(kind: Any, base: Any) -> dict[str, Any]:
    """The types of a class's fields. base: says what its type variables stand for, if it is an alias of the class."""
    found = _resolved(kind)
    parameters = getattr(typing.get_origin(base) or base, "__parameters__", ())
    given = dict(zip(parameters, typing.get_args(base), strict=False))
    return {name: given.get(hint, hint) if isinstance(hint, typing.TypeVar) else hint for name, hint in found.items()}


@functools.lru_cache(maxsize=256)
def _resolved(kind: Any) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except Exception:  # names for type checkers only
        hints = {}
    if form_of(kind) == "model":  # it knows them better: generic ones too
        hints |= {name: field.annotation for name, field in kind.model_fields.items()}
    return hints


@functools.lru_cache(maxsize=256)
def _adapter(hint: Any) -> Any:
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(hint)
    adapter.json_schema(mode="serialization")
    return adapter


def _leaf(hint: Any) -> Any:
    """How pydantic stores what is no part: a date, an enumeration, bytes."""
    try:
        return _adapter(_plain(hint))
    except Exception as error:
        raise ValueError(f"what is annotated as {hint} cannot be stored ({str(error).splitlines()[0]})") from error


def _is_leaf(hint: Any) -> bool:
    try:
        return _leaf(hint) is not None
    except ValueError:
        return False
