"""The tables of the guide's page on maths: every pair in them has the verdict of its column, both ways round."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.math_checks import outcome

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "verifiers" / "maths.md"
_CODE = re.compile(r"`([^`]+)`")
VERDICTS = {"equal": True, "different": False, "unknown": None}


def rows():
    """(what the row is about, column, the texts of one group) of all tables with these columns."""
    columns: list[str] = []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            columns = []
        elif set(cells) & set(VERDICTS):
            columns = cells
        elif columns and not set(cells[0]) <= set("-"):
            for column, cell in zip(columns[1:], cells[1:], strict=True):
                for group in filter(None, cell.split("; ")):
                    texts = tuple(text.replace("\\|", "|") for text in _CODE.findall(group))
                    if len(texts) > 1:  # "`5` alone" is an example of a spelling
                        yield cells[0], column, texts


ROWS = list(rows())


@pytest.mark.parametrize(("about", "column", "texts"), ROWS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_row_of_the_guide_is_true(about, column, texts):
    """The first text of a group against each of the others."""
    for other in texts[1:]:
        found = outcome(texts[0], other), outcome(other, texts[0])
        assert [one.equal for one in found] == [VERDICTS[column]] * 2, (texts[0], other, found)


def test_the_guide_has_the_conventions_that_the_list_of_mutants_relies_on():
    """Each convention is a row, with at least one pair."""
    about = {row[0] for row in ROWS}
    for word in ("order", "units", "case", "names", "percent", "calculation", "rounded", "comma", "ratios"):
        assert any(word in convention for convention in about), word
    assert len(ROWS) > 60
