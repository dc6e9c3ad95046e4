"""GSM8K: word problems of primary-school mathematics (Cobbe et al. 2021)."""

from __future__ import annotations

import re
from pathlib import Path

from searchkit.answers import keys
from searchkit.datasets import mirrors
from searchkit.datasets.dataset import Dataset
from searchkit.datasets.files import Row, Source, rows
from searchkit.datasets.maths import TEMPLATE, problems
from searchkit.errors import ConfigError
from searchkit.verifiers.reference.math_equal import MathEqual

SHA256 = "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14"
"""Of ``test.jsonl``, 1,319 problems, as in the repository openai/grade-school-math."""

NUMBER = keys.ladder(otherwise=keys.number)
"""What counts as the answer: what is marked as such, else the last number of the text."""


def gsm8k(source: Source, *, checksum: str | None = SHA256, template: str = TEMPLATE) -> Dataset:
    """The problems of ``grade_school_math/data/test.jsonl``, or of another file with `question` and `answer`.

    The reference is the number after "####", or the answer itself where that is a number and nothing else. checksum:
    None for other files, such as ``train.jsonl``. Ids say the split, as the file's name does: ``gsm8k/test/0``,
    ``gsm8k/train/0``; a file that is named after none gives its own name. Raises `ConfigError` as
    `searchkit.datasets.files.rows` does, and for an answer without such a number.
    """
    records = enumerate(rows(source, checksum))
    split = "test" if checksum == SHA256 else _split(source)
    items = ((f"gsm8k/{split}/{i}", mirrors.question(row, "question"), _answer(row)) for i, row in records)
    return Dataset("gsm8k", problems(template, items), MathEqual(NUMBER), NUMBER)


def _split(source: Source) -> str:
    """The part of the set that a name says: ``train-00000-of-00001.parquet`` and ``train.jsonl.gz`` are "train"."""
    name = Path(source).name.partition(".")[0]
    found = re.match(r"(?i)(train|test|validation|dev)(?![a-z])", name)
    return found[1].lower() if found else name


def _answer(row: Row) -> str:
    text = mirrors.answer(row, "answer")
    found = keys.hashes.extract(text) if "####" in text else mirrors.number(text)
    if not isinstance(found, str):
        raise ConfigError(f"{row.where}: the answer has no number after '####'")
    return found
