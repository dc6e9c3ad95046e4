"""`Fuse`: what the aggregator reads, how often it is asked, and what answers where it does not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit import Budget, ConfigError, Model, Params
from searchkit.calls import CallError, Request
from searchkit.generators import Simulated
from searchkit.strategies import Fuse, Rounds
from searchkit.testing import Counting, Scripted
from searchkit.verifiers import PairwiseJudge, Predicate
from tests.helpers.judges import fences
from tests.strategies.ensembles.speaking import run


class Aggregator:
    """Writes "fused <n>" and keeps what it has read."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, request: Request) -> str:
        self.asked.append(request.prompt.text)
        return f"fused {len(self.asked)}"

    def read(self, call: int) -> list[str]:
        """What stood between fences in a prompt."""
        [inside] = fences(self.asked[call])[1]
        return fences(inside)[1]


def numbered(n: int) -> tuple[Model, ...]:
    return tuple(Model(Scripted(lambda request, i=i: f"answer {i}")) for i in range(n))


def fused(n: int, fuse: Any, **options: Any) -> tuple[Any, Aggregator]:
    aggregator = Aggregator()
    strategy = Rounds(numbered(n), rounds=1, combine=fuse, **options)
    return run(strategy, aggregator)[0], aggregator


@given(st.integers(1, 12), st.one_of(st.none(), st.integers(2, 6)))
def test_each_answer_is_read_once_and_the_calls_are_as_many_as_said(n: int, window: int | None) -> None:
    fuse = Fuse(window=window)
    result, aggregator = fused(n, fuse)
    assert len(aggregator.asked) == fuse.calls(n) == result.usage.generations - n
    read = [text for call in range(len(aggregator.asked)) for text in aggregator.read(call)]
    assert sorted(text for text in read if text.startswith("answer")) == sorted(f"answer {i}" for i in range(n))
    assert [text for text in read if text.startswith("fused")] == [
        f"fused {i}" for i in range(1, len(aggregator.asked))
    ]
    assert all(len(aggregator.read(call)) <= (window or n) for call in range(len(aggregator.asked)))
    assert result.answer == f"fused {len(aggregator.asked)}"


def test_the_order_is_drawn_by_the_seed() -> None:
    def order(seed: int) -> list[str]:
        aggregator = Aggregator()
        run(Rounds(numbered(5), rounds=1, combine=Fuse()), aggregator, seed=seed)
        return aggregator.read(0)

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) > 12
    first = [order(seed)[0] for seed in range(60)]
    assert all(first.count(f"answer {i}") > 3 for i in range(5))


def test_the_best_are_kept() -> None:
    good = Predicate(lambda text: int(text[-1]) % 4 / 4, name="good")
    _, aggregator = fused(8, Fuse(keep=3), verifier=good)
    assert set(aggregator.read(0)) == {"answer 3", "answer 7", "answer 2"}


def test_llm_blender_ranks_by_all_pairs_and_fuses_the_best_three() -> None:
    """n proposals, n(n - 1) comparisons, one fusion; on a cycle all are equal, whatever their order."""

    def prefer(first: int, second: int) -> str:
        return "A" if (first, second) in {(0, 1), (1, 2), (2, 0)} or (first < 3 <= second) else "B"

    def reply(request: Request) -> str:
        question, shown = fences(request.prompt.text)
        if "Which answer is better" in question:
            one, two = (int(text[-1]) for text in shown)
            return json.dumps({"reasoning": "", "better": prefer(one, two)})
        return "fused"

    for names in ((0, 1, 2, 3, 4), (4, 2, 0, 3, 1), (1, 3, 0, 4, 2)):
        models = tuple(Model(Scripted(lambda request, i=i: f"answer {i}")) for i in names)
        aggregator = Aggregator()
        backend = Counting(Scripted(reply))
        blender = Rounds(
            models, rounds=1, verifier=PairwiseJudge(generator=Model(backend)),
            combine=Fuse(keep=3, aggregator=Model(Scripted(aggregator))),
        )  # fmt: skip
        result, _ = run(blender)
        assert backend.calls == 5 * 4
        assert result.answer == "fused 1"
        assert set(aggregator.read(0)) == {"answer 0", "answer 1", "answer 2"}


