"""Search written as text: serial and parallel search traces for Countdown, what the spawn/join models learn from.

Formats and search follow Adaptive Parallel Reasoning (Pan et al. 2025, released ``search.py`` and
``countdown_utils.py``). A state is ``T:[numbers]``; a node is expanded by trying its best moves::

    Current State: 27:[22, 26, 53], Operations: []
    Exploring Operation: 53-22=31, Resulting Numbers: [26, 31]
    Generated Node #0,0: 27:[26, 31] Operation: 53-22=31
    ...

`serial` writes the whole search into one text, half of it in the order of a heap, half of it by recursion (the paper's
SoS+). `parallel` writes a parent, which hands the nodes that it found to children, and the children, which see their
own node and nothing else (APR). `check` reads such texts, and believes nothing that they claim.

Moves are ranked by the released code's heuristic, the sum over the numbers of the distance to the nearest factor (>= 2)
of the target. The paper's text gives another one, the distance of the numbers' sum to the nearest factor; published
data and models were made with the former. Likewise the chance of spawning is the scripts' 0.9, not the text's 0.1. One
thing is not taken over: the released parent loses its place after a join, and names the wrong node to go on with.
"""

from __future__ import annotations

import functools
import heapq
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from searchkit.lab.countdown import Countdown, Puzzle, Split, apply

# What the shipped models have learnt. Published: 4 numbers of 1..99 without a bound on results, 4,096 tokens.
TASK = Countdown(count=3, high=25)
CONTEXT = 512
SERIAL_BEAMS, PARALLEL_BEAMS, SUB_BEAM = 6, 9, 15  # largest of each; published: 5, 10, 15
INLINE = 0.5  # chance that the serial search goes on by recursion
SPAWN = 0.9  # chance that the parent spawns

