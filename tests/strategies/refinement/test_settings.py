"""The published methods that are settings of `Refine`: each constructor call runs, costs what its card says, and keeps
the card's invariants."""

from __future__ import annotations

import asyncio
import json
import math
import re
from dataclasses import dataclass
from typing import Any

import pytest

from searchkit import Function, Model, Params, Problem, Prompt, Result, Strategy, solve
from searchkit.answers import keys
from searchkit.calls import Request
from searchkit.environments import Rewrite
from searchkit.generators import Simulated
from searchkit.protocols import Run
from searchkit.sandbox import levels
from searchkit.sandbox.limits import Limits
from searchkit.strategies import MCTS, Argmax, BestFirst, BestOfN, Refine, SelfConsistency, TreeOfThoughts, Vote
from searchkit.templates import worded
from searchkit.testing import Counting, Scripted
from searchkit.types import Sample, Verdict
from searchkit.verifiers import AllOf, Critic, DualAgreement, FactCheck, Predicate, UnitTests
from searchkit.verifiers.code.dual_agreement import WRITE_TESTS
from searchkit.verifiers.code.generated import assertions
from tests.helpers.two_states import Chain

LEVEL = next((level for level in levels.LEVELS if not levels.trouble(level)), "none")
CALM = Limits(cpu=30, wall=120.0)
TASK = Prompt.of("Write f(x), the square of x.")
SQUARE, DOUBLE = "def f(x): return x * x", "def f(x): return 2 * x"
TRY_AGAIN = Predicate(lambda draft: Verdict(passed=False, feedback="Incorrect, try again."), name="try again")
RECKONED = Predicate(lambda draft: Verdict(feedback=f"the program printed {draft}"), name="reckoned")
EXPLAIN = "{task}\n{answer}\nTests: {findings}\nExplain the program line by line, then say what is wrong."


def says(satisfied: bool, critique: str = "look again") -> str:
    return json.dumps({"critique": critique, "satisfied": satisfied})


def run(strategy: Strategy, reply: Any, task: Any = "the task", **options: Any) -> tuple[Result[Any], int]:
    """The result, and the calls that the server counted."""
    backend = Counting(reply if hasattr(reply, "complete") else Scripted(reply))
    result = asyncio.run(solve(task, strategy, generator=Model(backend), **options))
    assert result.paid.model_calls == backend.calls
    return result, backend.calls


def never_satisfied(request: Request) -> str:
    return says(False) if "satisfied" in request.prompt.text else "The answer is 7."


# ---------------------------------------------------------------- A1, A4, A5, A6, A8


@pytest.mark.parametrize(
    ("strategy", "calls"),
    [
        (Refine(4, Critic(), answer="last"), 1 + 2 * 4),  # Self-Refine: a draft, and a critique and a rewrite a round
        (Refine(4, Critic(), answer="last", environment=Rewrite(keep=5)), 1 + 2 * 4),  # with the whole history
        (Refine(1, Critic(), answer="last"), 1 + 2),  # RCI: criticise and improve, once
        (Refine(4, TRY_AGAIN, answer=Vote(keys.default), environment=Rewrite(keep=5)), 5),  # RISE: 5 turns, a majority
        (Refine(4, Critic(grounds=RECKONED), answer="last", stable=3), 3 + 3),  # CRITIC: the third equal answer ends it
    ],
)
def test_calls_are_those_of_the_card(strategy: Strategy, calls: int) -> None:
    result, counted = run(strategy, never_satisfied)
    assert counted == calls
    assert result.answer == "The answer is 7."


def test_rise_tells_every_draft_the_same() -> None:
    """Whatever is true: the right ones, too, are told to be wrong, and the majority over the turns is the answer."""
    drafts = iter(["1", "2", "2", "3", "2"])
    prompts = list[str]()

    def reply(request: Request) -> str:
        prompts.append(request.prompt.text)
        return f"The answer is {next(drafts)}."

    strategy = Refine(4, TRY_AGAIN, answer=Vote(keys.default), environment=Rewrite(keep=5))
    result, _ = run(strategy, reply, Problem("p", Prompt.of("q"), "2"))
    assert result.answer == "The answer is 2."
    assert [text.count("Incorrect, try again.") for text in prompts] == [0, 1, 2, 3, 4]


def test_critic_with_code_that_never_changes_gives_the_first_answer() -> None:
    """By every rule, and the tool's output is in each critique."""
    asked = list[str]()

    def reply(request: Request) -> str:
        if "satisfied" in request.prompt.text or "found" in request.prompt.text:
            asked.append(request.prompt.text)
            return says(False)
        return "42"

    for rule in ("last", "accepted", Vote()):
        result, _ = run(Refine(4, Critic(grounds=RECKONED), rule, stable=3), reply)  # type: ignore[arg-type]
        assert result.answer == "42"
    assert asked
    assert all("the program printed 42" in text for text in asked)


