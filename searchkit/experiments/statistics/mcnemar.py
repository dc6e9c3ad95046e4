"""McNemar's exact test: do two methods differ on the same problems, if each problem is solved or not?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.errors import ConfigError


@dataclass(frozen=True)
class McNemar:
    """How often only one of the two was right, and the chance p of at least such an imbalance if they are equally good.

    p: two-sided, exact. Below 0.05 it excludes at that level that each is as likely as the other to be the only one.
    """

    only_first: int
    only_second: int
    p: float


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """The test for one outcome a problem, row i of both being the same problem. Problems that agree do not count.

    The only assumption is that problems are independent, so it holds for few problems too. For shares of several
    samples use `paired_bootstrap`. Exact tests are conservative: of equal methods fewer than 5 % have p <= 0.05.
    Raises `ConfigError` for other values than True and False, and for unequal or no outcomes. Cost: O(problems).

    Source: McNemar 1947; the exact form is a sign test on the pairs that differ.
    """
    if len(first) != len(second) or not len(first):
        raise ConfigError(f"each problem needs an outcome of both methods, got {len(first)} and {len(second)}")
    if any(outcome not in (True, False) for outcomes in (first, second) for outcome in outcomes):
        raise ConfigError("outcomes are True or False: for shares of several samples use paired_bootstrap")
    only_first = sum(bool(a) and not b for a, b in zip(first, second, strict=True))
    only_second = sum(bool(b) and not a for a, b in zip(first, second, strict=True))
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail, ways = 0, 1
    for i in range(fewer + 1):
        tail += ways
        ways = ways * (n - i) // (i + 1)  # comb(n, i + 1)
    return McNemar(only_first, only_second, min(1.0, 2 * tail / 2**n))
