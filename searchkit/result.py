"""What a search returned, and how a notebook shows it: the answer, what it cost, the candidates, the trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from searchkit.markup.tables import html_pre, html_table, html_text
from searchkit.markup.words import counted, number, one_line
from searchkit.trace import Span
from searchkit.tree import Tree
from searchkit.types import Sample, Scored, Stopped, Usage

T_co = TypeVar("T_co", covariant=True)
LONGEST, ROWS_SHOWN, CELL = 4000, 10, 200  # characters of the answer; candidates; columns of each


@dataclass(frozen=True, slots=True)
class Result(Generic[T_co]):
    """What a search returned, whatever stopped it.

    answer: the chosen sample's value. usage: everything charged, replays at their recorded cost. paid: what this
    process consumed itself. sequential_tokens: generated tokens on the longest chain of calls that had to wait for one
    another. overshoot: by how much a soft ceiling was exceeded (see `Budget`).
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

    def _repr_html_(self) -> str:
        """Answer, cost, candidates and trace, for notebooks; `tree` shows itself."""
        return _html(self)


def _html(result: Result[Any]) -> str:
    """Markup of our own around texts that a model wrote, which are escaped and cut. The best candidates come first."""
    return "".join(
        [_pre(result.sample.text), f"<p>{html_text(_cost(result))}</p>", *_failures(result), *_details(result)]
    )


def _cost(result: Result[Any]) -> str:
    used = result.usage
    parts = [
        f"stopped: {result.stopped}",
        counted(used.generations, "sample"),
        counted(used.verifications, "verification") if used.verifications else "",
        f"{used.generated_tokens:,} tokens generated ({result.sequential_tokens:,} in sequence)",
        f"{used.prompt_tokens:,} read" if used.prompt_tokens else "",
        f"${used.usd:.4f}" if used.usd else "",
        f"{result.wall_s:.2f} s",
    ]
    return ", ".join(filter(None, parts))


def _failures(result: Result[Any]) -> list[str]:
    if not result.errors:
        return []
    first = f"{type(result.errors[0]).__name__}: {result.errors[0]}"
    return [f"<p>{html_text(counted(len(result.errors), 'failure'))}, the first: {html_text(first[:CELL])}</p>"]


def _details(result: Result[Any]) -> list[str]:
    trace = _folded("trace", result.trace._repr_html_())
    if not result.candidates:
        return [trace]
    best_first = sorted(result.candidates, key=lambda c: -float("inf") if c.score is None else c.score, reverse=True)
    rows = (_row(scored) for scored in best_first[:ROWS_SHOWN])
    more = len(best_first) - ROWS_SHOWN
    rest = f"<p>... and {more:,} more</p>" if more > 0 else ""
    table = html_table(("score", "tokens", "finish", "text"), rows, words=(2, 3))
    return [_folded(counted(len(best_first), "candidate"), table + rest), trace]


def _row(scored: Scored) -> Sequence[str]:
    sample, score = scored.sample, scored.score
    figures = "-" if score is None else number(score), f"{sample.usage.generated_tokens:,}"
    return *figures, sample.finish, one_line(sample.text, CELL)


def _folded(title: str, inside: str) -> str:
    return f"<details><summary>{html_text(title)}</summary>{inside}</details>"


def _pre(text: str) -> str:
    cut = f"{text[:LONGEST]}\n... {len(text) - LONGEST:,} more characters" if len(text) > LONGEST else text
    return html_pre(cut, wrap=True)