def test_answers_that_were_cut_off_are_read_only_if_all_were() -> None:
    whole = Model(Scripted(lambda request: "whole"))
    cut = Model(Scripted(lambda request: "cut off"), Params(max_tokens=1))
    aggregator = Aggregator()
    run(Rounds((cut, whole), rounds=1, combine=Fuse()), aggregator)
    assert aggregator.read(0) == ["whole"]
    run(Rounds((cut, cut), rounds=1, combine=Fuse()), aggregator)
    assert aggregator.read(1) == ["cut", "cut"]


def test_long_answers_are_cut_to_equal_parts() -> None:
    models = tuple(Model(Scripted(lambda request, i=i: str(i) * 9_000)) for i in range(3))
    aggregator = Aggregator()
    run(Rounds(models, rounds=1, combine=Fuse(workspace=600)), aggregator)
    assert [len(text) for text in aggregator.read(0)] == [200] * 3


def test_where_nothing_is_written_a_rule_chooses() -> None:
    """It failed, or was cut off in the middle; the failure is told."""

    def gone(request: Request) -> str:
        raise CallError("gone")

    models = tuple(Model(Scripted(lambda request, a=a: a)) for a in ("5", "6", "6"))
    cut = Model(Scripted(lambda request: "7 and"), Params(max_tokens=1))
    for aggregator, errors in ((Model(Scripted(gone)), 1), (cut, 0)):
        result, _ = run(Rounds(models, rounds=1, combine=Fuse(aggregator=aggregator)))
        assert (result.answer, len(result.errors)) == ("6", errors)


@pytest.mark.parametrize("blank", ["", " \n", "<think>hm</think>", "<think>cut off", "<think>a</think>\n\n"])
@pytest.mark.parametrize("window", [None, 2])
def test_what_says_nothing_takes_the_place_of_no_answer(blank: str, window: int | None) -> None:
    """Nor, in a window, of those that were to be written together: a rule chooses among all; the failure is told."""
    result, calls = run(Rounds(numbered(3), rounds=1, combine=Fuse(window=window)), lambda request: blank)
    assert (result.answer, len(result.errors), calls) == ("answer 0", 1, 1)


def test_its_own_call_is_kept_of_a_budget() -> None:
    """Six agents cannot spend what the aggregator needs."""
    for most in (2, 3, 6, 7):
        aggregator = Aggregator()
        result, _ = run(Rounds(numbered(6), rounds=1, combine=Fuse()), aggregator, budget=Budget(generations=most))
        assert (result.answer, len(aggregator.read(0))) == ("fused 1", most - 1)


def test_a_mixture_of_agents_costs_the_sum_of_its_layers_and_one() -> None:
    for layers in (1, 2, 3):
        mixture = Rounds((None,) * 6, rounds=layers, combine=Fuse())
        result, calls = run(mixture, Simulated({"5": 0.5, "6": 0.5}))
        assert result.usage.generations == calls == 6 * layers + 1 == (mixture.counts() or (0, 0))[0]


def test_the_aggregator_sees_the_last_layer_alone() -> None:
    aggregator = Aggregator()
    run(Rounds((None,) * 2, rounds=2, combine=Fuse()), aggregator)
    assert sorted(aggregator.read(4)) == ["fused 3", "fused 4"]
    assert not re.search("fused [12]\\b", aggregator.asked[4])


def test_mistakes_are_named() -> None:
    for wrong in (
        {"keep": 0}, {"window": 1}, {"window": 2.5}, {"workspace": 3}, {"template": "{task}"}, {"otherwise": "vote"},
        {"aggregator": len},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            Fuse(**wrong)  # type: ignore[arg-type]
