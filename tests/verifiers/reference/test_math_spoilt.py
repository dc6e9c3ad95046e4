r"""References of other people: which are read, and that none equals itself with one digit, sign or name changed."""

from __future__ import annotations

import cmath
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

TOOLS, DATA = Path(__file__).parents[3] / "tools", Path(__file__).parents[4] / "shared" / "data"

# Mutants that are equal in truth: what the changed part comes to before and after, by Python's floating point.
PROVEN = {
    "college_math/1086 digit": (math.cos(10 * math.pi / 3), math.cos(14 * math.pi / 3)),
    "college_math/1186 function": (math.sin(5 * math.pi / 4), math.cos(5 * math.pi / 4)),
    "college_math/1397 digit": ((1j**4) ** 2, (1j**6) ** 2),
}


@pytest.fixture
def mutants(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not (DATA / "references").exists():
        pytest.skip("the references of public sets are not on this machine")
    monkeypatch.syspath_prepend(str(TOOLS))
    import math_mutants

    return math_mutants


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not (DATA / "references").exists():
        pytest.skip("the references of public sets are not on this machine")
    monkeypatch.syspath_prepend(str(TOOLS))
    import unread_references

    return unread_references


def test_what_is_equal_in_truth_is_so_by_another_program():
    """Each of the mutants that may pass, with its figures."""
    assert all(cmath.isclose(before, after, abs_tol=1e-12) for before, after in PROVEN.values())


@pytest.mark.slow
def test_no_spoilt_reference_is_equal(mutants):
    """All of MATH-500, GSM8K and five more sets: over 16,000 mutants, three of them equal, all three in truth."""
    found = mutants.measure(DATA, 1, {}, lambda row: None)
    assert found["mutants"] >= 16_000
    assert {name for name, _, _ in found["equal"]} == set(PROVEN)
    assert found["verdict False"] > 0.9 * found["mutants"]


def test_no_spoilt_reference_of_a_sample_is_equal(mutants):
    """Every 60th reference, so that plain pytest sees it too; what is known already is not asked again."""
    rows: list[dict[str, Any]] = []
    found = mutants.measure(DATA, 60, {}, rows.append)
    assert len(rows) == found["mutants"] > 200
    assert [name for name, _, _ in found["equal"] if name not in PROVEN] == []
    again = mutants.measure(DATA, 60, {row["name"]: row["verdict"] for row in rows}, rows.append)
    assert (again, len(rows)) == (found, found["mutants"])


@pytest.mark.parametrize(
    ("kind", "text"), [("digit", "x+12"), ("sign", "x - 1"), ("function", r"\sin x"), ("member", "(1, 2)")]
)
def test_a_mutant_changes_one_thing_and_is_the_same_in_every_run(mutants, kind, text):
    """The four kinds of changes."""
    one, again = (mutants.KINDS[kind](text, mutants.chooser("seed")) for _ in range(2))
    assert one == again != text


# ---------------------------------------------------------------- what is read


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asdiv", "carp_en", "college_math", "gaokao2023en", "minerva_math"])
def test_at_most_two_percent_of_the_references_are_unreadable(unread, name):
    """Broken ones are not counted, and are few."""
    count = Counter(row[0] for row in unread.readings(DATA, name))
    counted = count.total() - count["broken"]
    assert count["unreadable"] <= 0.02 * counted
    assert count["broken"] < 0.01 * count.total()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("15 (balls)", "maths"),
        ("all real numbers", "words"),
        ("min at $x=1$", "note"),
        ("", "broken"),
        ("$x+$", "broken"),
        ("5 4.6", "unreadable"),
    ],
)
def test_kinds_of_references(unread, text, kind):
    """What the script says of one."""
    assert unread.reading(text)[0] == kind
