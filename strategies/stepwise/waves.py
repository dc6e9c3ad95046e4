"""How a round of a beam search is drawn: at once, or in waves, so that what comes later knows what came before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from searchkit.protocols import Run
from searchkit.strategies.common.likelihoods import likelihoods
from searchkit.strategies.stepwise.steps import Grown, Steps
from searchkit.tree import Tree
from searchkit.types import Prompt


@dataclass(frozen=True, slots=True)
class Waves:
    """agree: so many steps of each beam come first; if all of these are equal, the beam draws no more. 0: off.

    aware: a beam's steps are drawn one after the other, and each is shown those before.
    """

    agree: int = 0
    aware: bool = False

    async def grow(
        self, steps: Steps, prompt: Prompt, tree: Tree, parents: Sequence[int], run: Run
    ) -> tuple[list[Grown], Exception | None]:
        """`Steps.grow`, wave by wave; what grew from one state stands together, in the order in which it was drawn."""
        grown: dict[int, list[Grown]] = {parent: [] for parent in parents}
        asked, failure = dict.fromkeys(grown, 0), None
        wanted = {parent: parents.count(parent) for parent in grown}
        while wave := [p for p in grown for _ in range(self._next(asked[p], wanted[p], grown[p]))]:
            tried = {p: [tree.text[g.node] for g in grown[p]] for p in grown} if self.aware else {}
            found, failed = await steps.grow(prompt, tree, wave, run, sum(asked.values()), tried)
            failure = failure or failed
            for parent in wave:
                asked[parent] += 1
            for g in found:
                grown[tree.parent[g.node]].append(g)
        for found in grown.values():
            for g in found:
                tree.prior[g.node] = 1 / len(found)
        return [g for parent in grown for g in grown[parent]], failure

    def _next(self, asked: int, wanted: int, grown: Sequence[Grown]) -> int:
        """How many steps of a beam come next: `asked` of the `wanted` ones were drawn, and brought `grown`."""
        if self.agree and asked == self.agree == len(grown) and len({g.step for g in grown}) == 1:
            return 0
        if self.aware:
            return min(1, wanted - asked)
        return min(self.agree, wanted) if self.agree and not asked else wanted - asked

    def distinct(self, tree: Tree, grown: Iterable[Grown]) -> list[Grown]:
        """Those to go on from: of equal steps from one state the first, in place of all. Without `agree` all."""
        if not self.agree:
            return list(grown)
        first = dict[object, Grown]()
        for g in grown:
            kept = first.setdefault((tree.parent[g.node], g.step), g)
            if kept is not g:
                tree.prior[kept.node] += tree.prior[g.node]
        return list(first.values())

    def weighed(self, tree: Tree, seen: Iterable[Grown]) -> list[Grown]:
        """All that was seen, each with how likely draws that were all made would have come to it: for votes."""
        if not self.agree:
            return list(seen)
        likely = likelihoods(tree)
        return [replace(g, scored=replace(g.scored, weight=likely[g.node])) for g in seen]
