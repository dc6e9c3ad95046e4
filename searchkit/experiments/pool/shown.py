"""A pool in a notebook: its problems, and behind each its best samples, every answer with its score and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from searchkit.experiments.entry import Entry
from searchkit.markup.tables import html_table, html_text
from searchkit.markup.words import number, one_line

PROBLEMS, SAMPLES, COLUMNS = 10, 10, 160  # shown of each, and terminal columns of a text
HEAD = ("problem", "samples", "correct", "unknown", "answers", "failed", "generated tokens")
BELOW = ("verdict", "score", "answer", "tokens", "finish", "the text's end")


def pool_html(entries: Mapping[str, Sequence[Entry]], said: str) -> str:
    """The sentences that a pool says of itself, a table of its problems, and a list of samples to unfold for each.

    Texts are data, never markup.
    """
    first = list(entries.items())[:PROBLEMS]
    table = html_table(HEAD, [_summary(problem, column) for problem, column in first], words=(0,))
    more = f"<p>... and {len(entries) - PROBLEMS} more problems</p>" if len(entries) > PROBLEMS else ""
    lines = "".join(f"<p>{html_text(line)}</p>" for line in said.split("\n"))
    return lines + table + more + "".join(_samples(problem, column) for problem, column in first)


def _summary(problem: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    counts = (
        len(entries),
        sum(entry.correct for entry in entries),
        sum(entry.unknown for entry in entries),
        len({entry.key for entry in entries if entry.key is not None}),
        sum(entry.finish == "error" for entry in entries),
        sum(entry.generated_tokens for entry in entries),
    )
    return (problem, *map(str, counts))


def _samples(problem: str, entries: Sequence[Entry]) -> str:
    """The best samples of a problem, those with the highest score first."""
    ordered = sorted(entries, key=lambda entry: -float("inf") if entry.score is None else entry.score, reverse=True)
    rows = [_sample(entry) for entry in ordered[:SAMPLES]]
    rest = f"<p>... and {len(entries) - SAMPLES:,} more</p>" if len(entries) > SAMPLES else ""
    title = html_text(one_line(f"{problem}: samples with their scores", COLUMNS))
    return f"<details><summary>{title}</summary>{html_table(BELOW, rows, words=(0, 2, 4, 5))}{rest}</details>"


def _sample(entry: Entry) -> tuple[str, ...]:
    verdict = "right" if entry.correct else "unknown" if entry.unknown else "wrong"
    score = "-" if entry.score is None else number(entry.score)
    key = "-" if entry.key is None else one_line(str(entry.key), COLUMNS // 4)
    text = entry.value if isinstance(entry.value, str) else repr(entry.value)
    return verdict, score, key, f"{entry.generated_tokens:,}", entry.finish, one_line(text[-COLUMNS:], COLUMNS)
