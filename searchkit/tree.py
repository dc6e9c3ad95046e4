"""The search tree: columns of numbers, one row a node. No node object, no links, no recursion.

Node 0 is the root; parents come before their children. So a tree of any depth can be copied, pickled and saved, and a
node costs a few hundred bytes besides its text.
"""

from __future__ import annotations

import json
import math
import random
from array import array
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from searchkit.types import Sample, Scored

if TYPE_CHECKING:
    import networkx

ROOT = 0
NO_PARENT = -1
NONE: tuple[int, ...] = ()
_INTEGERS = ("parent", "depth", "visits", "in_flight", "failures", "tokens", "drawn", "once")
_FLOATS = ("total", "best", "prior", "score")
_FLAGS = ("terminal", "expanded", "full", "closed")


@dataclass(frozen=True, slots=True)
class Draws:
    """What bounds the samples that a search may draw: their number, and the tokens generated for them."""

    most: float = math.inf
    tokens: float = math.inf


UNLIMITED = Draws()


class Tree:
    """One row a node, in these columns:

    parent (NO_PARENT for the root), depth (root: 0); text (the action that led here), calls (the tools that it calls)
    and state (what it led to, any value); prior (probability or weight among its siblings, 1 by default) and score
    (the node's own verdict, NaN if it has none, higher is better); visits (finished evaluations at or below it), total
    (their sum) and best (their greatest); in_flight (evaluations under way at or below it) and failures (expansions
    that failed); terminal (an episode ends here), expanded (it has children), full (it will get no more) and closed
    (nothing below it is left to explore); tokens (generated for this action), drawn (samples of actions drawn here) and
    once (actions that were drawn here exactly once).

    joined: of a node that was made from several, the others beside its parent. A node has one parent, below which it
    stands; what is backed up goes to that one alone.

    answer is the node of the answer that was chosen (NO_PARENT: of none), answers the samples that are complete ones,
    each behind its node, and feedback what a verdict said of a node, in words. The root's text is the prompt.

    frontier is a heap for the selection rule's own use, `rated` how many nodes it has looked at, `draws` how many
    samples the whole search may draw, as far as that is known, and `range` the least and the greatest score there may
    be; none of the four is saved, and neither are the answers.
    """

    __slots__ = (
        "_children", "answer", "answers", "calls", "draws", "feedback", "frontier", "joined", "range", "rated", "state",
        "text",
        *_INTEGERS, *_FLOATS, *_FLAGS,
    )  # fmt: skip
    parent: array[int]
    depth: array[int]
    visits: array[int]
    in_flight: array[int]
    failures: array[int]
    tokens: array[int]
    drawn: array[int]
    once: array[int]
    total: array[float]
    best: array[float]
    prior: array[float]
    score: array[float]
    terminal: bytearray
    expanded: bytearray
    full: bytearray
    closed: bytearray

    def __init__(self, state: Any = None, text: str = "") -> None:
        for name in _INTEGERS:
            setattr(self, name, array("q"))
        for name in _FLOATS:
            setattr(self, name, array("d"))
        for name in _FLAGS:
            setattr(self, name, bytearray())
        self.text: list[str] = []
        self.state: list[Any] = []
        self.calls: list[Hashable] = []
        self._children: list[list[int] | None] = []
        self.joined: dict[int, tuple[int, ...]] = {}
        self.frontier: list[tuple[Any, ...]] = []
        self.rated: int = 0
        self.draws: Draws = UNLIMITED
        self.range: tuple[float, float] = -math.inf, math.inf
        self.answer: int = NO_PARENT
        self.answers: list[tuple[int, Sample[Any]]] = []
        self.feedback: dict[int, str] = {}
        self._row(NO_PARENT, 0, text, state, (), 1.0, False, 0)

    def _row(
        self, parent: int, depth: int, text: str, state: Any, calls: Hashable, prior: float, terminal: bool, tokens: int
    ) -> int:
        self.parent.append(parent)  # column by column: a loop over their names takes twice as long
        self.depth.append(depth)
        self.visits.append(0)
        self.in_flight.append(0)
        self.failures.append(0)
        self.tokens.append(tokens)
        self.drawn.append(0)
        self.once.append(0)
        self.total.append(0.0)
        self.best.append(-math.inf)
        self.prior.append(prior)
        self.score.append(math.nan)
        self.terminal.append(terminal)
        self.expanded.append(False)
        self.full.append(False)
        self.closed.append(False)
        self.text.append(text)
        self.state.append(state)
        self.calls.append(calls)
        self._children.append(None)
        return len(self.text) - 1

    def __len__(self) -> int:
        return len(self.text)

    def add(
        self,
        parent: int,
        text: str,
        state: Any = None,
        *,
        prior: float = 1.0,
        terminal: bool = False,
        tokens: int = 0,
        score: float | None = None,
        calls: Hashable = (),
        joined: Iterable[int] = (),
    ) -> int:
        """A new last child of `parent`; returns its number. score: its own verdict, not yet backed up (None: none).

        joined: what else it was made from.
        """
        node = self._row(parent, self.depth[parent] + 1, text, state, calls, prior, terminal, tokens)
        siblings = self._children[parent]
        if siblings is None:
            self._children[parent] = [node]
        else:
            siblings.append(node)
        self.expanded[parent] = True
        if score is not None:
            self.score[node] = score
        if joined:
            self.joined[node] = tuple(joined)
        return node

    def keep(self, node: int, scored: Scored, *, answer: bool) -> None:
        """Keep what the verdict on `node` says in words; answer: it is a complete one."""
        if scored.verdict.feedback:
            self.feedback[node] = scored.verdict.feedback
        if answer:
            self.answers.append((node, scored.sample))

    def choose(self, sample: Sample[Any]) -> None:
        """`sample` is the answer: mark its node, the first that has it."""
        same = (n for n, one in self.answers if one.value is sample.value and one.message is sample.message)
        self.answer = next(same, NO_PARENT)

    def children(self, node: int) -> Sequence[int]:
        """The children of `node`, first added first."""
        return self._children[node] or NONE

    def path(self, node: int) -> list[int]:
        """From the root to `node`, both included."""
        found = [node]
        while (node := self.parent[node]) != NO_PARENT:
            found.append(node)
        return found[::-1]

    def mean(self, node: int) -> float:
        """The mean of the values backed up through `node`; 0 where there is none."""
        return self.total[node] / self.visits[node] if self.visits[node] else 0.0

    def unseen(self, node: int) -> float:
        """The chance that one more draw here brings a new action: the share of those drawn once, smoothed. 1 at first.

        Good and Turing's estimate is once / drawn; one more draw, of an action never seen, is added to both, so that it
        is never 0.
        """
        return (self.once[node] + 1) / (self.drawn[node] + 1)

    def start(self, node: int) -> None:
        """An evaluation of `node` is under way: count it here and above."""
        self._spread(node, self.in_flight, 1)

    def finish(self, node: int) -> None:
        """It has ended, whatever came of it: take it back."""
        self._spread(node, self.in_flight, -1)

    def _spread(self, node: int, column: array[int], amount: int) -> None:
        parent = self.parent
        while node != NO_PARENT:
            column[node] += amount
            node = parent[node]

    def backup(self, node: int, value: float) -> None:
        """Count one visit of `value` at `node` and at everything above it."""
        parent, visits, total, best = self.parent, self.visits, self.total, self.best
        while node != NO_PARENT:
            visits[node] += 1
            total[node] += value
            if value > best[node]:
                best[node] = value
            node = parent[node]

    def count(self, node: int, value: float) -> None:
        """Count one visit of `value` at `node` alone."""
        self.visits[node] += 1
        self.total[node] += value
        if value > self.best[node]:
            self.best[node] = value

    def close(self, node: int) -> None:
        """Nothing is left to explore at `node`; nor above it, where a full node's children are all closed."""
        while node != NO_PARENT:
            self.closed[node] = True
            node = self.parent[node]
            if node == NO_PARENT or not self.full[node] or not all(self.closed[c] for c in self.children(node)):
                return

    def fill(self, node: int) -> None:
        """`node` will get no more children; if all it has are closed, so is the node."""
        self.full[node] = True
        if all(self.closed[child] for child in self.children(node)):
            self.close(node)

    def reopen(self, node: int) -> None:
        """Take back that `node` will get no more children: it and all above it are open again."""
        self.full[node] = False
        while node != NO_PARENT:
            self.closed[node] = False
            node = self.parent[node]

    def graft(self, part: Tree, *, merge: bool = False) -> list[int]:
        """Add `part` to this tree, root to root; returns where each of its nodes now is.

        merge: nodes below the same parent that have the same text and calls, and both end there or not, become one.
        What is counted adds up, `best` is the greater, a state, prior or score is the older one; what is closed or
        full stays so only if it is in both.
        """
        places, known = [ROOT], dict[tuple[int, str, Hashable, bool], int]()
        for node in range(1, len(self) if merge else 0):
            known[self.parent[node], self.text[node], self.calls[node], bool(self.terminal[node])] = node
        for node in range(len(part)):
            parent, end = places[part.parent[node]] if node else NO_PARENT, bool(part.terminal[node])
            text, calls = part.text[node], part.calls[node]
            place = known.get((parent, text, calls, end)) if node else ROOT
            fresh = place is None or (node == ROOT and len(self) == 1)
            if place is None:
                place = self.add(parent, text, part.state[node], prior=part.prior[node], terminal=end, calls=calls)
            if node:
                places.append(place)
            if merge:
                known[parent, text, calls, end] = place
            for name in ("visits", "failures", "tokens", "drawn", "once", "total"):
                getattr(self, name)[place] += getattr(part, name)[node]
            self.best[place] = max(self.best[place], part.best[node])
            if self.score[place] != self.score[place]:
                self.score[place] = part.score[node]
            for name in ("full", "closed"):
                column = getattr(self, name)
                column[place] = getattr(part, name)[node] and (fresh or column[place])
        for node, others in part.joined.items():
            self.joined.setdefault(places[node], tuple(places[other] for other in others))
        self.answers += [(places[node], sample) for node, sample in part.answers]
        self.feedback |= {
            places[node]: said for node, said in part.feedback.items() if places[node] not in self.feedback
        }
        return places

    def walk(self, node: int = ROOT) -> Iterator[int]:
        """`node` and everything below it, parents before children, siblings in order."""
        stack = [node]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(self.children(node)))

    def _repr_html_(self) -> str:
        """An interactive view, in a sandboxed frame, for notebooks."""
        from searchkit.markup.trees import iframe

        return iframe(self)

    def to_json(self) -> str:
        """All columns but `state` and `calls`, as JSON; `from_json` makes an equal tree without them.

        Numbers that JSON does not have are written as texts: "nan", "inf", "-inf".
        """
        columns: dict[str, Any] = {name: list(getattr(self, name)) for name in (*_INTEGERS, *_FLAGS)}
        columns |= {name: [v if math.isfinite(v) else str(v) for v in getattr(self, name)] for name in _FLOATS}
        said = {str(node): words for node, words in self.feedback.items()}
        joined = {"joined": {str(node): others for node, others in self.joined.items()}} if self.joined else {}
        return json.dumps({**columns, "text": self.text, "answer": self.answer, "feedback": said, **joined})

    @classmethod
    def from_json(cls, text: str) -> Tree:
        stored, tree = json.loads(text), cls()
        for name in _INTEGERS:
            setattr(tree, name, array("q", stored[name]))
        for name in _FLOATS:
            setattr(tree, name, array("d", map(float, stored[name])))
        for name in _FLAGS:
            setattr(tree, name, bytearray(stored[name]))
        tree.text = stored["text"]
        tree.answer, tree.feedback = stored["answer"], {int(node): words for node, words in stored["feedback"].items()}
        tree.state = [None] * len(tree.text)
        tree.calls = [()] * len(tree.text)
        tree._children = [None] * len(tree.text)
        tree.joined = {int(node): tuple(others) for node, others in stored.get("joined", {}).items()}
        for node, parent in enumerate(tree.parent):
            if parent != NO_PARENT:
                siblings = tree._children[parent]
                if siblings is None:
                    tree._children[parent] = [node]
                else:
                    siblings.append(node)
        return tree

    def to_networkx(self) -> networkx.DiGraph[int]:
        """A directed graph from parents to children; the columns but `state` and `calls` are node attributes.

        A node that was made from several has an edge from each.
        """
        import networkx

        graph: networkx.DiGraph[int] = networkx.DiGraph()
        for node in range(len(self)):
            graph.add_node(node, text=self.text[node], mean=self.mean(node), **self._attributes(node))
            if self.parent[node] != NO_PARENT:
                graph.add_edge(self.parent[node], node)
        graph.add_edges_from((other, node) for node, others in self.joined.items() for other in others)
        return graph

    def _attributes(self, node: int) -> dict[str, Any]:
        flags = {name: bool(getattr(self, name)[node]) for name in _FLAGS}
        return {name: getattr(self, name)[node] for name in (*_INTEGERS[1:], *_FLOATS)} | flags


class TreePolicy(Protocol):
    """The decision rule of a tree search. Pure: no I/O, no state but the tree's."""

    def select(self, tree: Tree, rng: random.Random) -> int | None:
        """The node to expand next; None if all that is left is in flight or closed."""
        ...

    def backup(self, tree: Tree, node: int, value: float) -> None:
        """Count one evaluation of `node`, there and above; usually `tree.backup(node, value)`."""
        ...
