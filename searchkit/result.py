"""What a search returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from searchkit.trace import Span
from searchkit.tree import Tree
from searchkit.types import Sample, Scored, Stopped, Usage

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Result(Generic[T_co]):
    """What a search returned, whatever stopped it.

    - answer: the chosen sample's value.
    - sample: the chosen sample.
    - candidates: all answers that were found, with their verdicts.
    - errors: what the search survived.
    - usage: everything charged, replays at their recorded cost.
    - paid: what this process consumed itself.
    - sequential_tokens: generated tokens on the longest chain of calls that had to wait for one another.
    - trace: every call, as a tree of spans.
    - tree: the search tree; None of a search that grows none.
    - wall_s: seconds that the search took.
    - overshoot: by how much a soft ceiling was exceeded (see `Budget`).
    - stopped: why the search ended; "done" if nothing cut it short.
    - diverged: attempts of agents that were resumed from a journal, and did not ask again all that they had asked. What
      was paid for and not asked again stays in the journal, and is in no usage.
    - left_out: fields that were left out of requests, because the server refused them (`Sample.left_out` says of which
      answers).
    - oracle: the verifiers that saw what is right while the search ran: a reference, or its tests (`Verifier.oracle`).
      With one the answer is no measure of a method: nobody has the reference where an answer is needed.
    - abandoned: calls in threads that were given up (cancelled, or too late) and went on all the same: Python cannot
      end a thread. Each keeps its slot until it returns.
    """

    answer: T_co
    sample: Sample[T_co] = field(repr=False)
    candidates: tuple[Scored, ...] = field(repr=False)
    errors: tuple[Exception, ...]
    usage: Usage
    paid: Usage
    sequential_tokens: int
    trace: Span = field(repr=False)
    tree: Tree | None = field(repr=False)
    wall_s: float
    overshoot: Mapping[str, float]
    stopped: Stopped
    diverged: int = 0
    left_out: tuple[str, ...] = ()
    oracle: tuple[str, ...] = ()
    abandoned: int = 0

    def _repr_html_(self) -> str:
        """Answer, cost, candidates and trace, for notebooks; `tree` shows itself."""
        from searchkit.markup.results import result_html

        return result_html(self)