def test_decrim_marks_all_constraints_again_each_round() -> None:
    """A rewrite that mends one constraint and breaks another does not pass; the refiner is told what failed."""
    drafts, told = iter(["short", "LONG ENOUGH", "long enough"]), list[str]()
    marks = list[str]()

    def long(draft: str) -> Verdict:
        marks.append(f"long:{draft}")
        return Verdict(passed=len(draft) > 8, feedback="it is too short")

    def small(draft: str) -> Verdict:
        marks.append(f"small:{draft}")
        return Verdict(passed=draft.islower(), feedback="it shouts")

    def reply(request: Request) -> str:
        told.append(request.prompt.text)
        return next(drafts)

    constraints = AllOf((Predicate(small, name="small"), Predicate(long, name="long")))
    result, _ = run(Refine(5, constraints, answer="accepted"), reply)
    assert result.answer == "long enough"
    assert marks == [f"{mark}:{draft}" for draft in ("short",) for mark in ("small", "long")] + [
        "small:LONG ENOUGH", "small:long enough", "long:long enough",
    ]  # fmt: skip
    assert "it is too short" in told[1]
    assert "it shouts" in told[2]


def test_spar_is_a_tree_over_rewrites_of_the_failing_answer() -> None:
    """The root is the failing draft; three rewrites a node, two kept, three deep; one that passes ends it."""
    worth = {"bad": 0.1, "better": 0.4, "good": 0.9}
    scored = Predicate(worth.__getitem__, name="worth")
    shown = list[str]()

    def reply(request: Request) -> str:
        shown.append(request.prompt.text)
        return "good" if "\nbetter\n" in request.prompt.text else "better"

    tree = TreeOfThoughts(2, 3, scored, Rewrite(draft="bad"), depth=3, threshold=0.5)
    result, calls = run(tree, reply)
    assert (result.answer, result.stopped) == ("good", "threshold")
    assert calls == 3 + 3 * 2
    assert "\nbad\n" in shown[0]
    [alone], [refined] = (
        [run(strategy, lambda _: "good")[0]]
        for strategy in (
            TreeOfThoughts(1, 1, scored, Rewrite(draft="bad"), depth=1),
            Refine(1, scored, Argmax(), environment=Rewrite(draft="bad")),
        )
    )
    assert alone.answer == refined.answer == "good"


# ---------------------------------------------------------------- A9


def test_chain_of_verification() -> None:
    """A draft, a plan, an answer a question, and a rewrite that has read them."""

    def reply(request: Request) -> str:
        text = request.prompt.text
        if "Which facts" in text:
            return "When was it built?\nWho built it?"
        if text.startswith(("When", "Who")):
            return "in 1889" if text.startswith("When") else "Eiffel"
        return "1889, by Eiffel" if "in 1889" in text and "Eiffel" in text else "1887"

    result, calls = run(Refine(1, FactCheck(), answer="last"), reply)
    assert (result.answer, calls) == ("1889, by Eiffel", 1 + 1 + 2 + 1)


# ---------------------------------------------------------------- A10: revisions and parallel samples


@pytest.mark.parametrize(("chains", "drafts"), [(1, 8), (2, 4), (4, 2), (8, 1)])
def test_any_ratio_of_revisions_to_parallel_samples_costs_as_many_drafts(chains: int, drafts: int) -> None:
    """Eight drafts; within a chain the best is chosen, then among the chains: Snell's hierarchical verifier."""
    scored = Predicate(lambda draft: float(draft == "right"), name="scored")
    chain = Refine(drafts - 1, scored, Vote(keys.default, weighted=True), environment=Rewrite(keep=4))
    strategy = BestOfN(chains, scored, select=Vote(keys.default, weighted=True), generator=chain)
    result, calls = run(strategy, Simulated.coin(0.3))
    assert calls == result.usage.generations == 8


