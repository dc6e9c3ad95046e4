"""AIME: problems of the American Invitational Mathematics Examination, whose answers are whole numbers to 999."""

from __future__ import annotations

from searchkit.datasets import mirrors
from searchkit.datasets.dataset import Dataset
from searchkit.datasets.files import Row, Source, rows
from searchkit.datasets.maths import TEMPLATE, maths
from searchkit.errors import ConfigError


def aime(source: Source, *, checksum: str | None = None, template: str = TEMPLATE) -> Dataset:
    """The problems of a file with `problem` (or `question`), `answer` and perhaps `id`, in any case of letters.

    There is no one published file, hence no checksum by default: pass your own to be sure that it stays the same.
    Raises `ConfigError` as `searchkit.datasets.files.rows` does, and for an answer that is no whole number from 0 to
    999.
    """
    found = [
        Row(row.where, {name.lower(): value for name, value in row.values.items()}) for row in rows(source, checksum)
    ]
    items = (
        (str(row.get("id") or f"aime/{i}"), mirrors.question(row, "problem", "question"), _answer(row))
        for i, row in enumerate(found)
    )
    return maths("aime", template, items)


def _answer(row: Row) -> str:
    answer = mirrors.answer(row, "answer")
    whole, _, rest = (mirrors.number(answer) or "").partition(".")
    if not (whole.isdigit() and int(whole) <= 999 and not rest.strip("0")):
        raise ConfigError(f"{row.where}: an answer of AIME is a whole number from 0 to 999, got {answer!r:.40}")
    return str(int(whole))  # some files write 033
