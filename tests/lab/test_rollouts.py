"""Labelled rollouts: what is drawn, how it is labelled, and that a killed drawing goes on as if it had not been."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from searchkit.errors import ConfigError
from searchkit.generators import Embedded
from searchkit.lab import arithmetic, countdown
from searchkit.lab.arithmetic import Expression
from searchkit.lab.countdown import Countdown, Puzzle
from searchkit.lab.reward import lines
from searchkit.lab.rollouts import (
    Rollouts,
    Solution,
    draw,
    expression,
    extend,
    header,
    puzzle,
    read,
    reward_to_go,
)

POLICY = Embedded(threads=1)


def drawn(problems: range, samples: int = 8, split: str = "train", seed: int = 0) -> list[Rollouts]:
    return asyncio.run(draw("countdown", POLICY, problems, samples, split, seed))  # type: ignore[arg-type]


# --- labels ----------------------------------------------------------------------------------------------------------


def test_steps_end_behind_line_breaks_and_at_the_end_of_the_text() -> None:
    """Hand-made: finished lines, an unfinished one, blank ones, and nothing at all."""
    assert lines("ab\nc\n") == [3, 5]
    assert lines("ab\nc") == [3, 4]
    assert lines("\n\na") == [1, 2, 3]
    assert lines("") == [0]


def test_reward_to_go_is_the_share_of_right_samples_that_begin_alike() -> None:
    """Hand-checkable: six samples over two first steps; one text ends where others go on."""
    solutions = [
        Solution("a\nx\n", 2, True),
        Solution("a\ny\n", 1, False),
        Solution("a\n", 1, False),
        Solution("b\nx\n", 1, True),
        Solution("b\nx", 1, False),  # without its line break it is another step
    ]
    assert reward_to_go(solutions) == {
        "a\n": (2, 4),
        "a\nx\n": (2, 2),
        "a\ny\n": (0, 1),
        "b\n": (1, 2),
        "b\nx\n": (1, 1),
        "b\nx": (0, 1),
    }


def test_labels_are_the_checkers_and_nothing_is_lost() -> None:
    """Every text is labelled as the checker says; the counts of a problem add up; both labels occur."""
    found = drawn(range(12), samples=16)
    labels = set()
    for problem in found:
        assert sum(s.count for s in problem.solutions) == 16
        assert len({s.text for s in problem.solutions}) == len(problem.solutions)
        for s in problem.solutions:
            assert s.right == (countdown.check(Puzzle.parse(problem.prompt), s.text) == "")
            labels.add(s.right)
    assert labels == {True, False}


def test_first_steps_share_out_all_samples() -> None:
    """Over the first steps of a problem, samples and right samples add up to all there are."""
    for problem in drawn(range(4), samples=16):
        chance = reward_to_go(problem.solutions)
        first = {s.text[: lines(s.text)[0]] for s in problem.solutions}
        right, seen = (sum(chance[prefix][i] for prefix in first) for i in (0, 1))
        assert seen == 16
        assert right == sum(s.count for s in problem.solutions if s.right)


# --- problems --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_puzzles_are_solvable_and_of_the_split(split: str) -> None:
    """By enumeration of all solutions."""
    for seed in range(5):
        found = puzzle(random.Random(seed), split)  # type: ignore[arg-type]
        assert found.split == split
        assert countdown.solutions(found, Countdown().max_value)


def test_a_training_expression_meets_no_held_out_one_on_its_way() -> None:
    """By enumeration of all reductions: no line with three numbers or more is in the dev or test split."""
    longest = 0
    for seed in range(60):
        found = expression(random.Random(seed), "train")
        assert found.split == "train"
        for path in arithmetic.solutions(found):
            for line in path[:-2]:  # the last two lines have two numbers and one
                assert Expression.parse(line).split == "train"
            longest = max(longest, len(path))
        assert expression(random.Random(seed), "test").split == "test"
    assert longest == 5


def test_a_problem_depends_on_its_number_alone() -> None:
    """Problems 3 and 4 are the same drawn alone and among others; other seeds, splits and tasks give others."""
    assert drawn(range(3, 5)) == drawn(range(6))[3:5]
    prompts = [{r.prompt for r in drawn(range(4), 1, s, n)} for s, n in [("train", 0), ("train", 1), ("dev", 0)]]
    assert not prompts[0] & prompts[1]
    assert not prompts[0] & prompts[2]


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_killed_drawing_goes_on_behind_the_last_whole_line(tmp_path: Path) -> None:
    """Cut at any byte, the file becomes what it would have been, and grows by asking for more; read skips the stump."""
    path = tmp_path / "deep" / "rollouts.jsonl"
    asyncio.run(extend(path, "countdown", POLICY, 6, 2))
    whole = path.read_bytes()
    head, found = read(path)
    assert head == header("countdown", POLICY.name, 2)
    assert found == drawn(range(6), 2)
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        if cut > len(json.dumps(head)):
            assert read(path)[1] == found[: len(read(path)[1])]
        asyncio.run(extend(path, "countdown", POLICY, 6, 2))
        assert path.read_bytes() == whole
    asyncio.run(extend(path, "countdown", POLICY, 4, 2))  # never shorter
    assert path.read_bytes() == whole
    asyncio.run(extend(path, "countdown", POLICY, 70, 2))  # over the edge of several blocks
    assert path.read_bytes().startswith(whole)
    assert read(path)[1] == drawn(range(70), 2)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    """Other settings cannot be mixed into a file; what is no file of rollouts is not read."""
    path = tmp_path / "rollouts.jsonl"
    asyncio.run(extend(path, "countdown", POLICY, 1, 2))
    for samples, seed in [(3, 0), (2, 1)]:
        with pytest.raises(ConfigError, match="other settings"):
            asyncio.run(extend(path, "countdown", POLICY, 1, samples, seed))
    for content in ["", "[1]\n", "{}\n", '{"searchkit_rollouts": 99}\n', "no json\n"]:
        path.write_text(content)
        with pytest.raises(ConfigError, match=r"searchkit\.lab\.rollouts"):
            read(path)
    with pytest.raises(ConfigError, match="missing"):
        read(tmp_path / "nothing")