@pytest.mark.slow
@pytest.mark.parametrize("mend", [0.1, 0.5])
def test_the_best_ratio_is_decided_by_what_a_revision_mends(mend: float) -> None:
    """With a perfect verifier k chains of m drafts fail in (1 - p)^k (1 - f)^(k(m - 1)): all in one chain where a
    revision mends more often than a sample is right, all in parallel where it does not."""
    right, n, scored = 0.25, 80, Predicate(lambda draft: float(draft == "right"), name="scored")
    model = Chain(right, 1.0, 1.0, mend, 1.0).model()
    accuracies = []
    for chains, drafts in ((1, 8), (4, 2), (8, 1)):
        expected = 1 - (1 - right) ** chains * (1 - mend) ** (chains * (drafts - 1))
        strategy = BestOfN(chains, scored, generator=Refine(drafts - 1, scored, Argmax()))
        found = [run(strategy, model, seed=seed) for seed in range(n)]
        assert {calls for _, calls in found} == {8}
        measured = sum(result.answer == "right" for result, _ in found) / n
        assert abs(measured - expected) < 4 * math.sqrt(expected * (1 - expected) / n)
        accuracies.append(expected)
    assert accuracies == sorted(accuracies, reverse=mend > right)


# ---------------------------------------------------------------- G3


def test_a_forest_of_one_tree_is_the_tree() -> None:
    """Votes over nested trees of rewrites; nobody knows the right answer, and equal answers vote together."""
    scored = Predicate(lambda draft: len(draft) % 7 / 7, name="length")
    tree = MCTS(scored, environment=Rewrite(), iterations=4)
    one, forest = (run(strategy, said)[0] for strategy in (tree, SelfConsistency(1, generator=tree)))
    assert one.answer == forest.answer == max((c.sample.text for c in one.candidates), key=lambda text: len(text) % 7)
    writer = Simulated({"The answer is 5.": 0.4, "I reckon that the answer is 5.": 0.4, "The answer is 6.": 0.2})
    answers = [run(SelfConsistency(5, generator=tree), writer, seed=seed)[0].answer for seed in range(4)]
    assert {keys.default(answer) for answer in answers} == {"5"}


def said(request: Request) -> str:
    """One word more than the draft that it is shown."""
    return "The answer is 5." + " Yes." * (1 + request.prompt.text.count("Yes.")) * ("Draft" in request.prompt.text)


# ---------------------------------------------------------------- A2, A6, A7: tests in the loop


@dataclass(frozen=True)
class Programmer(Strategy):
    """Tests are written once, without a program in sight; then programs are repaired until they pass them."""

    rounds: int
    reflect: bool = False

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        with run.child("tests", role="plan") as planning:
            [reply] = await planning.sample(None, worded(prompt, WRITE_TESTS))
        tests = UnitTests(tuple(assertions(reply.text)), sandbox=LEVEL, limits=CALM)
        critic = Critic(grounds=tests) if self.reflect else tests
        return await Refine(self.rounds, critic, answer="last").generate(prompt, run)


def test_tests_that_nobody_wrote_pass_nothing() -> None:
    """A reply without a test is no test that everything passes: it is named before a program is run."""
    with pytest.raises(Exception, match=r"[Tt]est"):
        run(Programmer(2), lambda request: "I would test it well." if "Write tests" in request.prompt.text else SQUARE)


@pytest.mark.slow
@pytest.mark.parametrize(("reflect", "calls"), [(False, 1 + 1 + 1), (True, 1 + 1 + 2)])
def test_a_program_is_repaired_by_the_tests_and_a_reflection(reflect: bool, calls: int) -> None:
    """One call for the tests, one for the program, and one or two a round; hidden tests are nowhere."""
    prompts = list[str]()

    def reply(request: Request) -> str:
        prompts.append(request.prompt.text)
        if "Write tests" in prompts[-1]:
            return "assert f(3) == 9"
        if "Why did it go wrong" in prompts[-1]:
            return "It doubles."
        return SQUARE if "passed 0 of 1" in prompts[-1] else DOUBLE

    result, counted = run(Programmer(2, reflect), reply, Problem("p", TASK, "assert f(5) == 25"))
    assert (result.answer, counted) == (SQUARE, calls)
    assert not any("f(5)" in text for text in prompts)
    assert not any("f(3)" in text for text in prompts[:2])
    assert DOUBLE not in prompts[0]
    assert any("It doubles." in text for text in prompts) is reflect


def test_self_debug_explains_before_it_repairs() -> None:
    """The explanation stands in the next prompt, beside what the tests say."""
    prompts = list[str]()

    def reply(request: Request) -> str:
        prompts.append(request.prompt.text)
        if "line by line" in prompts[-1]:
            return "It returns twice its argument."
        return SQUARE if "twice" in prompts[-1] else DOUBLE

    tests = UnitTests(("assert f(3) == 9",), sandbox=LEVEL, limits=CALM)
    result, calls = run(Refine(9, Critic(grounds=tests, template=EXPLAIN), answer="last"), reply, TASK)
    assert (result.answer, calls) == (SQUARE, 3)


