"""What all answer keys that search a text share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any

from searchkit.answers.canonical import canonical
from searchkit.answers.thoughts import reply

Key = Callable[[Any], Hashable | None]


class Extractor(ABC):
    """The part that all keys share: `extract` finds the answer's text, which is then brought into canonical form."""

    @abstractmethod
    def extract(self, text: str) -> Any:
        """The answer as it stands in `text`, or None."""

    def written(self, value: Any) -> Any:
        """The answer as it stands in `value`; a value that is no text is the answer itself."""
        return self.extract(reply(value)) if isinstance(value, str) else value

    def settle(self, found: Any) -> Hashable | None:
        """What was found, or a bare reference, in the form in which it is compared."""
        return canonical(found)

    def __call__(self, value: Any) -> Hashable | None:
        return self.settle(self.written(value))
