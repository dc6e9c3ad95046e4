"""`GraphOfThoughts`: what is asked of whom, what it costs, who the parents are, and what is left where it fails."""

from __future__ import annotations

import asyncio
import pickle
import re
from collections.abc import Sequence
from typing import Any

import pytest

from searchkit import Budget, ConfigError, Message, Model, Prompt, Result, Strategy, solve
from searchkit.calls import CallError, Request
from searchkit.errors import BudgetExhausted
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN, Fuse, GraphOfThoughts, Rounds, SelfConsistency, Vote
from searchkit.strategies.spawn_join.operations import Thought
from searchkit.testing import Counting, Scripted, StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.types import Text, Usage
from searchkit.verifiers import Predicate
from searchkit.views import dot, mermaid, text
from tests.helpers.judges import fences

SORT = "Sort:\n{thought}"
MERGE = "Merge\n{thoughts}"


def halves(text: str) -> list[str]:
    found = numbers(text)
    return [" ".join(map(str, part)) for part in (found[: len(found) // 2], found[len(found) // 2 :])]


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def ordered(prompt: Prompt, text: str) -> float:
    """1 for the numbers of the task in their order."""
    return float(numbers(text) == sorted(numbers(prompt.text)))


def sorter(request: Request) -> str:
    """Sorts what it is given, every third time the wrong way round."""
    text = request.prompt.text
    found = numbers(" ".join(fences(text)[1]) if "`" in text else text)
    if text.startswith("Merge"):
        found = [n for part in re.findall(r"```\n([\d ]+)\n```", text) for n in numbers(part)]
    return " ".join(map(str, sorted(found, reverse=request.seed % 3 == 0)))


GOOD = Predicate(ordered, name="ordered")
SORTER = GraphOfThoughts().split(halves, 2).write(3, SORT).score(GOOD).keep(1).merge(4, MERGE).score(GOOD).keep(1)
TASK = "9 3 8 1 7 2 6 5"


def run(strategy: Strategy, reply: Any = sorter, task: Any = TASK, **options: Any) -> tuple[Result[Any], int]:
    backend = Counting(reply if hasattr(reply, "complete") else Scripted(reply))
    result = asyncio.run(solve(task, strategy, generator=Model(backend), **options))
    assert result.paid.model_calls == backend.calls
    return result, backend.calls


def thoughts(result: Result[Any]) -> list[Thought]:
    assert result.tree is not None
    found: list[Thought] = result.tree.state[1:]
    return found


def test_one_operation_is_the_model_and_more_of_it_self_consistency() -> None:
    asked = list[str]()

    def reply(request: Request) -> str:
        asked.append(request.prompt.text)
        return "7"

    assert run(GraphOfThoughts().write(), reply)[1] == 1
    assert asked == [TASK]
    answers = Simulated({"5": 0.4, "6": 0.3, "7": 0.3})
    for seed in range(4):
        result, calls = run(GraphOfThoughts(select=Vote()).write(5), answers, seed=seed)
        votes = [one.sample.text for one in result.candidates]
        assert (calls, votes.count(result.answer)) == (5, max(map(votes.count, votes)))


def test_it_sorts_by_halves() -> None:
    right = 0
    for seed in range(6):
        result, calls = run(SORTER, seed=seed)
        assert calls == 2 * 3 + 4 == (SORTER.counts() or (0, 0))[0] == result.usage.generations
        assert result.usage.verifications == 6 + 4 == (SORTER.counts() or (0, 0))[1]
        right += numbers(result.answer) == sorted(numbers(TASK))
    assert right >= 5


def test_thoughts_keep_their_parents_and_parents_answers_are_passed_on() -> None:
    """MindSearch's planner loses them: every merge has read what its parents say."""
    asked = dict[str, list[str]]()

    def reply(request: Request) -> str:
        said = sorter(request)
        asked.setdefault(said, []).append(request.prompt.text)
        return said

    result, _ = run(SORTER, reply)
    found = thoughts(result)
    merges = [thought for thought in found if thought.how == "merge"]
    assert len(merges) == 4
    for merge in merges:
        assert [parent.how for parent in merge.parents] == ["write", "write"]
        assert any(all(parent.text in prompt for parent in merge.parents) for prompt in asked[merge.text])
        assert result.tree is not None
        assert result.tree.parent[merge.node] == merge.parents[0].node
        assert result.tree.joined[merge.node] == (merge.parents[1].node,)
    assert [t.how for t in found] == ["part", "write", "write", "write"] * 2 + ["merge"] * 4


def test_it_is_drawn() -> None:
    tree = run(SORTER)[0].tree
    assert tree is not None
    merge, other = next(iter(tree.joined.items()))
    assert f"n{other[0]} --> n{merge}" in mermaid(tree)
    assert f"n{other[0]} -> n{merge}" in dot(tree)
    assert "made from 2" in text(tree)
    assert (other[0], merge) in tree.to_networkx().edges
    assert type(tree).from_json(tree.to_json()).joined == tree.joined


def test_a_part_is_asked_as_a_task_of_its_own() -> None:
    """In place of the task; what else the conversation holds stays, braces too."""
    asked = list[Prompt]()

    def reply(request: Request) -> str:
        asked.append(request.prompt)
        return "x"

    task = Prompt((Message("system", (Text("Be brief."),)), Message("user", (Text("a {0}; b {x}"),))))
    run(GraphOfThoughts().split(lambda text: text.split("; ")).write().merge(1, "\n".join), reply, task)
    assert sorted([message.text for message in prompt.messages] for prompt in asked) == [
        ["Be brief.", "a {0}"], ["Be brief.", "b {x}"],
    ]  # fmt: skip


def test_the_best_that_is_kept_is_as_good_as_any() -> None:
    """Also after refining: what a thought was made from is still there."""
    worse = GraphOfThoughts().write(3).score(LengthScore()).refine(2).score(LengthScore()).keep(1)
    for seed in range(6):
        result, _ = run(worse, lambda request: f"draft {request.seed % 1000}", seed=seed)
        scores = [thought.verdict.value or 0.0 for thought in thoughts(result)]
        assert len(scores) == 3 + 6
        best = next(t for t in thoughts(result) if t.text == result.answer)
        assert best.verdict.value == max(scores)


def test_refining_shows_the_attempt_and_what_was_thought_of_it() -> None:
    def judge(text: str) -> Any:
        from searchkit import Verdict

        return Verdict(0.1, feedback="the 7 is missing")

    asked = list[str]()

    def reply(request: Request) -> str:
        asked.append(request.prompt.text)
        return "123"

    run(GraphOfThoughts().write().score(Predicate(judge, name="judge")).refine(), reply)
    assert "```\n123\n```" in asked[1]
    assert "```\nthe 7 is missing\n```" in asked[1]
    assert TASK in asked[1]


def test_splits_nest() -> None:
    """Quarters are merged to halves, and those to the whole: 4 sorts, 2 + 1 merges, in sequence three calls."""
    nested = GraphOfThoughts().split(halves, 2).split(halves, 2).write(1, SORT).merge(1, MERGE).merge(1, MERGE)
    result, calls = run(nested, Scripted(lambda r: " ".join(map(str, sorted(numbers(_given(r)))))))
    assert calls == 7 == (nested.counts() or (0, 0))[0]
    assert numbers(result.answer) == sorted(numbers(TASK))


def _given(request: Request) -> str:
    return " ".join(re.findall(r"```\n([\d ]+)\n```", request.prompt.text))


def test_a_split_that_finds_nothing_has_the_whole_as_its_part() -> None:
    """Skeleton-of-thought: an outline without points is no empty answer."""

    def points(outline: str) -> list[str]:
        return re.findall(r"^\d+\. (.*)$", outline, re.MULTILINE)

    skeleton = (
        GraphOfThoughts().write(1, "{task}\nGive an outline.").split(points)
        .write(1, "{task}\nOutline:\n{whole}\nWrite this point:\n{thought}").merge(1, "\n".join)
    )  # fmt: skip

    def reply(request: Request) -> str:
        asked = request.prompt.text
        if "Give an outline" in asked:
            return "1. first\n2. second\n2. again" if "good" in asked else "no points"
        assert "Outline:\n```\n" in asked
        return "on " + fences(asked)[1][1]

    result, calls = run(skeleton, reply, "a good question")
    assert (result.answer, calls) == ("on first\non second\non again", 4)
    result, calls = run(skeleton, reply, "a bad question")
    assert (result.answer, calls) == ("on no points", 2)


def test_too_many_parts_are_left_out_and_told() -> None:
    many = GraphOfThoughts().split(lambda text: list(text.split()), 3).write().merge(1, " ".join)
    result, calls = run(many, lambda request: request.prompt.text)
    assert (result.answer, calls) == ("9 3 8", 3)
    assert "5 more parts" in str(result.errors[0])


def test_plans_first_and_a_share_of_the_samples_under_each() -> None:
    asked = list[str]()

    def reply(request: Request) -> str:
        asked.append(request.prompt.text)
        return "plan" if "Make a plan" in request.prompt.text else f"answer {request.seed % 2}"

    plans = GraphOfThoughts(select=Vote()).write(3, "{task}\nMake a plan.").write(4, "{task}\nFollow:\n{thought}")
    result, calls = run(plans, reply)
    assert calls == 3 + 12 == (plans.counts() or (0, 0))[0]
    assert sum("Follow" in text for text in asked) == 12
    assert len(result.candidates) == 12  # a plan is no answer


def test_a_part_that_fails_is_named() -> None:
    """To the merge; a function that cannot be told is not asked, and what there is is marked as cut off."""
    merged = list[str]()

    def reply(request: Request) -> str:
        if "Merge" in request.prompt.text:
            merged.append(request.prompt.text)
            return "merged"
        if "9 3" in request.prompt.text:
            raise CallError("gone")
        return "part"

    result, _ = run(SORTER, reply)
    assert "(nothing: the call failed (other))" in merged[0] or "(nothing: the call failed" in merged[0]
    assert result.answer == "merged"
    joined = GraphOfThoughts().split(halves, 2).write(1, SORT).merge(1, "\n".join)
    result, _ = run(joined, reply)
    assert result.errors
    assert result.candidates[-1].sample.truncated

    def gone(request: Request) -> str:
        raise CallError("gone")

    with pytest.raises(CallError):
        run(GraphOfThoughts().write(2), gone)


@pytest.mark.parametrize("most", range(1, 12))
def test_under_a_budget_there_is_an_answer(most: int) -> None:
    """What the merge may cost is kept for it, where anything is left then; what is written last is no answer yet."""
    result, calls = run(SORTER, budget=Budget(generations=most))
    assert calls == min(most, 10)
    assert result.stopped == ("done" if most >= 10 else "budget")
    found = [thought for thought in thoughts(result) if thought.how != "part"]
    whole = any(thought.how == "merge" for thought in found)
    assert whole == (most >= 1 + 4)  # four for the merge, one at least for the parts, who are named where they failed
    assert any(c.sample.text == result.answer and c.sample.truncated != whole for c in result.candidates)
    assert whole or result.answer == found[-1].text


def test_where_nothing_is_written_there_is_no_answer() -> None:
    """A part of the task is none."""
    for budget in (Budget(generations=0), Budget(seconds=0.0)):
        with pytest.raises(BudgetExhausted):
            run(SORTER, budget=budget)


def test_what_a_function_returns_is_looked_at() -> None:
    """One that splits returns parts, of which empty ones are left out, and one that merges a text."""
    parts: Any
    for parts in ("abc", None, 5):
        with pytest.raises(ConfigError, match="parts"):
            run(GraphOfThoughts().split(lambda text, parts=parts: parts).write().merge(1, "\n".join))
    merged: Any
    for merged in (None, ["a"], 5):
        with pytest.raises(ConfigError, match="text"):
            run(GraphOfThoughts().split(halves).write().merge(1, lambda texts, merged=merged: merged))
    assert run(GraphOfThoughts().split(lambda text: ["a", " ", ""]).write().merge(1, "\n".join))[1] == 1
    late = GraphOfThoughts().write().split(lambda text: [str(1 // 0)]).write().merge(1, "\n".join)
    result, _ = run(late)
    assert result.candidates[-1].sample.truncated
    assert "ZeroDivisionError" in repr(result.errors)


def test_what_is_nested_costs_what_it_says() -> None:
    inner = SelfConsistency(3)
    graph = GraphOfThoughts(generator=inner).split(halves, 2).write(2, SORT, by=BestOfN(4, GOOD)).merge(1, MERGE)
    assert graph.worst_case(Usage(generations=1)) == Usage(generations=4 * 4 + 3, verifications=16)
    assert run(graph)[1] == 19
    assert pickle.loads(pickle.dumps(SORTER)) == SORTER


def test_mistakes_are_named() -> None:
    start = GraphOfThoughts()
    for wrong in (
        lambda: start.keep(1), lambda: start.merge(), lambda: start.score(GOOD), lambda: start.write(0),
        lambda: start.write(1, "{thoughts}"), lambda: start.write().refine(1, "{task}"), lambda: start.split("a"),  # type: ignore[arg-type]
        lambda: start.write().merge(1, "{task}"), lambda: start.write().score(len), lambda: start.write(by=len),  # type: ignore[arg-type]
        lambda: run(start), lambda: run(start.write().split(halves).write()), lambda: GraphOfThoughts(workspace=1),
        lambda: run(start.split(halves).write().keep(1)),
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            wrong()


# ---------------------------------------------------------------- laws


def words(text: str) -> Sequence[str]:
    return text.split()[:3]


class TestWrites(StrategyTests):
    def strategy(self) -> Strategy:
        return GraphOfThoughts().write(3).score(LengthScore()).keep(1).refine(2)

    def narrow(self) -> Strategy:
        return GraphOfThoughts().write()


class TestSplits(StrategyTests):
    def strategy(self) -> Strategy:
        return GraphOfThoughts().split(words, 3).write(2).score(LengthScore()).keep(1).merge(2)


class TestPlans(StrategyTests):
    def strategy(self) -> Strategy:
        return GraphOfThoughts(select=Vote()).write(2, "{task}\nPlan.").write(2, "{task}\n{thought}")


class TestPartsThatAreDebated(StrategyTests):
    """Each thought about a part is what a debate comes to; the parts are merged by a mixture."""

    def strategy(self) -> Strategy:
        debate, mixture = Rounds((None,) * 2), Rounds((None,) * 2, 1, combine=Fuse())
        return GraphOfThoughts().split(words, 2).write(1, by=debate).merge(1, by=mixture)


class TestDebateOfGraphs(StrategyTests):
    def strategy(self) -> Strategy:
        graph = GraphOfThoughts().write(2).score(LengthScore()).keep(1)
        return Rounds((graph, None), stop=1.0, combine=Fuse(aggregator=graph))
