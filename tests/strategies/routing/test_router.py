"""Routers: who is asked, by fitted chances, by a callable, by the model itself, by pilots; and the laws."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from searchkit import (
    Budget,
    BudgetExhausted,
    CallError,
    ConfigError,
    Model,
    Params,
    Problem,
    Prompt,
    Result,
    solve_sync,
)
from searchkit.calls import Request
from searchkit.experiments import Entry, Pool, choices, compute_optimal
from searchkit.generators import Simulated
from searchkit.memory import ngrams
from searchkit.protocols import Run
from searchkit.strategies import BestOfN, Router, SelfConsistency, asking
from searchkit.strategies.routing.fitting import BUCKETS, features_of
from searchkit.strategies.routing.pilots import Pilots
from searchkit.strategy import Strategy
from searchkit.testing import Counting, Scripted, StrategyTests
from searchkit.testing.strategies import LengthScore
from searchkit.types import Usage
from searchkit.verifiers import Agreement, Predicate

ARMS = ("small", "large")


def says(text: str) -> Counting:
    return Counting(Scripted(lambda request: text))


def two(choose: Callable[..., Any], **options: Any) -> tuple[Router, list[Counting]]:
    backends = [says("41"), says("42")]
    return Router(dict(zip(ARMS, map(Model, backends), strict=True)), choose, **options), backends


def much(text: str) -> float:
    return float(text) / 100


def named(text: str) -> str:
    return "a"


def by_prompt(prompt: Prompt) -> dict[str, float]:
    return {"small": 0.5, "large": len(prompt.text) / 100}


async def later(text: str) -> dict[str, float]:
    return {"small": 0.5, "large": 0.5}


# ---------------------------------------------------------------- any callable


def test_chances_are_asked_for_as_in_a_search() -> None:
    """`choose` is given what it declares; what it says is checked, and what needs a search is told apart."""
    assert two(by_prompt)[0].chances("four") == {"small": 0.5, "large": 0.04}
    for said in ({"small": 0.5}, {"small": math.nan, "large": 0.5}, {"small": "0.5", "large": 0.5}, "small", None):
        with pytest.raises(ConfigError, match="gives no chances"):
            two(lambda text, said=said: said)[0].chances("four")
    with pytest.raises(ConfigError, match="async"):
        two(later)[0].chances("four")
    with pytest.raises(ConfigError, match="asks for run"):
        two(asking({"small": "easy", "large": "hard"}))[0].chances("four")


def test_arms_that_there_are_not_are_told_before_anything_is_asked() -> None:
    """A model that names one, or a question in its bin, must not end a search that is half paid."""
    found = compute_optimal({"few": [0, 0, 1, 1], "deep": [1, 1, 0, 0]}, [0.1, 0.2, 0.8, 0.9], bins=2)
    for choose in (asking({"small": "easy", "huge": "hard"}), found.chooser(LengthScore(), 2)):
        with pytest.raises(ConfigError, match="its arms are small, large"):
            two(choose)
    two(asking({"small": "easy", "large": "hard"}))


@pytest.mark.parametrize(
    ("said", "options", "wanted"),
    [
        ("small", {}, "41"), ("large", {}, "42"), (None, {}, "42"), (None, {"otherwise": "small"}, "41"),
        ({"small": 0.5, "large": 0.5}, {}, "41"), ({"small": 0.5, "large": 0.6}, {}, "42"),
        ({"small": 0.5, "large": 0.6}, {"costs": {"small": 1, "large": 9}, "price": 0.0125}, "41"),
        ({"small": 0.5, "large": 0.61}, {"costs": {"small": 1, "large": 9}, "price": 0.0125}, "42"),
    ],
)  # fmt: skip
def test_one_arm_is_asked_and_the_others_cost_nothing(said: Any, options: Mapping[str, Any], wanted: str) -> None:
    """By name, by the greatest chance less what it costs, or the one for where nobody can tell."""

    def choose(text: str) -> Any:
        assert text == "q"
        return said

    router, backends = two(choose, **options)
    result = solve_sync("q", router)
    assert result.answer == wanted
    assert sorted(one.calls for one in backends) == [0, 1]
    assert choices([result]) == ({"small" if wanted == "41" else "large": 1}, Usage())
    assert router.pick("q") == ("small" if wanted == "41" else "large")


def test_a_callable_may_ask_for_the_run_and_the_whole_prompt() -> None:
    """What it draws is charged, and is no answer."""

    async def choose(prompt: Prompt, run: Run) -> str:
        assert isinstance(prompt, Prompt)
        [reply] = await run.sample(None, prompt)
        return reply.text

    router, backends = two(choose)
    result = solve_sync("q", router, generator=Model(says("small")))
    assert (result.answer, [one.calls for one in backends]) == ("41", [1, 0])
    assert [c.sample.text for c in result.candidates] == ["41"]
    assert (result.usage.generations, result.usage.model_calls) == (1, 2)
    arms, deciding = choices([result])
    assert (arms, deciding.model_calls) == ({"small": 1}, 1)


def test_one_that_fails_is_told_and_the_dearest_is_asked() -> None:
    def fails(text: str) -> str:
        raise ValueError("no idea")

    router, _ = two(fails)
    result = solve_sync("q", router)
    assert (result.answer, [str(e) for e in result.errors]) == ("42", ["choose of Router raised ValueError: no idea"])


@pytest.mark.parametrize(
    "said", ["medium", 1, {"small": 0.5}, {"small": 0.5, "large": None}, ["small"], {"small": math.nan, "large": 1}]
)
def test_what_is_no_choice_is_a_mistake(said: Any) -> None:
    router, _ = two(lambda text: said)
    with pytest.raises(ConfigError, match="one of small, large"):
        solve_sync("q", router)


# ---------------------------------------------------------------- fitted


def rows(n: int = 40) -> list[tuple[Any, ...]]:
    """Small is right on additions, large on products, too; every prompt differs."""
    found = list[tuple[Any, ...]]()
    for i in range(n):
        text = f"add {i} and {i + 3}" if i % 2 else f"multiply {i} by the number {i + 7}"
        found += [(text, "small", bool(i % 2), 1.0), (text, "large", True, 9.0)]
    return found


@pytest.mark.parametrize("by", ["neighbours", "words"])
def test_it_learns_which_prompts_the_small_one_gets_right(by: Any) -> None:
    router = Router.fit(dict.fromkeys(ARMS), rows(), by=by, k=8, ridge=0.1, price=0.02)
    assert router.costs == {"small": 1.0, "large": 9.0}
    assert router.pick("add 91 and 17") == "small"
    assert router.pick("multiply 91 by the number 17") == "large"
    for text in ("", "add", "\ud800", "multiply " * 9_000):
        chances = router.chances(text)
        assert list(chances) == list(ARMS)
        assert all(0 <= chance <= 1 for chance in chances.values())
    assert pickle.loads(pickle.dumps(router)).pick("add 91 and 17") == "small"


def test_neighbours_are_those_of_the_similarity() -> None:
    """Brute force over `ngrams` gives the same chances as the index does."""
    inside = Router.fit(dict.fromkeys(ARMS), rows(), k=5)
    outside = Router.fit(dict.fromkeys(ARMS), rows(), k=5, similar=ngrams)
    for text in ("add 1 and 2", "multiply 3 by 4", "ADD  91 and 3", "nothing alike", ""):
        for arm, chance in inside.chances(text).items():
            assert math.isclose(chance, outside.chances(text)[arm], abs_tol=1e-12)
    # By hand: two prompts that are equal to this one, one of them right, and the overall share of 1/2 with weight 1.
    hand = [("same", "small", True, 1), ("same ", "small", False, 1), ("x", "large", True, 1)]
    assert Router.fit(dict.fromkeys(ARMS), hand, k=2).chances("same")["small"] == (0.5 + 1 + 0) / 3


@pytest.mark.parametrize("ridge", [10.0, 1.0, 0.1])
def test_words_are_weighed_where_the_penalised_likelihood_is_greatest(ridge: float) -> None:
    """Its slope, reckoned with dense matrices, is 0 there but for what the fit leaves."""
    known = rows(30)
    router = Router.fit(dict.fromkeys(ARMS), known, by="words", ridge=ridge)
    texts, shares = [row[0] for row in known[::2]], np.array([row[2] for row in known[::2]], float)
    matrix = np.zeros((30, BUCKETS + 3))
    for i, text in enumerate(texts):
        for bucket, value in features_of(text).items():
            matrix[i, bucket] = value
    chances = np.array([router.chances(text)["small"] for text in texts])
    weights = np.array(router.choose.weights["small"])  # type: ignore[attr-defined]
    start, penalty = np.zeros(BUCKETS + 3), np.array([ridge] * BUCKETS + [ridge / 100] * 3)
    start[-1] = math.log((shares.sum() + 0.5) / (31 - shares.sum() - 0.5))
    assert np.allclose(1 / (1 + np.exp(-matrix @ weights)), chances)
    assert np.abs(matrix.T @ (chances - shares) + penalty * (weights - start)).max() < 1e-4


def test_rows_may_hold_the_numbers_of_numpy_and_come_from_a_generator() -> None:
    plain = [("q", "small", True, 1), ("q", "large", 0.25, 2.5)]
    odd = [("q", "small", np.bool_(True), np.int64(1)), ["q", "large", np.float32(0.25), np.float64(2.5), None]]
    one, other = (Router.fit(dict.fromkeys(ARMS), (row for row in rows)) for rows in (plain, odd))
    assert (one, repr(one)) == (other, repr(other))
    assert len(repr(Router.fit(dict.fromkeys(ARMS), [("q" * 9_000, arm, True, 1) for arm in ARMS]))) < 600


def test_where_nothing_is_alike_the_overall_share_counts() -> None:
    router = Router.fit(dict.fromkeys(ARMS), rows(), k=3)
    assert router.chances("") == {"small": 0.5, "large": 1.0}


UNKNOWN = Entry("2", unknown=True)


def test_a_pool_gives_the_rows() -> None:
    """One a sample; what is unknown is left out; cost by choice."""
    problems = [Problem("a", Prompt.of("add")), Problem("b", Prompt.of("multiply")), Problem("c", Prompt.of("other"))]
    pool = Pool(
        {
            "a": (Entry("1", score=0.5, correct=True, generated_tokens=3, prompt_tokens=2, usd=0.5), UNKNOWN),
            "b": (Entry("3", generated_tokens=7), Entry(None, finish="error")),
        }
    )  # fmt: skip
    assert pool.rows(problems, "small") == [
        ("add", "small", True, 3.0, 0.5), ("multiply", "small", False, 7.0, None),
        ("multiply", "small", False, 0.0, None),
    ]  # fmt: skip
    assert [row[3] for row in pool.rows(problems, "small", "total_tokens")] == [5.0, 7.0, 0.0]
    assert [row[3] for row in pool.rows(problems, "small", "usd")] == [0.5, 0.0, 0.0]
    assert [row[3] for row in pool.rows(problems, "small", lambda entry: 2)] == [2.0, 2.0, 2.0]
    with pytest.raises(ConfigError, match="such as 'b'"):
        pool.rows(problems[:1], "small")
    with pytest.raises(ConfigError, match="cost is one of"):
        pool.rows(problems, "small", "calls")  # type: ignore[arg-type]


def test_what_is_cut_off_has_no_score_in_the_rows() -> None:
    """A cascade never takes it, so that a bar which is fitted on it would promise what no run keeps."""
    finishes = ("length", "content_filter", "stop")
    pool = Pool({"a": tuple(Entry("1", score=0.5, correct=True, finish=finish) for finish in finishes)})
    rows = pool.rows([Problem("a", Prompt.of("add"))], "small")
    assert [row[4] for row in rows] == [None, None, 0.5]


# ---------------------------------------------------------------- the model judges itself


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("fast", "fast"), ("Slow", "slow"), ("I think:\nslow", "slow"), ("**fast**.", "fast"), ("fast or slow", None),
        ("", None), ("breakfast", None), ("fast\nI am not sure", None), ("<think>slow</think>fast", "fast"),
        ("<think>fast", None), ("not so fast-paced", None), ("slow, slow, slow", "slow"),
    ],
)  # fmt: skip
def test_the_last_line_must_say_one_name(reply: str, wanted: str | None) -> None:
    """What can be read in two ways is not read."""
    chooser = asking({"fast": "what is easy", "slow": "all else"})
    assert chooser.read(reply) == wanted


def test_a_name_inside_another_is_not_meant() -> None:
    chooser = asking({"step": "one", "step by step": "many"})
    assert (chooser.read("step by step"), chooser.read("Step"), chooser.read("step by step, or step")) == (
        "step by step", "step", None,
    )  # fmt: skip


def test_fast_and_slow_by_a_judge_of_oneself() -> None:
    """One call decides, which is no generation; the question is asked whole, and the descriptions stand in it."""
    seen = list[str]()

    def reply(request: Request) -> str:
        seen.append(request.prompt.text)
        return "slow" if "Do not answer" in request.prompt.text else "42"

    arms = {"fast": None, "slow": SelfConsistency(3)}
    router = Router(arms, asking({"fast": "what is easy", "slow": "all else"}))
    result = solve_sync("19 + 23?", router, generator=Model(Scripted(reply)))
    assert (result.answer, result.usage.generations, result.usage.model_calls) == ("42", 3, 4)
    assert "19 + 23?" in seen[0]
    assert "what is easy" in seen[0]
    assert seen[1:] == ["19 + 23?"] * 3
    one = Usage(generations=1, model_calls=1)
    assert router.worst_case(one) == Usage(generations=3, model_calls=4)


def test_a_judge_that_fails_or_is_cut_off_leaves_it_to_the_dearest() -> None:
    def breaks(request: Request) -> str:
        raise CallError("no server")

    described = {"small": "easy", "large": "hard"}
    for judge in (Model(Scripted(breaks)), Model(Simulated({"small": 1.0}, tokens=9), Params(max_tokens=3))):
        router, backends = two(asking(described, generator=judge))
        assert solve_sync("q", router).answer == "42"
        assert [one.calls for one in backends] == [0, 1]


# ---------------------------------------------------------------- the compute-optimal choice at run time


def test_compute_optimal_chooses_at_run_time_what_was_best_on_the_bin() -> None:
    """Easy problems are best served by few samples here, hard ones by the search: by hand."""
    easiness = [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9]
    accuracy = {"few": [0, 0, 0, 0, 1, 1, 1, 1], "deep": [1, 1, 1, 1, 0, 0, 0, 0]}
    found = compute_optimal(accuracy, easiness, bins=2, folds=2)
    assert (found.edges, found.best) == ((0.5,), (("deep", "few"),))
    chooser = found.chooser(Predicate(much), pilots=2)
    for score, wanted in ((30, "deep"), (49, "deep"), (50, "few"), (90, "few")):
        arms = {"few": Model(says("1")), "deep": Model(says("2"))}
        result = solve_sync("q", Router(arms, chooser), generator=Model(says(str(score))))
        assert result.answer == {"few": "1", "deep": "2"}[wanted]
        assert (result.usage.generations, result.usage.verifications) == (3, 2)
        assert [c.sample.text for c in result.candidates[:2]] == [str(score)] * 2
        arms_asked, deciding = choices([result])
        assert (arms_asked, deciding.generations) == ({wanted: 1}, 2)
    with pytest.raises(ConfigError, match="one of 1 budgets"):
        found.chooser(Predicate(much), 2, budget=1)


def test_pilots_are_candidates_where_the_budget_ends_with_them() -> None:
    router = Router({"few": None, "deep": None}, Pilots(Predicate(much), 2, (0.5,), ("deep", "few")))
    result = solve_sync("q", router, generator=Model(says("30")), budget=Budget(generations=2))
    assert (result.answer, result.stopped) == ("30", "budget")
    assert router.worst_case(Usage(generations=1)) == Usage(generations=3, verifications=2)


def test_pilots_that_are_not_judged_leave_it_to_the_dearest() -> None:
    router = Router({"few": Model(says("1")), "deep": Model(says("2"))}, Pilots(Agreement(), 3, (0.5,), ("few", "few")))
    assert solve_sync("q", router, generator=Model(says(""))).answer in ("1", "2")
    nobody = Router(
        {"few": Model(says("1")), "deep": Model(says("2"))}, Pilots(LengthScore(abstains=True), 2, (), ("few",))
    )
    assert solve_sync("q", nobody, generator=Model(says("x"))).answer == "2"


# ---------------------------------------------------------------- costs and mistakes


def test_the_worst_case_is_that_of_the_dearest_arm() -> None:
    one = Usage(generations=1, model_calls=1)
    five = BestOfN(5, Predicate(much))
    assert Router({"a": None, "b": five}, named).worst_case(one) == Usage(generations=5, model_calls=5, verifications=5)

    def asks(text: str, run: Run) -> str:
        return "a"

    assert Router({"a": None, "b": five}, asks).worst_case(one) is None  # nobody knows what it asks for


def test_a_budget_of_nothing_is_said() -> None:
    router, _ = two(lambda text: "small")
    with pytest.raises(BudgetExhausted):
        solve_sync("q", router, budget=Budget(generations=0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Router({"a": None}, named), "two arms"), (lambda: Router([None, None], named), "two arms"),  # type: ignore[arg-type]
        (lambda: Router({"a": None, "": None}, named), "two arms"),
        (lambda: Router({"a": None, 1: None}, named), "two arms"),  # type: ignore[dict-item]
        (lambda: Router({"a": None, "b": "model"}, named), "arm 'b'"),  # type: ignore[dict-item]
        (lambda: Router({"a": None, "b": None}, "a"), "callable"),  # type: ignore[arg-type]
        (lambda: Router({"a": None, "b": None}, lambda text, other: "a"), "needs text, other"),
        (lambda: Router({"a": None, "b": None}, asking({"a": "x", "b": "y"})).pick("q"), "asks for run"),
        (lambda: Router.fit({"a": None, "b": None}, None), "one by one"),  # type: ignore[arg-type]
        (lambda: Router({"a": None, "b": None}, named, otherwise="c"), "one of its arms"),
        (lambda: Router({"a": None, "b": None}, named, price=1.0), "costs of all arms"),
        (lambda: Router({"a": None, "b": None}, named, {"a": 1, "b": 2}, price=-1), "price"),
        (lambda: Router({"a": None, "b": None}, named, {"a": -1, "b": 2}), "costs of Router"),
        (lambda: Router.fit({"a": None, "b": None}, []), "no row"),
        (lambda: Router.fit({"a": None, "b": None}, [("q", "a", True, 1)]), "the arm 'b'"),
        (lambda: Router.fit({"a": None, "b": None}, [("q", "a", True, 1)], by="words"), "the arm 'b'"),
        (lambda: Router.fit(dict.fromkeys(ARMS), rows(), by="magic"), "by is"),  # type: ignore[arg-type]
        (lambda: Router.fit(dict.fromkeys(ARMS), rows(), k=0), "k is how many"),
        (lambda: Router.fit(dict.fromkeys(ARMS), rows(), by="words", ridge=0), "ridge"),
        (lambda: Router.fit(dict.fromkeys(ARMS), rows(), similar="ngrams"), "similar is"),  # type: ignore[arg-type]
        (lambda: asking({"a": "x"}), "two arms"), (lambda: asking({"a": "x", "A": "y"}), "differ in case"),
        (lambda: asking({"a": "x", "b": " "}), "description"), (lambda: asking({"a": "x", "b\n": "y"}), "two arms"),
        (lambda: asking({"a": "x", "b": "y"}, template="{task}"), "arms"),
        (lambda: Pilots(Predicate(much), 0, (), ("a",)), "pilots"),
        (lambda: Pilots(Predicate(much), 1, (0.5, 0.1), ("a", "b", "c")), "rise"),
        (lambda: Pilots(Predicate(much), 1, (0.5,), ("a",)), "2 bins"),
        (lambda: Pilots(Agreement(), 1, (), ("a",)), "two pilots"),
    ],
    ids=range(29),
)  # fmt: skip
def test_mistakes_are_said_where_they_are_made(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


# ---------------------------------------------------------------- the laws


def by_length(text: str) -> str:
    return "few" if len(text) > 3 else "one"


class Own(StrategyTests):
    def elections(self, result: Result[Any]) -> list[Any]:
        return []


class TestRouter(Own):
    def strategy(self) -> Strategy:
        return Router({"one": None, "few": BestOfN(3, LengthScore())}, by_length)


class TestRouterByPilots(Own):
    def strategy(self) -> Strategy:
        return Router({"one": None, "few": SelfConsistency(3)}, Pilots(LengthScore(), 2, (0.5,), ("few", "one")))


class TestRouterThatAsks(Own):
    def strategy(self) -> Strategy:
        return Router({"5": None, "few": BestOfN(3, LengthScore())}, asking({"5": "easy", "few": "hard"}))
