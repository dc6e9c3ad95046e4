"""Seeds that agents set themselves and that are sent as they are: whether all attempts then say the same."""

from __future__ import annotations

import warnings
from hashlib import blake2b

from searchkit.errors import SearchWarning
from searchkit.protocols import Run


class Kept:
    """What the attempts of one search were answered where they asked with seeds of their own. Warns once."""

    def __init__(self) -> None:
        self._first: dict[bytes, int] = {}
        self._warned = False

    def note(self, run: Run, content: str, said: str) -> None:
        """The attempt of `run` asked `content` and was answered `said`."""
        place = blake2b(f"{content}\0{said}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if self._first.setdefault(place, run.seed) == run.seed or self._warned:
            return
        self._warned = True
        warnings.warn(
            "two attempts asked the same with the same seed and were answered the same: with keep_seeds=True all "
            "attempts of an agent that sets its own seeds are one. Leave keep_seeds out, or seed by `seed: int`, which "
            "a function is given",
            SearchWarning,
            stacklevel=2,
        )

    def close(self) -> None:
        """Nothing is open."""
