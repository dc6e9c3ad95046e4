"""MATH-500: 500 problems of the test part of MATH (Hendrycks et al. 2021; chosen by Lightman et al. 2023)."""

from __future__ import annotations

from searchkit.datasets import mirrors
from searchkit.datasets.dataset import Dataset
from searchkit.datasets.files import Row, Source, rows
from searchkit.datasets.maths import TEMPLATE, maths

SHA256 = "5a424d924a5f09323bb008b487e6971210dc5b2846db0699c777cd53982f08eb"
"""Of ``test500.jsonl`` as in the repository openreasoner/openr; other copies may order fields in another way."""


def math500(source: Source, *, checksum: str | None = SHA256, template: str = TEMPLATE) -> Dataset:
    """The problems of ``envs/MATH/dataset/test500.jsonl``, or of another file with `problem` and `answer`.

    Ids are the field `unique_id`, or the row's number. Where a copy has no `answer`, it is what stands in the last box
    of its `solution`. checksum: None for other copies. Raises `ConfigError` as `searchkit.datasets.files.rows` does.
    """
    items = (
        (str(row.get("unique_id") or f"math500/{i}"), mirrors.question(row, "problem"), _answer(row))
        for i, row in enumerate(rows(source, checksum))
    )
    return maths("math500", template, items)


def _answer(row: Row) -> str:
    found = mirrors.boxed(row, "solution") if row.get("answer", "reward_model") is None else None
    return found or mirrors.answer(row, "answer")
