"""What was said in the rounds of an ensemble: the last answer of each agent, and all of it as a tree. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from searchkit.tool_calls import label
from searchkit.tree import ROOT, Tree
from searchkit.types import Sample


@dataclass(frozen=True, slots=True)
class Spoken:
    """What an agent answered in a round: a state of `Result.tree`.

    agent, round: from 0. saw: the nodes of the answers that it was shown, its own last one perhaps among them. answer:
    what it votes for, where that can end the search.
    """

    agent: int
    round: int
    sample: Sample[Any]
    saw: tuple[int, ...] = ()
    answer: Hashable | None = None


@dataclass(eq=False, slots=True)
class Table:
    """All replies so far, as a tree in which each stands below the one before it of the same agent.

    last: the node of the last answer of each agent that has one.
    """

    tree: Tree = field(default_factory=Tree)
    last: dict[int, int] = field(default_factory=dict)

    def add(self, reply: Spoken) -> None:
        """Take in an answer. Where an agent speaks for the first time, it stands below the first that it was shown."""
        parent = self.last.get(reply.agent, reply.saw[0] if reply.saw else ROOT)
        said = f"agent {reply.agent + 1}, round {reply.round + 1}: {label(reply.sample)}"
        tokens, others = reply.sample.usage.generated_tokens, [node for node in reply.saw if node != parent]
        self.last[reply.agent] = self.tree.add(parent, said, reply, tokens=tokens, joined=others)

    def sample(self, agent: int) -> Sample[Any]:
        """The last answer of `agent`, who has one."""
        reply: Spoken = self.tree.state[self.last[agent]]
        return reply.sample

    def score(self, agent: int, score: float | None) -> None:
        """Note what a verifier made of the last answer of `agent`."""
        if score is not None:
            self.tree.score[self.last[agent]] = score
            self.tree.backup(self.last[agent], score)


def agreement(answers: Sequence[Hashable | None]) -> int:
    """How many of `answers` are equal, at most; None is no answer, and equal to none."""
    return max(Counter(answer for answer in answers if answer is not None).values(), default=0)
