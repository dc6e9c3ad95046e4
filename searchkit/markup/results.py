"""What a search returned, as HTML for a notebook: the answer, what it cost, the candidates, the trace.

It reads a `Result`, and does not know it: a result shows itself, so this stands below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from searchkit.markup.tables import html_pre, html_table, html_text
from searchkit.markup.words import counted, number, one_line

LONGEST, ROWS_SHOWN, CELL = 4000, 10, 200  # characters of the answer; candidates; columns of each


def result_html(result: Any) -> str:
    """Markup of our own around texts that a model wrote, which are escaped and cut. The best candidates come first."""
    return "".join(
        [_pre(result.sample.text), f"<p>{html_text(_cost(result))}</p>", *_failures(result), *_details(result)]
    )


def _cost(result: Any) -> str:
    used = result.usage
    parts = [
        *_score(result),
        f"stopped: {result.stopped}",
        counted(used.generations, "sample"),
        counted(used.verifications, "verification") if used.verifications else "",
        counted(used.model_calls, "model call") if used.model_calls != used.generations else "",
        f"{used.generated_tokens:,} tokens generated ({result.sequential_tokens:,} in sequence)",
        f"{used.prompt_tokens:,} read" if used.prompt_tokens else "",
        f"${used.usd:.4f}" if used.usd else "",
        f"{result.wall_s:.2f} s",
        f"{counted(result.diverged, 'resumed attempt')} asked otherwise than before" if result.diverged else "",
        f"{', '.join(result.oracle)} saw the reference" if result.oracle else "",
        f"{counted(result.abandoned, 'call')} went on in threads after being given up" if result.abandoned else "",
    ]
    return ", ".join(filter(None, parts))


def _score(result: Any) -> list[str]:
    """What the answer was judged to be worth; of equal candidates the best."""
    value, message = result.sample.value, result.sample.message
    same = (one for one in result.candidates if one.sample.value is value and one.sample.message is message)
    scores = [one.score for one in same if one.score is not None]
    return [f"score {number(max(scores))}"] if scores else []


def _failures(result: Any) -> list[str]:
    if not result.errors:
        return []
    first = f"{type(result.errors[0]).__name__}: {result.errors[0]}"
    return [f"<p>{html_text(counted(len(result.errors), 'failure'))}, the first: {html_text(first[:CELL])}</p>"]


def _details(result: Any) -> list[str]:
    trace = _folded("trace", result.trace._repr_html_())
    if not result.candidates:
        return [trace]
    best_first = sorted(result.candidates, key=lambda c: -float("inf") if c.score is None else c.score, reverse=True)
    rows = (_row(scored) for scored in best_first[:ROWS_SHOWN])
    more = len(best_first) - ROWS_SHOWN
    rest = f"<p>... and {more:,} more</p>" if more > 0 else ""
    table = html_table(("score", "tokens", "finish", "text"), rows, words=(2, 3))
    return [_folded(counted(len(best_first), "candidate"), table + rest), trace]


def _row(scored: Any) -> Sequence[str]:
    sample, score = scored.sample, scored.score
    known = sample.usage.model_calls > 0  # the calls of an agent stand in the trace, and not with its answer
    figures = "-" if score is None else number(score), f"{sample.usage.generated_tokens:,}" if known else "-"
    return *figures, sample.finish, one_line(sample.text, CELL)


def _folded(title: str, inside: str) -> str:
    return f"<details><summary>{html_text(title)}</summary>{inside}</details>"


def _pre(text: str) -> str:
    cut = f"{text[:LONGEST]}\n... {len(text) - LONGEST:,} more characters" if len(text) > LONGEST else text
    return html_pre(cut, wrap=True)
