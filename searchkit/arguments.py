"""What a callable is called with: the caller's arguments, and what it asks of the search that calls it."""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from searchkit.agents.endpoint import Endpoint
from searchkit.agents.workspace import Workspace
from searchkit.protocols import Run
from searchkit.types import Params, Prompt

NAMES = ("seed", "index", "run", "params", "endpoint")  # supplied to a parameter of this name without a default
KINDS: dict[str, type] = {"run": Run, "params": Params, "endpoint": Endpoint, "workspace": Workspace}
"""What a parameter of this type gets."""
PLAIN: dict[str, type] = {"seed": int, "index": int, **KINDS}  # what each name stands for
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Asked:
    """A parameter that the search supplies: `what` it is, and whether its annotation says so (else its name does)."""

    what: str
    typed: bool
    named: bool  # it may be passed by keyword
    needed: bool = True  # it has no default

    def takes(self, value: Any) -> bool:
        """Whether a caller who passes `value` by position may mean this parameter."""
        return not self.typed or value is None or isinstance(value, KINDS[self.what])


@dataclass(frozen=True, slots=True)
class Signature:
    """What a callable declares, as far as a search cares.

    places: its positional parameters in order, with what the search supplies there. named: those by keyword alone.
    whole: its first parameter is a `Prompt`, not the prompt's text. required: the parameters, in order, that have no
    default and that the search does not supply.
    """

    places: tuple[tuple[str, Asked | None], ...] = ()
    named: tuple[tuple[str, Asked], ...] = ()
    whole: bool = False
    required: tuple[str, ...] = ()

    def asks(self, what: str) -> bool:
        """Whether the search is asked for `what`: "run", "seed", "index", "params", "endpoint" or "workspace"."""
        return any(asked is not None and asked.what == what for _, asked in (*self.places, *self.named))

    def needs(self, what: str) -> bool:
        """Whether it is asked for `what` by a parameter without a default."""
        asked = (one for _, one in (*self.places, *self.named))
        return any(one is not None and one.what == what and one.needed for one in asked)

    def bind(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], offered: Mapping[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of one call: the caller's as they are, and of `offered` what is asked for and was not given.

        A positional argument passes over a parameter whose annotation asks for something else than it is.
        """
        given, named, left = list[Any](), dict(kwargs), list(args)
        for name, asked in self.places:
            if name in named:
                continue
            if asked is None or (left and asked.takes(left[0])):
                given += [left.pop(0)] if left else []
            elif left or not asked.named:
                given.append(offered[asked.what])
            else:
                named[name] = offered[asked.what]
        named |= {name: offered[asked.what] for name, asked in self.named if name not in named}
        return [*given, *left], named


def signature_of(fn: Callable[..., Any]) -> Signature:
    """What `fn` declares; nothing if that cannot be read, as of some builtins. Cost: some 20 microseconds."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return Signature()
    names = namespace(fn)
    asked = {p.name: _asked(p, resolved(p.annotation, names)) for p in parameters}
    places = [p for p in parameters if p.kind in POSITIONAL]
    first = next((p for p in places if asked[p.name] is None), None)
    return Signature(
        tuple((p.name, asked[p.name]) for p in places),
        tuple((n, a) for p in parameters if p not in places and (a := asked[n := p.name]) is not None),
        first is not None and _is(Prompt, resolved(first.annotation, names)),
        tuple(p.name for p in parameters if asked[p.name] is None and p.kind in (*POSITIONAL, *NAMED)
              and p.default is inspect.Parameter.empty),
    )  # fmt: skip


def _asked(parameter: inspect.Parameter, annotation: Any) -> Asked | None:
    """What `parameter` asks of the search: never where its author gave it a value, which None under a type is not."""
    named = parameter.kind in NAMED
    if not named and parameter.kind is not inspect.Parameter.POSITIONAL_ONLY:
        return None  # *args and **kwargs
    missing = parameter.default is inspect.Parameter.empty
    for what, kind in KINDS.items():
        if _is(kind, annotation):
            return Asked(what, True, named, missing) if missing or parameter.default is None else None
    supplied = missing and parameter.name in NAMES and _may_be(PLAIN[parameter.name], annotation)
    return Asked(parameter.name, False, named) if supplied else None


def _may_be(kind: type, annotation: Any) -> bool:
    """Whether a value of `kind` may stand under an annotation: under any but that of an unrelated class."""
    unsaid = annotation in (Any, inspect.Parameter.empty, float)  # a whole number is a float to a type checker
    return unsaid or not isinstance(annotation, type) or issubclass(kind, annotation)


def _is(kind: type, annotation: Any) -> bool:
    """Whether an annotation is `kind`, or `kind` or None; by its name where the annotation could not be resolved."""
    if isinstance(annotation, str):
        optional = r"(?:Optional\[)?(?:\w+\.)*{}\]?(?:\s*\|\s*None)?"
        return re.fullmatch(optional.format(kind.__name__), annotation.strip("'\" ")) is not None
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return any(_is(kind, arg) for arg in typing.get_args(annotation))
    if typing.get_origin(annotation) is typing.Annotated:
        return _is(kind, typing.get_args(annotation)[0])
    return isinstance(annotation, type) and issubclass(annotation, kind)


# ---------------------------------------------------------------- annotations


def resolved(annotation: Any, names: Mapping[str, Any]) -> Any:
    """An annotation as a type; as the text that it is where a name in it is not to be had when the program runs."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(names))
    except Exception:  # imported for type checkers only, local to another function, or newer than this Python
        return annotation


def namespace(fn: Callable[..., Any]) -> dict[str, Any]:
    """The names that the annotations of `fn` can use: its module's, and those that its body takes from outside."""
    inner: Any = function_of(fn)
    names = dict(getattr(inner, "__globals__", {}))
    code, cells = getattr(inner, "__code__", None), getattr(inner, "__closure__", None) or ()
    for name, cell in zip(getattr(code, "co_freevars", ()), cells, strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return names


def function_of(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function that runs when `fn` is called: inside a partial, a method, an object that can be called."""
    inner: Any = inspect.unwrap(fn)
    while isinstance(inner, functools.partial):
        inner = inspect.unwrap(inner.func)
    if not inspect.isroutine(inner) and not inspect.isclass(inner):
        inner = inspect.unwrap(getattr(type(inner), "__call__", inner))  # noqa: B004
    return getattr(inner, "__func__", inner)  # type: ignore[no-any-return]
