"""A selection rule that only looks: what it would choose among the candidates so far, asking nobody."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from searchkit.protocols import Rule
from searchkit.types import Choice, Scored


class Asks(Exception):
    """The rule would ask a model, or wait."""


class Aside:
    """The run of a rule that only looks. It has randomness, always the same; of errors it takes no note."""

    def __init__(self) -> None:
        self.rng: random.Random = random.Random(0)

    def fail(self, error: Exception) -> None:
        """It is found again when the search itself applies the rule."""

    def __getattr__(self, name: str) -> Any:
        raise Asks(name)


def chosen(rule: Rule, scored: Sequence[Scored]) -> Scored | None:
    """What `rule` chooses; None if it can choose nothing, fails, or would have to ask somebody."""
    aside: Any = Aside()
    looking: Any = rule(scored, aside)
    try:
        looking.send(None)
    except StopIteration as end:
        choice = end.value
        return scored[choice.index] if isinstance(choice, Choice) and choice.index is not None else None
    except Exception:  # also `Asks`
        return None
    looking.close()
    return None
