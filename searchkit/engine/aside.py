"""A selection rule that only looks: what it would choose among the candidates so far, asking nobody."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from searchkit.protocols import Rule
from searchkit.types import Choice, Outcome, Sample, Scored, first_failure


class Asks(Exception):
    """The rule would ask a model, or wait."""


class Aside:
    """The run of a rule that only looks. It has randomness, always the same; errors are not noted."""

    def __init__(self) -> None:
        self.rng: random.Random = random.Random(0)

    def fail(self, error: Exception) -> None:
        """It is found again when the search itself applies the rule."""

    async def map(self, fn: Any, items: Iterable[Any], *, name: str = "") -> list[Outcome[Any]]:
        """One after the other: none of them waits."""
        outcomes = list[Outcome[Any]]()
        for i, item in enumerate(items):
            try:
                outcomes.append(Outcome(i, await fn(item, self)))
            except Asks:
                raise
            except Exception as error:
                outcomes.append(Outcome(i, None, error))
        return outcomes

    def survivors(self, outcomes: Iterable[Outcome[Any]]) -> list[Any]:
        outcomes = list(outcomes)
        found = [outcome.value for outcome in outcomes if outcome.value is not None]
        if not found and (failure := first_failure(outcomes)) is not None:
            raise failure
        return found

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
        if isinstance(choice, Sample):
            return next((one for one in scored if one.sample is choice), Scored(choice))
        return scored[choice.index] if isinstance(choice, Choice) and choice.index is not None else None
    except Exception:  # also `Asks`
        return None
    looking.close()
    return None
