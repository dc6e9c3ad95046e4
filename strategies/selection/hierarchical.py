"""Hierarchical selection: first the best within each group, then the best of those."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from searchkit.errors import ConfigError
from searchkit.protocols import Run, Selector
from searchkit.strategies.common.checks import check_method
from searchkit.strategies.selection.rules import Argmax, Key, ballot, choose_among
from searchkit.types import Choice, Prompt, Scored


@dataclass(frozen=True)
class Hierarchical:
    """What `outer` chooses among the candidates that `inner` chose, one from each group.

    group: value -> the group (a chain of refinements, a subtree, an author); None, and a key that raises (which is
    recorded), take no part, nor do truncated candidates. Groups are in the order in which they were first seen, and a
    group from which `inner` chooses nothing, or where it fails, is left out. `Choice.score` is that of `outer`.

    Where each chain is a search of its own, nest the strategies instead: ``BestOfN(4, verifier, generator=chain)``
    chooses among the answers that the chains chose. Cost: that of `inner`, once for each group and all at the same
    time, then that of `outer`. Raises the first failure if no group is left.
    """

    group: Key
    inner: Selector = Argmax()
    outer: Selector = Argmax()

    def __post_init__(self) -> None:
        if not callable(self.group):
            raise ConfigError(f"group is a callable: value -> the group it belongs to, got {self.group!r}")
        for name, rule in (("inner", self.inner), ("outer", self.outer)):
            check_method(f"the {name} rule of Hierarchical", rule, "select", "Argmax() or Vote()")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        groups = dict[Hashable, list[int]]()
        for i, candidate in enumerate(scored):
            if (name := ballot(self.group, candidate.sample, run)) is not None:
                groups.setdefault(name, []).append(i)

        async def best(members: list[int], child: Run) -> int | None:
            return (await choose_among(members, self.inner, prompt, scored, child)).index

        chosen = run.survivors(await run.map(best, groups.values(), name="group"))
        winners = [index for index in chosen if index is not None]
        return await choose_among(winners, self.outer, prompt, scored, run)
