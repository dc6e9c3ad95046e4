"""Which records a problem's material gives, against tables worked out by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from searchkit.errors import ConfigError
from searchkit.export import Groups, Keep, Pairs, Siblings, Tasks, Traces, Verdicts, advantages
from searchkit.export.keep import is_validation
from searchkit.types import Prompt
from tests.export.made import PROBLEM, known, material, trajectory


def texts(records):
    return [record.text for record in records]


def made(recipe, given):
    dropped = Counter()
    return list(recipe.records(given, dropped)), {why: n for why, n in dropped.items() if n}


def test_traces_are_right_whole_and_once():
    """What is wrong, unknown, cut off, empty or written before is left out, and counted."""
    given = material(
        trajectory("9", True), trajectory(" 9\n", True), trajectory("8", False), trajectory("7"),
        trajectory("nine", True, whole=False), trajectory(" \n", True),
    )  # fmt: skip
    found, dropped = made(Traces(), given)
    assert texts(found) == ["9"]
    assert dropped == {"cut off or empty": 2, "written before": 1, "wrong": 1, "unknown": 1}


def test_a_text_that_was_called_right_and_wrong_is_neither():
    """An answer that can be read in two ways is unknown."""
    given = material(trajectory("9", True), trajectory("9", False), trajectory("8", False))
    assert made(Traces(), given)[0] == []
    assert made(Pairs(), given)[0] == []
    assert texts(made(Verdicts(), given)[0]) == ["8"]


def test_traces_by_score_where_nothing_says_what_is_right():
    """The bar itself is reached."""
    given = material(trajectory("a", score=0.5), trajectory("b", score=0.4), trajectory("c"))
    assert texts(made(Traces(at_least=0.5), given)[0]) == ["a"]


def test_pairs_are_the_best_and_the_worst_or_all_right_against_all_wrong():
    """Two right and two wrong: one pair, or four."""
    given = material(*(trajectory(str(i), i < 2) for i in range(4)))
    [pair], _ = made(Pairs(), given)
    assert (pair.chosen, pair.rejected, pair.margin) == ("0", "3", 1.0)
    every, _ = made(Pairs(every=True), given)
    assert {(p.chosen, p.rejected) for p in every} == {("0", "2"), ("0", "3"), ("1", "2"), ("1", "3")}


def test_a_margin_below_the_bar_is_left_out_with_its_share():
    """Scores 3, 2, 0: of three pairs one differs by 1, below 1.5."""
    given = material(trajectory("a", score=3.0), trajectory("b", score=2.0), trajectory("c", score=0.0))
    found, dropped = made(Pairs(1.5, every=True), given)
    assert [(p.chosen, p.rejected, p.margin) for p in found] == [("a", "c", 3.0), ("b", "c", 2.0)]
    assert (dropped["pairs"], dropped["margin below the bar"]) == (3, 1)


def test_a_score_is_never_held_against_a_verdict():
    """7 is no better than right: what has no verdict is left out where others have one."""
    given = material(trajectory("a", True), trajectory("b", score=7.0), trajectory("c", False))
    assert [(p.chosen, p.rejected) for p in made(Pairs(every=True), given)[0]] == [("a", "c")]


@pytest.mark.parametrize("right", [True, False])
def test_equal_answers_make_no_pair(right):
    """All right or all wrong: there is nothing to prefer."""
    assert made(Pairs(every=True), material(trajectory("a", right), trajectory("b", right)))[0] == []


def test_siblings_share_their_prefix_and_carry_their_margin():
    """The known tree: a over b by 2/3 at the root, below a the right end over the wrong one by 1."""
    found, _ = made(Siblings(), known())
    assert [(p.prefix, p.chosen, p.rejected, round(p.margin, 3)) for p in found] == [
        ("", "2+3=5\n", "2+3=6\n", 0.667),
        ("2+3=5\n", "5+4=9.\n", "5+4=8\n", 1.0),
    ]
    assert (found[1].origin.path, found[1].other.path, found[1].origin.licence) == ("0/1/4", "0/1/5", "MIT")


def test_siblings_opposed_are_every_child_above_zero_against_every_one_below():
    """CPL's rule with its own zero: of 1, 1, 0 around 0.5 two pairs."""
    found, _ = made(Siblings(opposed=True, zero=0.5), known())
    assert [(p.chosen, p.rejected) for p in found[1:]] == [("5+4=9.\n", "5+4=8\n"), ("5+4=9\n", "5+4=8\n")]


