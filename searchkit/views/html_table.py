"""Texts and tables for the output of a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(titles: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A heading and some rows of texts."""
    head = "".join(f"<th>{html_text(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{html_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def html_text(text: str) -> str:
    """The text as HTML that shows it, whatever is in it; lone surrogates, which no notebook can store, as escapes."""
    return escape(text).encode("utf-8", "backslashreplace").decode("utf-8")
