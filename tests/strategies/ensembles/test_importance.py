"""`importance`: a table that can be checked by hand, and what must hold of any."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit import ConfigError
from searchkit.strategies import BestOfN, Rounds, importance
from searchkit.strategies.ensembles.table import Spoken, Table
from searchkit.testing.strategies import LengthScore
from searchkit.tree import Tree
from searchkit.types import Sample
from tests.strategies.ensembles.speaking import run


def told(rounds: Sequence[Sequence[tuple[str, Mapping[int, float]]]]) -> Tree:
    """A tree of rounds in which everybody sees all: of each agent its answer, and its ratings of the round before."""
    table = Table()
    for number, said in enumerate(rounds):
        saw = tuple(table.last[agent] for agent in sorted(table.last))
        for agent, (answer, rated) in enumerate(said):
            text = f"{answer} " + " ".join(f"[{other}:{rating}]" for other, rating in rated.items())
            table.add(Spoken(agent, number, Sample(text), saw))
    return table.tree


def rates(sample: Sample[Any]) -> dict[int, float]:
    return {int(agent): float(rating) for agent, rating in re.findall(r"\[(\d+):([-+.e\d]+)\]", sample.text)}


def first(text: str) -> str | None:
    return text.split()[0] if text.split()[0] != "?" else None


def test_by_hand() -> None:
    """Agents 0 and 2 gave the answer and share 1; what each has goes back by its ratings."""
    tree = told([
        [("a", {}), ("b", {}), ("c", {})],
        [("a", {0: 0.8, 1: 0.2, 2: 0.0}), ("b", {0: 1.0}), ("a", {1: 0.5, 2: 0.5})],
    ])  # fmt: skip
    found = importance(tree, "a", rates, first)
    assert found[1] == [0.5, 0.0, 0.5]
    assert found[0] == pytest.approx([0.4, 0.1 + 0.25, 0.25])


ratings = st.floats(-2, 3, allow_nan=False)
answers = st.sampled_from(["a", "b", "?"])
tables = st.integers(1, 4).flatmap(
    lambda n: st.lists(
        st.lists(st.tuples(answers, st.dictionaries(st.integers(0, n - 1), ratings)), min_size=n, max_size=n),
        min_size=1, max_size=4,
    )
)  # fmt: skip


@given(tables)
def test_each_round_sums_to_one_or_nobody_gave_the_answer(rounds: Any) -> None:
    """Ratings beyond [0, 1] are cut, none is negative, and an answer that cannot be read is nobody's."""
    tree = told(rounds)
    gave = [answer for answer, _ in rounds[-1]]
    for answer in ("a", "?"):
        found = importance(tree, answer, rates, first)
        expected = 1.0 if answer == "a" and "a" in gave else 0.0
        assert [sum(row) for row in found] == pytest.approx([expected] * len(rounds))
        assert all(worth >= 0 for row in found for worth in row)


def test_ratings_of_zero_are_all_alike() -> None:
    tree = told([[("a", {}), ("b", {})], [("a", {0: 0.0, 1: 0.0}), ("b", {})]])
    assert importance(tree, "a", rates, first)[0] == [0.5, 0.5]


def test_of_a_search() -> None:
    """The better agent is worth more: all rate it higher, and it alone gives the answer."""
    result, _ = run(Rounds((None,) * 3, rounds=3, stop=1.0), lambda request: "5" if request.index % 3 else "6")
    found = importance(result.tree, result.answer, lambda sample: {1: 1.0})
    assert [len(row) for row in found] == [3, 3, 3]
    assert found[2] == [0.0, 0.5, 0.5]
    assert found[0] == [0.0, 1.0, 0.0]


def test_other_trees_have_none() -> None:
    result, _ = run(BestOfN(2, LengthScore()))
    with pytest.raises(ConfigError, match=r"result\.tree"):
        importance(result.tree, result.answer, rates)


def test_what_nobody_can_read_is_nobodys_and_rates_none() -> None:
    """Models write what is read here: one reply that a reader chokes on costs the others nothing."""

    def read(sample: Sample[Any]) -> dict[int, float]:
        return {int(agent): float(rating) for agent, rating in json.loads(sample.text.partition(" ")[2]).items()}

    def key(text: str) -> Any:
        return json.loads(text.partition(" ")[0])

    table = Table()
    for agent, text in enumerate(("1 {}", "2 {}")):
        table.add(Spoken(agent, 0, Sample(text)))
    for agent, text in enumerate(('1 {"0": 0.5}', "no json", "[1] {}", '1 {"0": null}', "1 [0, 1]")):
        table.add(Spoken(agent, 1, Sample(text), (1, 2)))
    found = importance(table.tree, "1 {}", read, key)
    assert found[1] == pytest.approx([1 / 3, 0, 0, 1 / 3, 1 / 3])
    assert found[0] == pytest.approx([1 / 3 + 1 / 6 + 1 / 6, 1 / 6 + 1 / 6, 0, 0, 0])
    assert sum(sum(importance(table.tree, answer, read, key)[1]) for answer in ("[1] {}", "?", None)) == 0


def test_a_reader_that_never_reads_is_told() -> None:
    result, _ = run(Rounds((None,) * 3))
    with pytest.raises(KeyError):
        importance(result.tree, result.answer, lambda sample: {}[0])  # type: ignore[var-annotated]
