"""The bookkeeping of a tree search: what an expansion adds to the tree. Pure: no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from searchkit.errors import BudgetExhausted
from searchkit.strategies.tree.expansion import Ask, Expansion
from searchkit.strategies.tree.pick import End
from searchkit.tool_calls import called, label
from searchkit.tree import Tree, TreePolicy


class Growth:
    """A tree while it grows. ends: the complete answers found so far, each with the node where it lies.

    expansions, retries, frequency: see `TreeSearch` (frequency: priors are shares of the draws).
    """

    def __init__(self, tree: Tree, policy: TreePolicy, expansions: int, retries: int, *, frequency: bool) -> None:
        self.tree: Tree = tree
        self.policy: TreePolicy = policy
        self.ends: list[End] = []
        self._expansions, self._retries, self._frequency = expansions, retries, frequency
        self._asked: Counter[int] = Counter()  # expansions of a node that brought something
        self._vain: Counter[int] = Counter()  # expansions since then that brought nothing
        self._drawn: Counter[int] = Counter()  # samples drawn in a node
        self._known: dict[int, dict[Hashable, int]] = {}  # the children of a node by their actions
        self._counts: Counter[int] = Counter()  # how often a child was drawn

    def ask(self, node: int) -> Ask:
        """What is known of `node` before it is expanded."""
        tree, known = self.tree, self._known.get(node, {})
        score = tree.score[node]
        return Ask(node, tree.state[node], frozenset(known), self._drawn[node], score == score)

    def take(self, node: int, expansion: Expansion) -> list[End]:
        """Add the children, back everything up, close what has ended; returns the answers that were found."""
        tree, found = self.tree, len(self.ends)
        tree.state[node] = expansion.state
        if expansion.evaluated.itself is not None:
            self.ends.append(End(node, expansion.evaluated.itself))
        self.ends += [End(node, answer, "rollout") for answer in expansion.evaluated.rollouts]
        if expansion.evaluated.value is not None:
            tree.score[node] = expansion.evaluated.value
            self.policy.backup(tree, node, expansion.evaluated.value)
        known = self._known.setdefault(node, {})
        for child in expansion.children:
            tokens = child.action.usage.generated_tokens
            score = None if child.scored is None else child.scored.score
            place = tree.add(
                node, label(child.action), child.state, prior=child.prior, terminal=child.terminal, tokens=tokens,
                score=score, calls=called(child.action),
            )  # fmt: skip
            known[child.identity] = place
            if score is not None:
                self.policy.backup(tree, place, score)
            if child.scored is not None and child.answer:
                self.ends.append(End(place, child.scored, "dead" if child.dead else "state"))
            if child.terminal:
                tree.close(place)
        self._weigh(node, expansion)
        if expansion.children:
            self._asked[node] += 1
            self._vain[node] = 0
        if expansion.whole or self._asked[node] >= self._expansions:
            tree.fill(node)
        elif not expansion.children and expansion.failure is not None:
            self.failed(node, expansion.failure)
        elif not expansion.children:
            self._in_vain(node)
        return self.ends[found:]

    def _weigh(self, node: int, expansion: Expansion) -> None:
        """Count the draws; a prior is a share of all draws in its parent so far."""
        known = self._known[node]
        for identity, count in expansion.counts.items():
            self._drawn[node] += count
            if identity in known:
                self._counts[known[identity]] += count
        if self._frequency:
            for child in known.values():
                self.tree.prior[child] = self._counts[child] / self._drawn[node]

    def failed(self, node: int, error: Exception | None) -> None:
        """An expansion failed. A spent budget says nothing about the node."""
        if not isinstance(error, BudgetExhausted):
            self.tree.failures[node] += 1
            self._in_vain(node)

    def _in_vain(self, node: int) -> None:
        """An expansion brought nothing: too often, and the node gets no more."""
        self._vain[node] += 1
        if self._vain[node] > self._retries:
            self.tree.fill(node)
