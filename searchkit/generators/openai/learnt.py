"""What a backend learns of its server while it runs, and says once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from searchkit.calls import CallError
from searchkit.errors import SearchWarning
from searchkit.generators.openai.continuing import Found
from searchkit.generators.openai.probe import Capabilities
from searchkit.generators.openai.transport import PerLoop

_MOST_SAID = 32  # warnings: what a server says can always be another thing


class Learnt(PerLoop):
    """Beside the connections: what the server was seen to honour, and to refuse.

    failed: when the last probe failed, on the monotonic clock. refused: fields of ours that the server does not take.
    """

    def __init__(self) -> None:
        super().__init__()
        self.capabilities: Capabilities | None = None
        self.continuing: Found | None = None
        self.failed: tuple[float, CallError] | None = None
        self.refused: frozenset[str] = frozenset()
        self._said: set[str] = set()

    def refuses(self, url: str, follows: Mapping[str, str]) -> None:
        """The server took a request without these fields: none has them from now on. follows: field -> what of it."""
        if new := sorted(set(follows) - self.refused):
            self.refused |= set(new)
            said = "; ".join(f"without {name}, {follows[name]}" for name in new)
            self.warn(
                url,
                f"refuses {', '.join(new)}, left out from now on: {said}. It is noted in Result.left_out and "
                f"Sample.left_out; leave_out={tuple(new)!r} says it beforehand",
                what=", ".join(new),
            )

    def warn(self, url: str, said: str, *, what: str) -> None:
        """Say of the server what was not said yet; nothing if there is nothing to say, or too much was said."""
        if said and what not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(what)
            warnings.warn(f"the server at {url} {said}", SearchWarning, stacklevel=2)
