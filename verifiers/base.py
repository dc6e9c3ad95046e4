"""What all verifiers share."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from searchkit.errors import ConfigError
from searchkit.protocols import Verifier
from searchkit.types import Problem

T = TypeVar("T")


class Independent:
    """The defaults of a verifier that judges each sample by itself and needs no reference answer."""

    @property
    def joint(self) -> bool:
        return False

    def bind(self, problem: Problem) -> Any:
        return self


class Together:
    """The same of a verifier that judges samples together."""

    @property
    def joint(self) -> bool:
        return True

    def bind(self, problem: Problem) -> Any:
        return self


class Composed(ABC):
    """A verifier that is made of others."""

    @property
    @abstractmethod
    def members(self) -> tuple[Verifier, ...]:
        """What it is made of."""

    @property
    def oracle(self) -> bool | None:
        """Whether it sees what is right: True if a member says so, False if none does, None where some do not say.

        Then it is found out for each member whether binding changes it.
        """
        declared = [getattr(member, "oracle", None) for member in self.members]
        return True if any(declared) else None if None in declared else False


def rebound(owner: T, **parts: Any) -> T:
    """`owner` with these fields, verifiers that were bound or tuples of them; itself where none of them has changed.

    So a verifier made of others is another object for a problem only where one of them is.
    """
    before, after = ([*_each(getattr(owner, name) for name in parts)], [*_each(parts.values())])
    same = len(before) == len(after) and all(old is new for old, new in zip(before, after, strict=True))
    return owner if same else replace(owner, **parts)  # type: ignore[type-var]


def _each(parts: Iterable[Any]) -> Iterator[Any]:
    for part in parts:
        yield from part if isinstance(part, tuple) else (part,)


def label(fn: Callable[..., Any]) -> str:
    """How error messages call `fn`."""
    return str(getattr(fn, "__qualname__", None) or type(fn).__qualname__)


def identity(fn: Callable[..., Any]) -> str:
    """A name for `fn` that is the same in every process: "module.qualname", or the `repr` of a configured object.

    Raises `ConfigError` where there is none: lambdas, functions inside functions (two of them may share a name), and
    objects whose `repr` is an address.
    """
    name = None if inspect.ismethod(fn) else getattr(fn, "__qualname__", None)
    module = getattr(getattr(fn, "__objclass__", fn), "__module__", None)  # a built-in method is its class's
    if name is None or module is None:
        name, module = repr(fn), type(fn).__module__
    if "<l" in name or " at 0x" in name:
        raise ConfigError(
            f"{label(fn)} has no lasting name, and a journal must recognise it in another process: use a function "
            "defined at the top of a module, or give the verifier name="
        )
    return f"{module}.{name}"
