"""Plain data of classes of the standard library that are loaded only where somebody needs them: paths, UUIDs, members
of enumerations.

They are looked for by the names of their modules, and are themselves on both sides. Runs inside the sandbox.
"""

from __future__ import annotations

import enum
import importlib
import re
from typing import Any

PATHS = ("PurePosixPath", "PureWindowsPath", "PosixPath")
ENUMS = ("calendar", "http", "inspect", "re", "signal", "socket", "uuid")
"""Modules with enumerations. (What is loaded for a name that a program gives is loaded by the tests, too.)"""
LONGEST = 10_000  # characters of a pattern


def is_named(value: Any) -> bool:
    """Whether it is an instance of one of these classes, and not of one that extends it."""
    kind = type(value)
    root = str(kind.__module__).partition(".")[0]
    if root == "pathlib":
        return kind.__name__ in PATHS
    if kind is re.Pattern:
        return len(value.pattern) <= LONGEST
    return (root == "uuid" and kind.__name__ == "UUID") or (root in ENUMS and _is_member(value))


def parts(value: Any) -> list[Any]:
    """What it is made of again: its kind, and what its class is given."""
    kind: Any = type(value)
    if kind is re.Pattern:
        return ["re", "Pattern", value.pattern, value.flags]
    if kind.__name__ in PATHS or kind.__name__ == "UUID":
        return [str(kind.__module__).partition(".")[0], kind.__name__, str(value)]
    return [str(kind.__module__), kind.__name__, value.value]


def made(told: list[Any]) -> Any:
    """The value. Raises for any other class."""
    module, name, *given = told
    if (module, name) == ("re", "Pattern"):
        pattern, flags = given
        if len(pattern) > LONGEST:
            raise ValueError("a pattern that is too long")
        return re.compile(pattern, flags)
    if not ((module == "pathlib" and name in PATHS) or (module, name) == ("uuid", "UUID") or module in ENUMS):
        raise ValueError(module)
    kind = getattr(importlib.import_module(module), name)
    if module in ENUMS and name != "UUID" and not issubclass(kind, enum.Enum):
        raise ValueError(name)
    return kind(*given)


class Named:
    """Stands for these classes, which may not be loaded here."""


def _is_member(value: Any) -> bool:
    """Whether it is a member of an enumeration that its module has under its own name, with a plain value."""
    kind: Any = type(value)
    if not issubclass(kind, enum.Enum) or type(value.value) not in (int, str):
        return False
    return getattr(importlib.import_module(kind.__module__), kind.__name__, None) is kind
