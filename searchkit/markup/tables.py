"""Texts and tables for the output of a notebook."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from html import escape


def html_table(titles: Iterable[str], rows: Iterable[Sequence[str]], words: Container[int] = ()) -> str:
    """A heading and some rows. words: the columns that hold words, not figures; they begin at the left."""

    def line(tag: str, row: Iterable[str]) -> str:
        left = ' style="text-align:left"'  # notebooks put everything to the right
        cells = (f"<{tag}{left if i in words else ''}>{html_text(cell)}</{tag}>" for i, cell in enumerate(row))
        return f"<tr>{''.join(cells)}</tr>"

    return f"<table>{line('th', titles)}{''.join(line('td', row) for row in rows)}</table>"


def html_pre(text: str, *, wrap: bool = False) -> str:
    """The text with its spaces and line breaks. wrap: break long lines."""
    style = f"font-family:monospace;white-space:{'pre-wrap' if wrap else 'pre'}"  # not every page has it so
    return f'<pre style="{style}">{html_text(text)}</pre>'


def html_text(text: str) -> str:
    """The text as HTML that shows it, whatever is in it; lone surrogates, which no notebook can store, as escapes."""
    return escape(text).encode("utf-8", "backslashreplace").decode("utf-8")
