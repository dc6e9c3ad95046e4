"""The operations of a graph of thoughts as values, the thoughts that they make, and what they cost. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from searchkit.errors import ConfigError
from searchkit.kinds import is_whole, told
from searchkit.mistakes import check_generator
from searchkit.protocols import Generator, Verifier
from searchkit.templates import check
from searchkit.tool_calls import label
from searchkit.tree import ROOT, Tree
from searchkit.types import Prompt, Sample, Scored, Verdict

Kind = Literal["write", "score", "keep", "refine", "split", "merge"]
UNJUDGED = Verdict()
WRITES: tuple[Kind, ...] = ("write", "refine", "merge")
FIELDS = {
    "write": {"task", "thought", "whole"}, "refine": {"task", "thought", "whole", "feedback"},
    "merge": {"task", "thoughts", "whole"},
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One operation. n: how many it makes of each thought, keeps, or splits at most into."""

    kind: Kind
    n: int = 1
    ask: str | Callable[..., Any] | None = None
    by: Generator | None = None
    verifier: Verifier | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.n) or self.n < 1:
            raise ConfigError(f"{self.kind} takes a whole number, 1 or more, got {told(self.n)}")
        if self.by is not None:
            check_generator(f"by= of {self.kind}", self.by)
        if isinstance(self.ask, str) and self.kind in FIELDS:
            needed = {"write": set[str](), "refine": {"thought"}, "merge": {"thoughts"}}[self.kind]
            check(self.ask, needed, FIELDS[self.kind])
        elif not (callable(self.ask) if self.kind in ("split", "merge") else self.ask is None):
            kind = "a function" if self.kind == "split" else "a template, a text with fields such as {task},"
            raise ConfigError(f"{self.kind} needs {kind} got {told(self.ask)}")

    @property
    def calls(self) -> int:
        """How many generations each thought, or each set of parts, takes."""
        return self.n if self.kind in WRITES and not callable(self.ask) else 0


@dataclass(eq=False, slots=True)
class Thought:
    """A node of the graph, and its state in `Result.tree`: what was written, from which others, and what it is worth.

    how: the operation. node: its number in the tree, once it is there.
    """

    sample: Sample[Any]
    how: str
    parents: tuple[Thought, ...] = ()
    verdict: Verdict = UNJUDGED
    node: int = ROOT

    @property
    def text(self) -> str:
        return self.sample.text

    @property
    def scored(self) -> Scored:
        return Scored(self.sample, self.verdict)


@dataclass(eq=False, slots=True)
class Group:
    """The thoughts about one task: the whole one, or a part of it.

    prompt: the task. whole: the text that it is a part of. thoughts: those that are left. made: all that were made, in
    the order of the program, those about its parts too.
    """

    prompt: Prompt
    whole: str = ""
    thoughts: list[Thought] = field(default_factory=list)
    made: list[Thought] = field(default_factory=list)


def show(tree: Tree, thoughts: Sequence[Thought], there: int) -> int:
    """Put thoughts into the tree, but for the first `there`, each below the first that it was made from.

    Verdicts that are not there yet are backed up. Returns how many there are now.
    """
    for thought in thoughts[there:]:
        parents, tokens = [parent.node for parent in thought.parents], thought.sample.usage.generated_tokens
        parent, said = parents[0] if parents else ROOT, f"{thought.how}: {label(thought.sample)}"
        thought.node = tree.add(parent, said, thought, tokens=tokens, joined=dict.fromkeys(parents[1:]))
    for thought in thoughts:
        score = thought.verdict.value
        if score is not None and tree.score[thought.node] != tree.score[thought.node]:
            tree.score[thought.node] = score
            tree.backup(thought.node, score)
    return len(thoughts)


def end_of(operations: Sequence[Operation], split: int) -> int:
    """The index of the merge that belongs to the split at `split`; as many as there are, if none does."""
    depth = 0
    for at in range(split, len(operations)):
        depth += (operations[at].kind == "split") - (operations[at].kind == "merge")
        if depth == 0:
            return at
    return len(operations)


def first_answer(operations: Sequence[Operation]) -> int:
    """The index of the operation that writes answers; what is written before it is of use for these alone."""
    at = found = 0
    while at < len(operations):
        if operations[at].kind == "split":
            at = end_of(operations, at)
        if at < len(operations) and operations[at].kind in ("write", "merge"):
            found = at
        at += 1
    return found


def costs(operations: Sequence[Operation]) -> Iterator[tuple[Operation, int, int]]:
    """For each operation how many generations and verifications it takes at most."""
    groups, left, above = 1, 0, list[tuple[int, int]]()
    for one in operations:
        draws = checks = 0
        if one.kind == "write":
            left = one.n * max(left, 1)
            draws = groups * left
        elif one.kind == "refine":
            draws = groups * left * one.n
            left += left * one.n
        elif one.kind == "score":
            checks = groups * left
        elif one.kind == "keep":
            left = min(left, one.n)
        elif one.kind == "split":
            above.append((groups, left))
            groups, left = groups * one.n, 1
        else:
            groups = above.pop()[0] if above else groups
            draws, left = groups * one.calls, one.calls or 1
        yield one, draws, checks
