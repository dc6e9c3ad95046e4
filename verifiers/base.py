"""What all verifiers share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from searchkit.errors import ConfigError
from searchkit.types import Problem


class Independent:
    """The defaults of a verifier that judges each sample by itself and needs no reference answer."""

    @property
    def joint(self) -> bool:
        return False

    def bind(self, problem: Problem) -> Any:
        return self


def any_oracle(*members: Any) -> bool | None:
    """`oracle` of what is made of `members`: True if one of them says so, False if none is, None where some do not say.

    Then it is found out for each of them whether binding changes it, which is why such verifiers have `members`.
    """
    declared = [getattr(member, "oracle", None) for member in members]
    return True if any(declared) else None if None in declared else False


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
