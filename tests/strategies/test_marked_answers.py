"""What a search tree knows of the answer: the prompt at its root, the node of the chosen answer, words of verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import Budget, Model, Prompt, Run, solve_sync
from searchkit.strategies import (
    ABMCTS,
    DVTS,
    MCTS,
    AStar,
    BeamSearch,
    BestFirst,
    BestOfN,
    FilteredBestOfN,
    Refine,
    Rollout,
    TreeOfThoughts,
)
from searchkit.strategy import Strategy
from searchkit.testing import Scripted
from searchkit.tree import NO_PARENT, ROOT, Tree
from searchkit.types import Sample, Scored, Verdict
from searchkit.verifiers.predicate import Predicate
from searchkit.views import html
from tests.helpers.pages import Page
from tests.helpers.steps import STEPS, Worth, write

WORTH = Worth()
SEARCHES: dict[str, Strategy] = {
    "mcts": MCTS(WORTH, environment=STEPS, iterations=12),
    "merged": MCTS(WORTH, environment=STEPS, iterations=12, trees=3),
    "rollouts": MCTS(WORTH, environment=STEPS, iterations=6, evaluation=Rollout()),
    "best-first": BestFirst(WORTH, environment=STEPS, iterations=12),
    "beam": BeamSearch(6, 3, WORTH, environment=STEPS),
    "dvts": DVTS(6, 3, WORTH, environment=STEPS),
    "filtered": FilteredBestOfN(3, WORTH, 0.0, environment=STEPS),
    "thoughts": TreeOfThoughts(2, 3, WORTH, environment=STEPS),
    "ab-mcts": ABMCTS(WORTH, environment=STEPS, iterations=20),
    "a*": AStar(STEPS, width=3),
}


def where(tree: Tree) -> str:
    """The text that the node of the answer stands for."""
    return "".join(tree.text[node] for node in tree.path(tree.answer)[1:])


@pytest.mark.parametrize("name", SEARCHES)
def test_the_prompt_is_the_root_and_the_answer_is_marked(name: str) -> None:
    """The steps on the path are the answer; of a rollout they are how it begins."""
    result = write(SEARCHES[name])
    tree = result.tree
    assert tree is not None
    assert tree.text[ROOT] == "q"
    assert not result.sample.truncated
    assert tree.answer != NO_PARENT
    said = where(tree).replace("/", "")
    answer = result.answer.replace("/", "")
    assert answer.startswith(said) if name == "rollouts" else answer == said
    data = Page(html(tree)).data
    assert data["id"][data["answer"]] == tree.answer


@pytest.mark.parametrize("budget", [1, 2, 5])
def test_a_budget_that_binds_in_the_middle_marks_what_there_is(budget: int) -> None:
    """A path that was cut off is no answer; a finished one is."""
    for name in SEARCHES:
        result = write(SEARCHES[name], budget=Budget(generations=budget))
        assert result.tree is not None
        if result.tree.answer == NO_PARENT:
            assert result.sample.truncated or len(result.tree) == 1 or not result.tree.answers
        else:
            assert result.answer.replace("/", "").startswith(where(result.tree).replace("/", ""))


def test_a_search_in_a_search_shows_its_own_tree_or_none() -> None:
    """Best of two searches has no tree of its own: nothing to mark, and nothing fails."""
    result = write(BestOfN(2, Worth(), generator=SEARCHES["beam"]))
    assert result.tree is None or result.tree.answer in (NO_PARENT, *range(len(result.tree)))


@dataclass(frozen=True)
class Counted(Predicate):
    """Says how long a draft is; three letters pass."""

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [
            Verdict(min(len(one.text), 9) / 10, passed=len(one.text) > 2, feedback=f"<b>{len(one.text)}</b> letters")
            for one in samples
        ]


def test_what_verdicts_say_is_kept_with_the_draft() -> None:
    """A chain of drafts: feedback at each node, the accepted one marked, all of it in JSON and on the page."""
    numbers = iter(range(1, 9))
    model = Model(Scripted(lambda request: "x" * next(numbers)))
    result = solve_sync("the task", Refine(5, Counted(len, name="counted", range=(0, 1)), "accepted"), generator=model)
    tree = result.tree
    assert tree is not None
    assert (tree.text, tree.answer) == (["the task", "x", "xx", "xxx"], 3)
    assert tree.feedback == {n: f"<b>{n}</b> letters" for n in (1, 2, 3)}
    again = Tree.from_json(tree.to_json())
    assert (again.answer, again.feedback) == (tree.answer, tree.feedback)
    page = Page(html(tree))
    assert page.data["feedback"] == {str(n): said for n, said in tree.feedback.items()}
    assert page.data["answer"] == 3
    assert not [tag for tag, _ in page.elements if tag == "b"]


def test_a_tree_that_is_cut_keeps_the_way_to_its_answer() -> None:
    """However seldom it was visited; with room for less, its beginning."""
    tree = Tree(text="prompt")
    for _ in range(50):
        tree.backup(tree.add(ROOT, "visited"), 0.5)
    deep = tree.add(tree.add(ROOT, "seldom"), "deep", terminal=True)
    tree.keep(deep, Scored(Sample("deep")), answer=True)
    [(_, sample)] = tree.answers
    tree.choose(sample)
    for most in (1, 2, 3, 10):
        data = Page(html(tree, most=most)).data
        assert data["text"][:3] == ["prompt", "seldom", "deep"][:most] or most == 10
        assert (data["answer"] >= 0) == (most > 2)
    tree.choose(Sample("another"))
    assert tree.answer == NO_PARENT