@pytest.mark.slow
def test_agent_coder_filters_programs_by_sets_of_tests_and_shows_these_no_program() -> None:
    """One epoch: five programs, five sets of tests, ten calls; the program that most tests pass."""
    asked = list[str]()

    def reply(request: Request) -> str:
        if "Write tests" in request.prompt.text:
            asked.append(request.prompt.text)
            return "assert f(3) == 6" if request.index == 4 else "assert f(3) == 9"
        return DOUBLE if request.index < 2 else SQUARE

    result, calls = run(BestOfN(5, DualAgreement(samples=5, sandbox=LEVEL, limits=CALM)), reply, TASK)
    assert (result.answer, calls) == (SQUARE, 10)
    assert not any("return" in text for text in asked)


@pytest.mark.slow
def test_a_programmer_of_known_repairs_and_tests_of_known_errors() -> None:
    """The tests decide the stop: right ones are a perfect critic, weak ones pass what is wrong, and wrong ones, which
    only the wrong program passes, have right programs changed and wrong ones kept."""
    right, mend, keep, rounds, n = 0.4, 0.6, 0.7, 2, 150
    kinds = {
        "assert f(3) == 9": (0.6, 1.0, 1.0),
        "assert f(2) == 4": (0.2, 0.0, 1.0),
        "assert f(3) == 6": (0.2, 0.0, 0.0),
    }

    def answers(asked: str) -> dict[str, float]:
        if "Write tests" in asked:
            return {test: share for test, (share, _, _) in kinds.items()}
        good = right if "Draft" not in asked else keep if SQUARE in asked else mend
        return {SQUARE: good, DOUBLE: 1 - good}

    expected = sum(share * Chain(right, flag, clear, mend, keep).last(rounds) for share, flag, clear in kinds.values())
    model = Model(Simulated(answers), Params(max_tokens=50))

    async def go() -> list[Result[Any]]:
        return [await solve(TASK, Programmer(rounds), generator=model, seed=seed) for seed in range(n)]

    found = asyncio.run(go())
    measured = sum(result.answer == SQUARE for result in found) / n
    assert math.isclose(expected, 0.6 * 0.904 + 0.2 * 0.4 + 0.2 * 0.196)
    assert abs(measured - expected) < 3 * math.sqrt(expected * (1 - expected) / n), (measured, expected)


# ---------------------------------------------------------------- A3: trials of an agent


def test_an_evaluator_stops_the_trials_and_the_last_three_reflections_are_shown() -> None:
    """Seven trials of an agent; each sees the reflections on the three before it. Solved trials are not played on."""
    seen = list[int]()

    def agent(task: str) -> str:
        seen.append(len(set(re.findall(r"lesson \d+", task))))
        return f"run {len(seen)}"

    lessons = iter(range(99))
    critic = Critic(
        Model(Scripted(lambda _: f"lesson {next(lessons)}")),
        grounds=Predicate(lambda answer: answer == "run 6", name="evaluator"),
    )
    trials = Refine(9, critic, answer="accepted", environment=Rewrite(keep=3), generator=Function(agent))
    result = asyncio.run(solve("the game", trials))
    assert (result.answer, result.usage.generations, result.stopped) == ("run 6", 6, "threshold")
    assert seen == [0, 1, 2, 3, 3, 3]
    assert result.usage.model_calls == 6 + 5  # no reflection on the trial that passed


def test_what_the_reference_reports_is_of_the_trial_where_the_evaluator_stopped() -> None:
    """An evaluator that passes a wrong trial: the right one after it is never played, and reported by nobody."""
    trials = iter(["wrong", "wrong too", "right"])
    fooled = Predicate(lambda answer: answer != "wrong", name="fooled")
    chain = Refine(5, fooled, answer="accepted")
    result, _ = run(chain, lambda _: next(trials), Problem("p", Prompt.of("q"), "right"))
    assert result.answer == "wrong too"


def test_uniform_cost_over_failing_tests_is_best_first_over_rewrites() -> None:
    """The program with the fewest failing tests is rewritten next, and one that fails none ends the search."""
    passing = {"a": 0.0, "b": 0.5, "c": 0.25, "d": 1.0}
    scored = Predicate(passing.__getitem__, name="passing")
    shown = list[str]()

    def reply(request: Request) -> str:
        shown.append(next((name for name in "abcd" if f"\n{name}\n" in request.prompt.text), "-"))
        return {"-": "bc"[request.index % 2], "b": "ad"[request.index % 2], "c": "a"}[shown[-1]]

    search = BestFirst(scored, environment=Rewrite(), width=2, threshold=1.0, iterations=9)
    result, _ = run(search, reply)
    assert (result.answer, result.stopped) == ("d", "threshold")
    assert "c" not in shown
