"""The accept bars of a cascade that were best on recorded tries, by trying them all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

from searchkit.errors import ConfigError
from searchkit.kinds import is_number, told
from searchkit.strategies.routing.rows import Tried, Try, by_prompt, complete

MOST = 4096  # cascades of three steps or more that are tried
ROUNDING = 1e-9  # of the budget
Column = Sequence[float]


def best_bars(rows: Iterable[Tried], arms: Sequence[str], budget: float) -> tuple[float, ...]:
    """A bar for each arm but the last: those that were right most often at a mean cost of at most `budget`.

    Of equally right ones the cheapest, of equally cheap ones the highest. `math.inf`: nothing is enough.
    """
    if len(arms) < 2:
        raise ConfigError(f"a cascade has two arms or more, got {told(list(arms))}")
    if not is_number(budget) or math.isnan(budget):
        raise ConfigError(f"the budget is a mean cost a problem, got {told(budget)}")
    tries = complete(by_prompt(rows, arms), arms)
    steps = [[problem[i] for problem in tries] for i in range(len(arms))]
    # The bars of the first step take one pass, however many: two steps need no grid.
    most = max(2, int(MOST ** (1 / (len(arms) - 1)) + 1e-9)) if len(arms) > 2 else len(tries) + 2
    candidates = [_candidates(step, most) for step in steps[:-1]]
    best: tuple[float, float, tuple[float, ...]] | None = None
    least, total = math.inf, budget * len(tries)
    for later in itertools.product(*candidates[1:]):
        for right, spent, bar in _firsts(steps[0], candidates[0], *_ends(steps[1:], later)):
            least = min(least, spent)
            if spent <= total + ROUNDING * abs(total) and (best is None or (right, -spent) > best[:2]):
                best = right, -spent, (bar, *later)
    if best is None:
        raise ConfigError(
            f"the cheapest cascade costs {least / len(tries):g} a problem, more than the budget {budget:g}"
        )
    return best[2]


def _candidates(step: Sequence[Try], most: int) -> list[float]:
    """The bars to try, highest first: all scores, or so many of their quantiles."""
    scores = sorted({score for _, _, score in step if score is not None}, reverse=True)
    if len(scores) >= most:
        places = range(most - 1)
        scores = [scores[round(j * (len(scores) - 1) / (most - 2))] for j in places] if most > 2 else scores[-1:]
    return [math.inf, *dict.fromkeys(scores)]


def _ends(steps: Sequence[Sequence[Try]], bars: Sequence[float]) -> tuple[Column, Column]:
    """[problems]: whether what the cascade of these steps ends with is right, and what it costs."""
    right, spent = [one[0] for one in steps[-1]], [one[1] for one in steps[-1]]
    for step, bar in zip(reversed(steps[:-1]), reversed(bars), strict=True):
        enough = [score is not None and score >= bar for _, _, score in step]
        right = [own if yes else after for yes, (own, _, _), after in zip(enough, step, right, strict=True)]
        spent = [own if yes else own + after for yes, (_, own, _), after in zip(enough, step, spent, strict=True)]
    return right, spent


def _firsts(step: Sequence[Try], bars: Sequence[float], right: Column, spent: Column) -> Iterator[tuple[float, ...]]:
    """(how many are right, what all cost, the bar) for each bar of a step before the others, the highest first."""
    order = sorted((i for i, one in enumerate(step) if one[2] is not None), key=lambda i: -step[i][2])  # type: ignore[operator]
    good, cost = math.fsum(right), math.fsum(spent) + math.fsum(own for _, own, _ in step)
    waiting = iter(order)
    following = next(waiting, None)
    for bar in bars:
        while following is not None and (score := step[following][2]) is not None and score >= bar:
            good, cost = good + step[following][0] - right[following], cost - spent[following]
            following = next(waiting, None)
        yield good, cost, bar
