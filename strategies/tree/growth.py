"""The bookkeeping of a tree search: what an expansion adds to the tree. Pure: no I/O."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable

from searchkit.errors import BudgetExhausted
from searchkit.strategies.tree.expansion import Ask, Expansion
from searchkit.strategies.tree.pick import End
from searchkit.tool_calls import called, label
from searchkit.tree import ROOT, Tree, TreePolicy

CLOSED = 0.05  # no action that is at least as likely as this is given up
SURE = 3.0  # none seen in n draws: with 95 % confidence it comes in fewer than 3 / n of them
FAILURES = 6  # in a row, and a node gets no more
GREATEST = 1e140  # a finite score beyond it counts as this much: sums of squares of scores stay finite


def bounded(score: float) -> float:
    """`score` as rules may reckon with it; what is infinite stays so, and they leave it out."""
    return score if not math.isfinite(score) else min(GREATEST, max(-GREATEST, score))


class Growth:
    """A tree while it grows. ends: the complete answers found so far, each with the node where it lies.

    expansions, frequency: see `TreeSearch` (frequency: priors are shares of the draws). bounded: a budget ends the
    search, so that no node has to be given up for good. aware: the generator sees which actions a node has.

    A node is exhausted by evidence: it gets no more children when hardly a draw can bring a new one. `once` of its
    `drawn` actions came once, so that an unseen one comes with a chance of (once + 3) / drawn at most (95 %). Until
    then a rule that walks down by visits (not an `adaptive` one, which ranks nodes by this chance itself) is kept from
    nodes that repeat themselves: each is set aside once that chance is small, and taken up again when all are.
    """

    def __init__(
        self,
        tree: Tree,
        policy: TreePolicy,
        expansions: int | None,
        *,
        frequency: bool,
        bounded: bool,
        aware: bool = False,
    ) -> None:
        self.tree: Tree = tree
        self.policy: TreePolicy = policy
        self.ends: list[End] = []
        self.judged_by_models: int = 0  # model calls that verdicts have taken
        self._expansions, self._frequency, self._bounded, self._aware = expansions, frequency, bounded, aware
        self._asked: Counter[int] = Counter()  # expansions of a node that brought something
        self._failed: Counter[int] = Counter()  # expansions since then that failed
        self._known: dict[int, dict[Hashable, int]] = {}  # the children of a node by their actions
        self._counts: Counter[int] = Counter()  # how often a child was drawn
        self._aside: list[int] = []
        self._least: float = 0.0 if getattr(policy, "adaptive", False) else 0.25  # chance of a new action to go on

    def ask(self, node: int) -> Ask:
        """What is known of `node` before it is expanded."""
        tree, known = self.tree, self._known.get(node, {})
        evaluated, cheap = tree.score[node] == tree.score[node], not self.judged_by_models
        tried = tuple(tree.text[child] for child in tree.children(node)) if self._aware else None
        return Ask(node, tree.state[node], frozenset(known), tree.drawn[node], evaluated, cheap, tried)

    def newest(self) -> int | None:
        """The node that was made last of those that can be expanded; None once there is an answer, dead ends aside."""
        tree = self.tree
        if any(end.at != "dead" for end in self.ends):
            return None
        open_ones = (node for node in reversed(range(len(tree))) if not (tree.closed[node] or tree.full[node]))
        return next(open_ones, None)

    def take(self, node: int, expansion: Expansion, *, counts: bool = True) -> list[End]:
        """Add the children, back everything up, close what has ended; returns the answers that were found.

        counts: it is one of the `expansions` that a node may have.
        """
        tree, found = self.tree, len(self.ends)
        tree.state[node] = expansion.state
        self.judged_by_models += expansion.judging
        if expansion.evaluated.itself is not None:
            self.ends.append(End(node, expansion.evaluated.itself))
            tree.keep(node, expansion.evaluated.itself, answer=True)
        for answer in expansion.evaluated.rollouts:
            self.ends.append(End(node, answer, "rollout"))
            tree.answers.append((node, answer.sample))  # its verdict is not the node's
        if expansion.evaluated.value is not None:
            tree.score[node] = value = bounded(expansion.evaluated.value)
            self.policy.backup(tree, node, value)
        known = self._known.setdefault(node, {})
        for child in expansion.children:
            tokens = child.action.usage.generated_tokens
            score = None if child.scored is None or child.scored.score is None else bounded(child.scored.score)
            place = tree.add(
                node, label(child.action), child.state, prior=child.prior, terminal=child.terminal, tokens=tokens,
                score=score, calls=called(child.action),
            )  # fmt: skip
            known[child.identity] = place
            if score is not None:
                self.policy.backup(tree, place, score)
            if child.scored is not None:
                tree.keep(place, child.scored, answer=child.answer)
            if child.scored is not None and child.answer:
                self.ends.append(End(place, child.scored, "dead" if child.dead else "state"))
            if child.terminal:
                tree.close(place)
        self._weigh(node, expansion)
        self._asked[node] += bool(expansion.children) and counts
        if expansion.counts:
            self._failed[node] = 0
        if expansion.whole or (self._expansions is not None and self._asked[node] >= self._expansions):
            tree.fill(node)
        elif not expansion.children and expansion.failure is not None:
            self.failed(node, expansion.failure)
        else:
            self._weary(node)
        return self.ends[found:]

    def _weigh(self, node: int, expansion: Expansion) -> None:
        """Count the draws; a prior is a share of all draws in its parent so far."""
        tree, known = self.tree, self._known[node]
        for identity, count in expansion.counts.items():
            tree.drawn[node] += count
            if identity in known:
                child = known[identity]
                before = self._counts[child]
                self._counts[child] = before + count
                tree.once[node] += (before + count == 1) - (before == 1)
        if self._frequency:
            prior, counts, drawn = tree.prior, self._counts, tree.drawn[node]
            for child in known.values():
                prior[child] = counts[child] / drawn

    def failed(self, node: int, error: Exception | None) -> None:
        """An expansion failed. A spent budget says nothing about the node."""
        if not isinstance(error, BudgetExhausted):
            self.tree.failures[node] += 1
            self._failed[node] += 1
            if self._failed[node] >= FAILURES:
                self.tree.fill(node)

    # ---------------------------------------------------------------- exhaustion

    def _weary(self, node: int) -> None:
        """Close a node that is exhausted, set one aside that repeats itself."""
        tree = self.tree
        if not self._bounded and (tree.once[node] + SURE) / tree.drawn[node] < CLOSED:
            tree.fill(node)
        elif tree.unseen(node) <= self._least:
            tree.fill(node)
            self._aside.append(node)

    def reopen(self) -> None:
        """Where all nodes are closed, take up those that were set aside, the more promising first."""
        tree = self.tree
        while tree.closed[ROOT] and self._aside:
            self._least /= 2
            back = [node for node in self._aside if tree.unseen(node) > self._least]
            self._aside = [node for node in self._aside if tree.unseen(node) <= self._least]
            for node in back:
                tree.reopen(node)