_LIST = r"\[(\d{1,9}(?:, \d{1,9})*)\]"
_OPERATION = re.compile(rf"Exploring Operation: (\d{{1,9}})([-+*/])(\d{{1,9}})=(\d{{1,9}}), Resulting Numbers: {_LIST}")
_STATE = re.compile(rf"Moving to Node #([\d,]+)\nCurrent State: \d+:{_LIST}, Operations: \[(.*)\]")
_NODE = re.compile(rf"^Generated Node #([\d,]+): \d+:{_LIST} Operation: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Node:
    """A state of the search: the numbers left, how they came about, and the node's name ("" before it has one)."""

    numbers: tuple[int, ...]
    operations: tuple[str, ...] = ()
    name: str = "0"
    parent: Node | None = None

    def state(self, target: int) -> str:
        return f"{target}:{list(self.numbers)}"

    def line(self, target: int) -> str:
        return f"Current State: {self.state(target)}, Operations: {list(self.operations)}"

    def context(self, target: int) -> str:
        """All that a child is given."""
        return f"Moving to Node #{self.name}\n{self.line(target)}"


@dataclass(frozen=True, slots=True)
class Thread:
    """A text to learn from: the model is given `prompt` and writes `text`, then ends.

    The first `known` characters of `text` are not learnt: a parent's first part, which is learnt elsewhere, and the
    join block, which the runtime writes.
    """

    prompt: str
    text: str
    known: int = 0


@functools.lru_cache(maxsize=100_000)
def distance(number: int, target: int) -> int:
    """From `number` to the nearest factor (>= 2) of `target`."""
    return min(abs(number - factor) for factor in range(2, target + 1) if target % factor == 0)


def rank(numbers: tuple[int, ...], target: int) -> int:
    """The heuristic: lower is tried first."""
    return sum(distance(number, target) for number in numbers)


def moves(node: Node, max_value: int | None) -> Iterator[Node]:
    """All nodes one operation away, nameless: a+b, a*b, larger-smaller, exact quotient, for each pair in order."""
    numbers = node.numbers
    for i in range(len(numbers)):
        for j in range(i + 1, len(numbers)):
            a, b = numbers[i], numbers[j]
            rest = numbers[:i] + numbers[i + 1 : j] + numbers[j + 1 :]
            for op in "+*-/":
                left, right = (a, b) if op in "+*" or a > b else (b, a)
                value = apply(left, op, right)
                if value is not None and (max_value is None or value <= max_value):
                    operation = f"{left}{op}{right}={value}"
                    yield Node((*rest, value), (*node.operations, operation), "", node)


def path(goal: Node, start: Node, target: int) -> str:
    """The moves from `start` to `goal`, and nothing else, as text."""
    chain, node = list[Node](), goal
    while node.name != start.name:
        chain.append(node)
        assert node.parent is not None
        node = node.parent
    lines = [f"Moving to Node #{start.name}"]
    for node in reversed(chain):
        assert node.parent is not None
        lines += [node.parent.line(target), _explored(node)]
        if node is not goal:
            lines += [_generated(node, target), f"Moving to Node #{node.name}"]
    return "".join(line + "\n" for line in (*lines, f"{target},{target} equal: Goal Reached"))


def _explored(node: Node) -> str:
    return f"Exploring Operation: {node.operations[-1]}, Resulting Numbers: {list(node.numbers)}"


def _generated(node: Node, target: int) -> str:
    return f"Generated Node #{node.name}: {node.state(target)} Operation: {node.operations[-1]}"


@dataclass(frozen=True, slots=True)
class _Search:
    """What stays the same while a text is written."""

    target: int
    beam: int
    rng: random.Random
    max_value: int | None

    def expand(self, node: Node, out: list[str]) -> tuple[Node | None, list[Node]]:
        """Try the best `beam` moves of `node` in random order; the goal if one is, and the new nodes, best first."""
        target, kept = self.target, list[Node]()
        ranked = sorted(moves(node, self.max_value), key=lambda n: rank(n.numbers, target))[: self.beam]
        self.rng.shuffle(ranked)
        out.append(node.line(target) + "\n")
        for tried in ranked:
            named = Node(tried.numbers, tried.operations, f"{node.name},{len(kept)}", node)
            out.append(_explored(named) + "\n")
            if len(named.numbers) > 1:
                out.append(_generated(named, target) + "\n")
                kept.append(named)
            elif named.numbers[0] == target:
                out.append(f"{target},{target} equal: Goal Reached\n")
                return named, []
            else:
                out.append(f"{named.numbers[0]},{target} unequal: No Solution\n")
        return None, sorted(kept, key=lambda n: rank(n.numbers, target))


class _Frontier:
    """Nodes that wait, best first; of equal ones the first that came."""

    def __init__(self, target: int) -> None:
        self.target, self.heap, self.count = target, list[tuple[int, int, Node]](), 0

    def push(self, node: Node) -> None:
        heapq.heappush(self.heap, (rank(node.numbers, self.target), self.count, node))
        self.count += 1

    def pop(self, n: int) -> list[Node]:
        return [heapq.heappop(self.heap)[-1] for _ in range(min(n, len(self.heap)))]

    @property
    def best(self) -> Node | None:
        return self.heap[0][-1] if self.heap else None


def serial(puzzle: Puzzle, rng: random.Random, beam: int, max_value: int | None = TASK.max_value) -> str:
    """A serial search as one text, which goes on behind the prompt's state (and begins with a line break)."""
    root, out = Node(puzzle.numbers), list[str]()
    _serial(_Search(puzzle.target, beam, rng, max_value), root, root, 0, out)
    return "".join(out).removeprefix(root.line(puzzle.target))


def _serial(search: _Search, start: Node, root: Node, level: int, out: list[str]) -> bool:
    waiting = _Frontier(search.target)
    waiting.push(start)
    while nodes := waiting.pop(search.beam):
        for place, node in enumerate(nodes):
            goal, kept = search.expand(node, out)
            if goal is not None:
                out.append(path(goal, root, search.target))
                return True
            inline = search.rng.random() < INLINE
            for child in kept:
                if not inline:
                    waiting.push(child)
                    continue
                out.append(f"Start Sub Search at level {level + 1}: Moving to Node #{child.name}\n")
                found = _serial(search, child, root, level + 1, out)
                out.append(f"Exit Sub Search at level {level + 1}\n")
                if found:
                    return True
                out.append("No solution found in sub search\n")
            if place + 1 < len(nodes):
                out.append(f"Moving to Node #{nodes[place + 1].name}\n")
        if waiting.best:
            out.append(f"Moving to Node #{waiting.best.name}\n")
    out.append("No solution found.\n")
    return False


@dataclass(frozen=True, slots=True)
class Parallel:
    """A parallel search: the parent's texts, each up to a spawn block or the end, and the children of each spawn.

    A parent is (what it wrote before, with join blocks; what it wrote since then), without the prompt.
    """

    puzzle: Puzzle
    parents: tuple[tuple[str, str], ...]
    children: tuple[tuple[Thread, ...], ...]

    @property
    def budget(self) -> int:
        """Children a spawn, rounded up; 0 if there was none."""
        return -(-sum(map(len, self.children)) // len(self.children)) if self.children else 0

    @property
    def threads(self) -> list[Thread]:
        prompt = parallel_prompt(self.puzzle, self.budget)
        parents = [Thread(prompt, known + text, len(known)) for known, text in self.parents]
        return [*parents, *(child for spawn in self.children for child in spawn)]


def parallel(
    puzzle: Puzzle, rng: random.Random, beam: int, sub_beam: int, max_value: int | None = TASK.max_value
) -> Parallel:
    """A parent with `beam` moves a node, and children with `sub_beam`."""
    target, root, out = puzzle.target, Node(puzzle.numbers), list[str]()
    search, parents, children = (
        _Search(target, beam, rng, max_value),
        list[tuple[str, str]](),
        list[tuple[Thread, ...]](),
    )
    below, known, waiting = _Search(target, sub_beam, rng, max_value), "", _Frontier(target)
    strip = root.line(target)
    waiting.push(root)

    def end(ending: str) -> Parallel:
        text = "".join((*out, ending)).removeprefix(strip)
        return Parallel(puzzle, (*parents, (known, text[len(known) :])), tuple(children))

    while nodes := waiting.pop(beam):
        for place, node in enumerate(nodes):
            goal, kept = search.expand(node, out)
            if goal is not None:
                return end(path(goal, root, target))
            if len(kept) > 1 and rng.random() < SPAWN:
                found = [_child(below, child) for child in kept]
                children.append(tuple(thread for thread, _ in found))
                before = "".join(out).removeprefix(strip)
                parents.append((known, before[len(known) :] + spawn_block(kept)))
                goals = [goal for _, goal in found]
                results = [path(g, child, target) if g else None for g, child in zip(goals, kept, strict=True)]
                out.append(join_block(kept, results))
                known = "".join(out).removeprefix(strip)
                for goal in filter(None, goals):
                    return end(f"{target},{target} equal: Goal Reached\n" + path(goal, root, target))
            else:
                for child in kept:
                    waiting.push(child)
            if place + 1 < len(nodes):
                out.append(f"Moving to Node #{nodes[place + 1].name}\n")
        if waiting.best:
            out.append(f"Moving to Node #{waiting.best.name}\n")
    return end("No solution found.\n")


def _child(search: _Search, start: Node) -> tuple[Thread, Node | None]:
    """A child's text, and the goal if it found it."""
    out, waiting, target = list[str](), _Frontier(search.target), search.target
    waiting.push(start)
    goal: Node | None = None
    while goal is None and (nodes := waiting.pop(search.beam)):
        for place, node in enumerate(nodes):
            goal, kept = search.expand(node, out)
            if goal is not None:
                out.append(path(goal, start, target))
                break
            for child in kept:
                waiting.push(child)
            if place + 1 < len(nodes):
                out.append(f"Moving to Node #{nodes[place + 1].name}\n")
        if goal is None and waiting.best:
            out.append(f"Moving to Node #{waiting.best.name}\n")
    if goal is None:
        out.append("No solution found.\n")
    return Thread(start.context(target), "".join(out).removeprefix(start.line(target))), goal


def spawn_block(nodes: list[Node]) -> str:
    lines = [f"<Start Sub Search {i} at level 1> Moving to Node #{node.name}\n" for i, node in enumerate(nodes)]
    return "<Calling Sub Searches>\n" + "".join(lines) + "<End Calling Sub Searches>\n"


def join_block(nodes: list[Node], results: list[str | None]) -> str:
    """What stands in the parent in place of its spawn block: of each child its solution, or that there is none."""
    parts = list[str]()
    for i, (node, result) in enumerate(zip(nodes, results, strict=True)):
        outcome = "No Solution" if result is None else "Goal Reached"
        parts.append(f"<{outcome} in Sub Search {i} at level 1 at Node #{node.name}>\n{result or ''}")
    return "<Sub Searches>\n" + "".join(parts) + "<End Sub Searches>\n"


def spawns(text: str) -> list[Node]:
    """The nodes that the spawn block at the end of a parent's text (prompt included) hands to children.

    Empty if the text does not end with a spawn block, or the block names a node that the text does not describe.
    """
    before, block, listed = text.rstrip("\n").rpartition("<Calling Sub Searches>\n")
    if not block or not listed.endswith("<End Calling Sub Searches>"):
        return []
    nodes = dict[str, Node]()
    for name, numbers, operations in _STATE.findall(before):
        nodes[name] = Node(_integers(numbers), tuple(re.findall("'([^']*)'", operations)), name)
    for name, numbers, operation in _NODE.findall(before):
        parent = nodes.get(name.rpartition(",")[0])
        if parent and name not in nodes:
            nodes[name] = Node(_integers(numbers), (*parent.operations, operation), name)
    named = re.findall(r"^<Start Sub Search \d+ at level 1> Moving to Node #([\d,]+)$", listed, re.MULTILINE)
    return [nodes[name] for name in named] if all(name in nodes for name in named) else []


def _integers(listed: str) -> tuple[int, ...]:
    return tuple(map(int, listed.split(", ")))


def serial_prompt(puzzle: Puzzle, budget: int) -> str:
    """Budget: tokens of prompt and text together, rounded up to a multiple of an eighth of the context."""
    return f"[Token Budget: {budget} ]{Node(puzzle.numbers).line(puzzle.target)}"


def parallel_prompt(puzzle: Puzzle, budget: int) -> str:
    """Budget: children a spawn."""
    return f"[Sub Call Budget: {budget} ]{Node(puzzle.numbers).context(puzzle.target)}"


def solution(text: str) -> str | None:
    """The final path that `text` states: what follows its second to last "Goal Reached"; None if there are not two."""
    parts = text.split("Goal Reached")
    return "Goal Reached".join(parts[-2:]).strip() if len(parts) > 2 else None


def check(puzzle: Puzzle, text: str) -> str:
    """Return "" if `text` states a final path that is a complete, exact solution of `puzzle`, else the reason why not.

    The path's lines ``Exploring Operation`` are executed from the puzzle's numbers; no other line is looked at. Each
    operand must be available, each result exact, each list the numbers that are left (in any order).
    """
    found = solution(text)
    if found is None:
        return "no solution is stated"
    left = list(puzzle.numbers)
    for number, line in enumerate((x for x in found.split("\n") if x.startswith("Exploring Operation")), 1):
        match = _OPERATION.fullmatch(line)
        if not match:
            return f"operation {number} is not 'a+b=c, Resulting Numbers: [...]'"
        a, b, c = int(match[1]), int(match[3]), int(match[4])
        if a not in left or b not in left or (a == b and left.count(a) < 2):
            return f"operation {number} uses a number that is not available"
        left.remove(a)
        left.remove(b)
        if apply(a, match[2], b) != c:
            return f"operation {number} is wrong arithmetic"
        left.append(c)
        if sorted(left) != sorted(map(int, match[5].split(", "))):
            return f"operation {number} lists the wrong numbers"
    return "" if left == [puzzle.target] else f"the path ends with {left}, not with {puzzle.target}"


@functools.lru_cache(maxsize=100_000)
def _reachable(numbers: tuple[int, ...], max_value: int | None) -> frozenset[int]:
    """The values that some way of using all `numbers` (ascending) ends with."""
    if len(numbers) == 1:
        return frozenset(numbers)
    after = {tuple(sorted(node.numbers)) for node in moves(Node(numbers), max_value)}
    return frozenset().union(*(_reachable(left, max_value) for left in after))


def draw(rng: random.Random, split: Split, task: Countdown = TASK) -> Puzzle:
    """A solvable puzzle of one split."""
    while True:
        puzzle = task.draw(rng)
        if puzzle.split == split and puzzle.target in _reachable(puzzle.numbers, task.max_value):
            return puzzle
