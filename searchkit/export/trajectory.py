"""What training data is made of: a problem, the trajectories that searches left of it, and where each comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from searchkit.errors import ConfigError
from searchkit.tree import Tree
from searchkit.types import Prompt, Sample, StepSpan, Verdict

Kind = Literal["result", "tree", "journal", "pool", "sweep", "dump"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row comes from; each row of a file carries one.

    - problem: its id.
    - source: what it was read from: "result", "tree", "journal", "pool", "sweep" or "dump".
    - name: of that source: a file, a tree's id.
    - seed: the root seed of the search, None where the source does not say.
    - path: where in the source: a path of calls, "strategy budget" of a sweep, nodes of a tree as "0/3/7".
    - model, revision: who wrote it, as the backend names itself ("embedded/countdown", "eecc709eb773"); "" unknown.
    - tokens: generated for it, 0 where nobody says.
    - licence: of the source's texts, as the caller names it.
    """

    problem: str
    source: Kind
    name: str = ""
    seed: int | None = None
    path: str = ""
    model: str = ""
    revision: str = ""
    tokens: int = 0
    licence: str = ""


def model_of(name: str) -> tuple[str, str]:
    """The model and its revision that a backend's name says: ``embedded/countdown@eecc`` is both."""
    model, at, revision = name.rpartition("@")
    return (model, revision) if at else (name, "")


class Piece(NamedTuple):
    """A part of a text. learn: whether the model that is trained shall learn to write it."""

    text: str
    learn: bool = True


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One whole answer to a problem.

    - text: what was written after the prompt, whole.
    - steps: the same cut into steps, which join to it; () where nobody knows them.
    - right: whether it is; None is unknown, which is neither.
    - score: of a verifier or a tree, higher is better; None without one.
    - whole: False if it was cut off; such a text is never learnt from.
    - origin: where it comes from.
    """

    text: str
    steps: tuple[str, ...]
    right: bool | None
    score: float | None
    whole: bool
    origin: Origin

    def __post_init__(self) -> None:
        if self.steps and "".join(self.steps) != self.text:
            raise ConfigError(
                f"the steps of a trajectory join to its text, got {self.steps!r:.80} of {self.text!r:.80}"
            )

    @classmethod
    def of(cls, sample: Sample[Any], verdict: Verdict, origin: Origin, prefix: str = "") -> Trajectory:
        """A sample, behind the beginning that it continues, with its verdict.

        One that found no answer (`Verdict.unread`) is unknown, not wrong.
        """
        text = prefix + sample.text
        spans = [StepSpan(s.start + len(prefix), s.end + len(prefix)) for s in sample.step_spans]
        right = None if verdict.unread else verdict.passed
        return cls(text, cut(text, spans), right, verdict.value, not sample.truncated, origin)


@dataclass(frozen=True, slots=True)
class Grown:
    """A search tree of a problem. texts: what each node's action added: a path's texts join to what was written.

    values: of each node, in the order of its numbers, None where nothing was backed up: the mean of the values below.
    """

    tree: Tree
    texts: Sequence[str]
    values: Sequence[float | None]
    origin: Origin

    def prefix(self, node: int) -> str:
        """All that is written up to `node` and by it."""
        return "".join(self.texts[n] for n in self.tree.path(node))


@dataclass(frozen=True, slots=True)
class Material:
    """A problem, and all that is known of it. reference: what is right, None where nobody says."""

    problem: str
    prompt: Prompt
    trajectories: Sequence[Trajectory] = ()
    trees: Sequence[Grown] = ()
    reference: Any = None

    @property
    def solved(self) -> float | None:
        """The share of right trajectories among those that are known; None if none is: how easy the problem is."""
        known = [t.right for t in self.trajectories if t.right is not None]
        return sum(known) / len(known) if known else None


def is_text(sample: Sample[Any]) -> bool:
    """Whether a sample is a text and nothing else: no value of an agent, and no turn that calls tools."""
    return isinstance(sample.value, str) and not (sample.message is not None and sample.message.tool_calls)


def cut(text: str, spans: Sequence[StepSpan]) -> tuple[str, ...]:
    """The steps of `text`, what stands before and between spans included, so that they join to it; () without spans."""
    if not spans:
        return ()
    ends = [0, *(span.end for span in spans)]
    if ends != sorted(ends) or ends[-1] > len(text):
        return ()
    ends[-1] = len(text)
    return tuple(step for a, b in pairwise(ends) if (step := text[a:b]))
