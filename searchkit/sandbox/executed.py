"""What is left of a text of tests after its last line: its names, which its cases share. Runs in the tests' process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from searchkit.sandbox.cases import Fixtures
from searchkit.sandbox.failures import Failures


@dataclass
class Executed:
    """A text that was executed. names: what it has made. bound: what of these is the program's. asked: how often.

    doubt: why none of its cases passes.
    """

    text: str
    names: dict[str, Any]
    bound: dict[str, Any]
    asked: int
    failures: Failures
    doubt: str
    fixtures: Fixtures = field(default_factory=Fixtures)


class Moving(dict[str, Any]):
    """Names of a test, of which some are variables of the program that its functions rebind: these are asked for.

    Python looks up global names in it as in any mapping, since it is no plain dictionary.
    """

    def __init__(self, entry: Callable[[str], Any], moving: list[str], names: dict[str, Any]) -> None:
        super().__init__(names)
        self._entry, self._moving = entry, moving
        self.forget()

    def forget(self) -> None:
        """Of what moves no value is kept."""
        for name in self._moving:
            self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        if name not in self._moving:
            raise KeyError(name)
        return self._entry(name)
