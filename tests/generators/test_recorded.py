"""Recorded samples: who serves others has another name, so that a journal does not answer with the old ones."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from searchkit import Usage, solve_sync
from searchkit.generators import Recorded
from searchkit.strategies import SelfConsistency
from searchkit.types import Sample

SAMPLES: dict[str, list[Any]] = {"q": ["4", "5"], "r": ["6"]}
OTHERS: list[dict[str, list[Any]]] = [
    {},
    {"q": []},
    {"q": ["4", "5"]},
    {"q": ["4", "5"], "r": ["7"]},
    {"q": ["5", "4"], "r": ["6"]},
    {"q": ["4"], "r": ["5", "6"]},
    {"q": ["45"], "r": ["6"]},
    {"q": ["4", "5", "6"], "r": []},
    {"q": ["4", "5"], "s": ["6"]},
    {"q": [4, 5], "r": [6]},
    {"q": [["4"], "5"], "r": ["6"]},
    {"q": [Sample("4", finish="length"), "5"], "r": ["6"]},
    {"q": [Sample("4", usage=Usage(generated_tokens=1)), "5"], "r": ["6"]},
    {"q": ["4 ", "5"], "r": ["6"]},
    {"q": ["4", "5"], "r": ["6", "6"]},
    {"q": ["4", "5"], "r": ["6"], "": [""]},
    {"q\ud800": ["4", "5"], "r": ["6"]},
    {"q": ["4\ud800", "5"], "r": ["6"]},
    {"q": [None, "5"], "r": ["6"]},
    {"q": [{1}, "5"], "r": ["6"]},
]


def test_other_samples_have_another_name() -> None:
    """Each of twenty others, and none twice; the name that was given stays in front."""
    names = [Recorded(samples).name for samples in [SAMPLES, *OTHERS]]
    assert len(set(names)) == len(names)
    assert all(name.startswith("recorded#") for name in names)
    assert Recorded(SAMPLES, "mine").name == names[0].replace("recorded", "mine")


@pytest.mark.parametrize(
    "same",
    [
        {"r": ["6"], "q": ["4", "5"]},
        OrderedDict(q=("4", "5"), r=("6",)),
        {"q": [Sample("4"), "5"], "r": [Sample("6", origin="journal")]},
    ],
)
def test_equal_samples_have_the_same_name(same: Any) -> None:
    """The order of prompts, tuples for lists, and where a sample came from change nothing; nor does `replace`."""
    assert Recorded(same).name == Recorded(SAMPLES).name == replace(Recorded(SAMPLES)).name
    assert replace(Recorded(OTHERS[3]), samples=same) == Recorded(same)


def test_a_journal_does_not_answer_with_other_samples(tmp_path: Path) -> None:
    """The same search over mended samples is another one, and over the first ones again the first."""
    path = tmp_path / "run.db"

    def answer(*values: str) -> tuple[str, int]:
        result = solve_sync("q", SelfConsistency(3, key=str), generator=Recorded({"q": values}), journal=path)
        return result.answer, result.paid.generations

    assert [answer(*"445"), answer(*"455"), answer(*"445")] == [("4", 3), ("5", 3), ("4", 0)]