def test_an_infinite_margin_gives_no_pairs():
    """Agent Q's theta."""
    assert made(Siblings(float("inf")), known())[0] == []


def test_verdicts_balanced_have_as_many_right_as_wrong():
    """The first ones of each side."""
    given = material(trajectory("a", True), *(trajectory(t, False) for t in "bcd"), trajectory("e"))
    found, dropped = made(Verdicts(balanced=True), given)
    assert [(one.text, one.label) for one in found] == [("a", True), ("b", False)]
    assert dropped == {"beyond the balance": 2, "unknown": 1}


def test_advantages_are_those_of_grpo():
    """Sum 0; with rewards 1, 0, 0, 0 the deviation of the sample is 0.5."""
    assert advantages([1, 0, 0, 0]) == pytest.approx([0.75 / 0.5001, *[-0.25 / 0.5001] * 3])
    assert advantages([1, 0, 0, 0], scaled=False) == [0.75, -0.25, -0.25, -0.25]
    with pytest.raises(ConfigError, match="at least two"):
        advantages([1.0])


def test_groups_without_a_difference_are_counted_not_written():
    """They have no gradient, and are to be refilled."""
    assert made(Groups(), material(trajectory("a", True), trajectory("b", True))) == (
        [],
        {"group whose rewards are equal": 1},
    )
    assert made(Groups(), material(trajectory("a", True))) == ([], {"group of one": 1})


def test_groups_of_a_tree_are_siblings_with_q_minus_the_mean():
    """Unscaled, the advantage of a step is Q(s, a) - mean Q; equal samples stay in a group of answers."""
    found, _ = made(Groups(scaled=False), known())
    assert found[0].advantages == pytest.approx((1 / 3, -1 / 3))
    assert (found[1].prefix, found[1].rewards) == ("2+3=5\n", (1.0, 1.0, 0.0))
    [group], _ = made(
        Groups(scaled=False), material(trajectory("9", True), trajectory("9", True), trajectory("8", False))
    )
    assert group.texts == ("9", "9", "8")


def test_a_task_says_how_often_it_was_solved():
    """Of the known ones."""
    [task], _ = made(Tasks(), material(trajectory("a", True), trajectory("b", False), trajectory("c")))
    assert (task.solved, task.reference) == (0.5, "9")


@pytest.mark.parametrize("wrong", [-1, float("nan"), "1", True])
def test_a_margin_is_a_number(wrong):
    """At construction, before anything is read."""
    with pytest.raises(ConfigError, match="margin"):
        Pairs(wrong)


def test_difficulty_is_the_share_that_is_right():
    """Half: kept between 0.2 and 0.8, not between 0.6 and 1; unknown is outside as soon as it matters."""
    half = material(trajectory("a", True), trajectory("b", False))
    assert Keep(easiest=0.8, hardest=0.2).takes(half, Counter())
    assert not Keep(hardest=0.6).takes(half, Counter())
    assert Keep().takes(material(trajectory("c")), Counter())
    assert not Keep(easiest=0.9).takes(material(trajectory("c")), Counter())
    with pytest.raises(ConfigError):
        Keep(easiest=0.1, hardest=0.2)


def test_a_split_knows_a_problem_again_however_it_is_spelt():
    """The same side for all spellings, and about the share that was asked for."""
    spelt = ["What is $2 + 3$?", "what is 2+3", "What  is \\; 2 + 3 ?"]
    for share in (0.1, 0.5, 0.9):
        assert len({is_validation(Prompt.of(text), share) for text in spelt}) == 1
    sides = [is_validation(Prompt.of(f"What is {i} + 3?"), 0.2) for i in range(2000)]
    assert 0.16 < sum(sides) / 2000 < 0.24
    assert not any(is_validation(Prompt.of(f"{i}"), 0.0) for i in range(100))


def test_the_problem_is_the_one_of_the_tests():
    """Its reference reaches the rows of trainers that check answers themselves."""
    assert PROBLEM.reference == "9"
