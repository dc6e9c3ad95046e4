"""What a program may import: the standard library, and the packages that were named for it.

What is not named is not there, whether or not it is installed: a verdict must not depend on the machine. Packages that
a named one has imported itself are there. Runs inside the sandbox.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from typing import Any

_REFUSED = set[str]()


class Guard:
    """A finder, before all others, of packages that are not to be found."""

    def __init__(self, named: Iterable[str]) -> None:
        loaded = {name.partition(".")[0] for name in list(sys.modules)}
        self.allowed: set[str] = {*sys.stdlib_module_names, *named, *loaded}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """None, for the next finder. Raises `ModuleNotFoundError` for what is not allowed, as if it were not there."""
        root = name.partition(".")[0]
        if root not in self.allowed and not root.startswith("_sysconfigdata"):  # of the standard library, unlisted
            _REFUSED.add(root)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def guard(named: Iterable[str]) -> None:
    """From now on this process imports nothing else."""
    sys.meta_path.insert(0, Guard(named))


def preload(named: Iterable[str]) -> None:
    """Import them. Raises whatever they raise."""
    for name in named:
        importlib.import_module(name)


def lacking(error: BaseException) -> str:
    """The package for want of which a program ended; "" if it ended otherwise."""
    link: BaseException | None = error
    for _ in range(10):
        if isinstance(link, ImportError) and str(link.name).partition(".")[0] in _REFUSED:
            return str(link.name).partition(".")[0]
        link = None if link is None else link.__cause__ or link.__context__
    return ""


def unnamed(library: str) -> str:
    """What to do about a program that imports what nobody named."""
    return f"the program imports {library!r}, which is not among the libraries: name it, libraries=({library!r},)"
