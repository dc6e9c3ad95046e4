"""Sweeps: rows that agree with `solve`, failures that count, references that stay hidden, resuming without paying."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import signal
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest

from searchkit.calls import CallError
from searchkit.errors import ConfigError
from searchkit.experiments.plots import plot
from searchkit.experiments.report.data import load
from searchkit.experiments.sweep.executors import check
from searchkit.experiments.sweep.results import SweepResults, difference
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.generators import Simulated
from searchkit.model import Model
from searchkit.solve import solve_sync
from searchkit.strategies import BestOfN, Refine, SelfConsistency
from searchkit.strategies.sampling.stopping import BetaStopping
from searchkit.testing import Counting, Scripted, Shuffled
from searchkit.types import Budget, Params, Problem, Prompt, Usage
from searchkit.verifiers import Exact, Predicate
from tests.helpers.flying import Flying

PROBLEMS = [Problem(f"p{i}", Prompt.of(f"question {i}"), "4") for i in range(12)]
ANSWERS = {"4": 0.5, "5": 0.3, "no idea": 0.2}
LIKES = Predicate(lambda text: 0.25 * len(text) / 7, name="likes length")
STRATEGIES = {"best": BestOfN(4, LIKES), "vote": SelfConsistency(4)}
BUDGETS = (Budget(generations=2), Budget())


def counted():
    return Counting(Simulated(ANSWERS))


def sweep(endpoint=None, **changed):
    settings = {"problems": PROBLEMS, "strategies": STRATEGIES, "budgets": BUDGETS, "seeds": (0, 7), "truth": Exact()}
    return Sweep(**settings | changed, endpoints=[Model(endpoint or Simulated(ANSWERS))])


def test_each_row_is_what_solve_says(tmp_path):
    """12 problems x 2 strategies x 2 budgets x 2 seeds: answer, score, tokens, calls and stop of 96 single searches."""
    results = sweep().run(tmp_path / "out")
    assert results.complete
    assert len(results.rows) == len({row.key for row in results.rows}) == 96
    budgets = {"generations=2": BUDGETS[0], "unlimited": BUDGETS[1]}
    for row in results.rows:
        problem = replace(PROBLEMS[int(row.problem[1:])], reference=None)
        alone = solve_sync(
            problem, STRATEGIES[row.strategy], generator=Model(Simulated(ANSWERS)), seed=row.seed,
            budget=budgets[row.budget],
        )  # fmt: skip
        scores = [c.score for c in alone.candidates if c.sample.value == alone.answer]
        assert (row.answer, row.right, row.score) == (alone.answer, alone.answer == "4", scores[0])
        assert (row.generated_tokens, row.prompt_tokens, row.sequential_tokens, row.model_calls) == (
            alone.usage.generated_tokens, alone.usage.prompt_tokens, alone.sequential_tokens, alone.usage.model_calls
        )  # fmt: skip
        assert (row.stopped, row.error, row.usd) == (alone.stopped, "", 0.0)
    assert {row.model_calls for row in results.rows if row.budget == "generations=2"} == {2}
    assert all(one.wall_s > 0 and not one.resumed for one in results.finished)


def test_the_table_counts_by_hand(tmp_path):
    """Accuracy is the mean over problems of the seeds' mean, within its interval; costs are means over searches."""
    results = sweep().run(tmp_path / "out")
    cells = {(s.strategy, s.budget): s for s in results.summaries()}
    assert list(cells) == [(s, b) for s in ("best", "vote") for b in ("generations=2", "unlimited")]
    for (strategy, budget), cell in cells.items():
        rows = [row for row in results.rows if (row.strategy, row.budget) == (strategy, budget)]
        assert cell.accuracy == pytest.approx(sum(row.right for row in rows) / 24)
        assert cell.low <= cell.accuracy <= cell.high
        assert (cell.searches, cell.failed) == (24, 0)
        drawn = 2 if budget == "generations=2" else 4
        assert (cell.model_calls, cell.tokens, cell.sequential_tokens) == (drawn, 10 * drawn, 10)
    lines = results.table().splitlines()
    assert lines[0].split()[:3] == ["strategy", "budget", "searches"]
    assert lines[1].startswith("best      generations=2")
    assert f"{100 * cells['vote', 'unlimited'].accuracy:.1f} [" in lines[4]


def test_early_stops_give_the_same_rows_at_any_latency(tmp_path):
    """A vote that stops early cancels calls: how many had answered depends on latencies, and no row does."""
    early, found = {"early": SelfConsistency(16, stop=BetaStopping(0.8))}, []
    for order in (1, 2, 3):
        backend = Counting(Shuffled(Simulated(ANSWERS), order))
        results = sweep(backend, strategies=early, budgets=(Budget(),)).run(tmp_path / str(order))
        found.append((tmp_path / str(order) / "results.jsonl").read_bytes())
        kept, lost = ((r.model_calls for r in results.rows), (one.lost.model_calls for one in results.finished))
        [cell] = results.summaries()
        assert sum(kept) + sum(lost) == backend.calls == pytest.approx(24 * cell.model_calls)
        assert {row.stopped for row in results.rows} == {"threshold", "done"}
        assert any(one.lost.generated_tokens for one in results.finished)
    assert found[0] == found[1] == found[2]


def test_known_accuracy(tmp_path):
    """A single draw of a coin of 0.7 whose calls fail with 0.2: right in 0.56, within four standard errors of 400."""
    problems = [Problem(f"c{i}", Prompt.of("toss"), "right") for i in range(400)]
    coin = Simulated.coin(0.7, failures=0.2)
    one = {"one": SelfConsistency(1)}
    results = sweep(coin, problems=problems, strategies=one, budgets=(Budget(),), seeds=(0,)).run(tmp_path / "out")
    [cell] = results.summaries()
    assert cell.searches == 400
    assert cell.accuracy == pytest.approx(0.56, abs=4 * (0.56 * 0.44 / 400) ** 0.5)
    assert cell.failed / 400 == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / 400) ** 0.5)
    for row in results.rows:
        if row.error:
            assert (row.answer, row.right, row.stopped, row.model_calls) == (None, False, "error", 1)
            assert row.error == "CallError: a simulated failure"


def test_two_runs_write_the_same_bytes_and_the_second_calls_nobody(tmp_path):
    """Equal sweeps in two folders give equal results files; run again in its folder, nothing is asked."""
    backend = counted()
    first = sweep(backend).run(tmp_path / "a", concurrency=1)
    paid = sum(row.model_calls for row in first.rows if row.budget == "unlimited")  # the smaller budget's are a part
    assert backend.calls == paid
    assert sweep(backend).run(tmp_path / "a").rows == first.rows
    assert backend.calls == paid
    shuffled = sweep(problems=PROBLEMS[::-1], strategies=dict(reversed(STRATEGIES.items())), budgets=BUDGETS[::-1])
    shuffled.run(tmp_path / "b", concurrency=50)
    assert (tmp_path / "a/results.jsonl").read_bytes() == (tmp_path / "b/results.jsonl").read_bytes()
    loaded = SweepResults.load(tmp_path / "a")
    assert (loaded.rows, loaded.strategies) == (first.rows, ("best", "vote"))


@dataclass(frozen=True)
class Spy(Predicate):
    """A verifier that notes every reference it is bound to."""

    seen: tuple[list, ...] = ([],)

    def bind(self, problem):
        self.seen[0].append(problem.reference)
        return self


def test_the_search_sees_no_reference(tmp_path):
    """The search's verifier is bound to None; one that needs a reference is refused in a sentence that says why."""
    spy = Spy(LIKES.fn, name="spy", seen=([],))
    sweep(strategies={"best": BestOfN(2, spy)}).run(tmp_path / "a")
    assert set(spy.seen[0]) == {None}
    with pytest.raises(ConfigError, match=r"'best'.*a search of a sweep does not see the references"):
        sweep(strategies={"best": BestOfN(2, Exact())}).run(tmp_path / "b")


def test_a_truth_that_fails_counts_as_wrong(tmp_path):
    """What the truth cannot judge stays in the denominator, unknown, with the reason; scores alone are refused."""

    def moody(text):
        if text == "5":
            raise RuntimeError("no opinion")
        return text == "4"

    results = sweep(truth=Predicate(moody, name="moody")).run(tmp_path / "a")
    assert {(row.right, row.unknown) for row in results.rows if row.answer == "5"} == {(False, True)}
    assert {"no opinion" in row.error for row in results.rows if row.answer == "5"} == {True}
    assert results.summaries()[0].failed == sum(r.answer == "5" for r in results.rows[:24])
    with pytest.raises(ConfigError, match="does not say what is right"):
        sweep(truth=LIKES).run(tmp_path / "b")


def test_failures_can_be_searched_anew(tmp_path):
    """A failed search is a row for good, until it is asked for again; what succeeded is not paid twice."""
    down, calls = [True], []

    def reply(request):
        calls.append(request.prompt.text)
        if down[0] and request.prompt.text.endswith("3"):
            raise CallError("out of order", usage=Usage(model_calls=1, prompt_tokens=2))
        return "4"

    mine = sweep(Scripted(reply), seeds=(0,))
    first = mine.run(tmp_path / "out")
    assert [row.problem for row in first.rows if row.error] == ["p3"] * 4
    down[0], before = False, len(calls)
    assert mine.run(tmp_path / "out").rows == first.rows
    assert len(calls) == before
    again = mine.run(tmp_path / "out", retry_failed=True)
    assert set(calls[before:]) == {"question 3"}
    assert {row.error for row in again.rows} == {""}
    assert SweepResults.load(tmp_path / "out").rows == again.rows


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_is_bounded_and_used(tmp_path, concurrency):
    """Searches of 4 samples at once: 4 calls in flight for each, no more and at some time no fewer."""
    backend = Flying(Simulated(ANSWERS))
    sweep(backend, budgets=(Budget(),)).run(tmp_path / "out", concurrency=concurrency)
    assert backend.most == 4 * concurrency


@pytest.mark.slow
def test_a_problem_always_goes_to_the_same_endpoint(tmp_path):
    """Three endpoints share the problems, each problem is at one of them in all searches; the results are the same."""
    seen = [set(), set(), set()]

    def endpoint(prompts):
        return Model(Scripted(lambda request: prompts.add(request.prompt.text) or str(request.seed % 3 + 3)))

    problems = [Problem(f"p{i}", Prompt.of(f"question {i}"), "4") for i in range(60)]
    several = replace(sweep(problems=problems, budgets=BUDGETS[:1]), endpoints=[endpoint(prompts) for prompts in seen])
    several.run(tmp_path / "three")
    assert sum(map(len, seen)) == len(set.union(*seen)) == 60
    assert min(map(len, seen)) >= 8  # 60 dice: fewer has a chance of 2 %, and the hash is fixed
    replace(several, endpoints=[endpoint(set())]).run(tmp_path / "one")
    assert (tmp_path / "three/results.jsonl").read_bytes() == (tmp_path / "one/results.jsonl").read_bytes()


def test_another_configuration_is_refused_by_name(tmp_path):
    """What differs is named; the folder and its results are left alone."""
    sweep().run(tmp_path / "out")
    kept = (tmp_path / "out/results.jsonl").read_bytes()
    other = [
        ({"problems": PROBLEMS[:-1]}, "the problem 'p11' is missing"),
        (
            {"problems": [replace(PROBLEMS[0], reference="5"), *PROBLEMS[1:]]},
            "the problem 'p0' has another prompt or reference",
        ),
        ({"strategies": {**STRATEGIES, "best": BestOfN(5, LIKES)}}, "strategies.best.n was 4, now it is 5"),
        ({"strategies": {"best": STRATEGIES["best"]}}, "strategies.vote was"),
        ({"budgets": BUDGETS[:1]}, "budgets was"),
        ({"seeds": (0,)}, r"seeds was \[0, 7\], now it is \[0\]"),
        ({"truth": Exact(str)}, "truth.answer"),
        ({"endpoint": Simulated(ANSWERS, name="other")}, 'model.backend was "simulated", now it is "other"'),
    ]
    for changed, says in other:
        with pytest.raises(ConfigError, match=f"holds another sweep.*{says}"):
            sweep(**changed).run(tmp_path / "out")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/todo.txt").write_text("precious")
    with pytest.raises(ConfigError, match="no sweep's folder"):
        sweep().run(tmp_path / "notes")
    assert (tmp_path / "out/results.jsonl").read_bytes() == kept


def test_paired_differences_use_the_problems_in_common(tmp_path):
    """The difference over the common problems is that of their means; with none in common it is refused."""
    a = sweep(seeds=(0,)).run(tmp_path / "a").summaries()[0]
    b = sweep(seeds=(0,), problems=PROBLEMS[4:], strategies={"one": SelfConsistency(1)}).run(tmp_path / "b")
    common, delta = difference(a, b.summaries()[0])
    assert set(common) == {p.id for p in PROBLEMS[4:]}
    right = {row.problem: row.right for row in b.rows if row.budget == "generations=2"}
    own = dict(zip(a.problems, a.per_problem, strict=True))
    assert float(delta.mean) == pytest.approx(sum(own[p] - right[p] for p in common) / 8)
    assert delta.low <= delta.mean <= delta.high
    with pytest.raises(ConfigError, match="no problem in common"):
        difference(replace(a, problems=("x",), per_problem=a.per_problem[:1]), b.summaries()[0])


def test_curves_have_a_point_for_each_budget(tmp_path):
    """In the order of their tokens, with the accuracies of the table."""
    results = sweep(budgets=BUDGETS[::-1]).run(tmp_path / "out")
    best, _ = results.curves()
    assert (best.name, best.tokens) == ("best", (20.0, 40.0))
    assert best.mean == tuple(s.accuracy for s in reversed(results.summaries()[:2]))
    ends = [one for one in results.finished if one.row.strategy == "best"]
    rows = [[one for one in ends if one.row.budget == b] for b in ("generations=2", "unlimited")]
    assert best.compute.seconds == tuple(pytest.approx(np.mean([one.wall_s for one in own])) for own in rows)
    assert best.compute.total == tuple(
        pytest.approx(np.mean([one.row.generated_tokens + one.row.prompt_tokens for one in own])) for own in rows
    )


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"problems": []}, "at least one"),
        ({"problems": ["2+2"]}, "Problem"),
        ({"problems": [PROBLEMS[0]] * 2}, "ids must differ"),
        ({"strategies": [BestOfN(2, LIKES)]}, "mapping"),
        ({"strategies": {"s": "best-of-n"}}, "must be strategies"),
        ({"budgets": [3]}, "Budget objects"),
        ({"budgets": [Budget(), Budget()]}, "budgets must differ"),
        ({"seeds": ["0"]}, "whole numbers"),
        ({"truth": bool}, "verifier"),
        ({"truth": Exact}, r"truth= of a sweep needs a verifier, an object and not its class: Exact\(\.\.\.\)"),
        ({"truth": "exact"}, "truth= of a sweep needs a verifier"),
        ({"strategies": {"s": SelfConsistency}}, r"must be strategies, such as SelfConsistency\(8\)"),
        ({"problems": [*PROBLEMS, PROBLEMS[3], PROBLEMS[5]]}, "the same id, 'p3', 'p5'$"),
        ({"problems": PROBLEMS * 2}, "the same id, 'p0', 'p1', 'p2', 'p3', 'p4' and 7 more$"),
        ({"problems": PROBLEMS[0]}, r"problems= takes a list, such as problems=\[Problem\("),
        ({"problems": "problems.jsonl"}, "problems= takes a list"),
        ({"budgets": Budget(generations=2)}, r"budgets= takes a list, such as budgets=\[Budget\(generations=8\)\]"),
        ({"budgets": None}, "budgets= takes a list"),
        ({"seeds": 3}, r"seeds= takes a list, such as seeds=\[0, 1, 2\], got 3"),
        ({"seeds": "012"}, "seeds= takes a list"),
        (
            {"concurrency": 4},
            r"no argument 'concurrency': it belongs to run: Sweep\(...\).run\(folder, concurrency=...\)",
        ),
        ({"concurency": 4}, r"did you mean 'concurrency', which belongs to run: Sweep\(\.\.\.\)\.run"),
        ({"retry_failed": True}, "it belongs to run"),
        ({"endpoitns": 1}, "did you mean 'endpoints'"),
        ({"budget": Budget()}, "did you mean 'budgets'"),
        ({"colour": "red"}, "no argument 'colour'; there are problems, strategies, budgets, seeds, truth, endpoints"),
    ],
)
def test_impossible_sweeps_are_refused(changed, says):
    with pytest.raises(ConfigError, match=says):
        sweep(**changed)


@pytest.mark.parametrize("endpoints", [Model(Simulated(ANSWERS)), None, "http://localhost"])
def test_a_single_endpoint_is_no_list(endpoints):
    """The sentence names the argument and says that it takes a list."""
    with pytest.raises(ConfigError, match=r"endpoints= takes a list, such as endpoints=\[Model\(backend\)\]"):
        replace(sweep(), endpoints=endpoints)


def test_lists_may_be_any_sequence():
    """Generators, ranges and sets are lists too; a sweep that knows its arguments pickles and is replaced as before."""
    one = sweep(problems=iter(PROBLEMS), seeds=range(2), budgets={Budget(generations=1)})
    assert (one.problems, one.seeds, one.budgets) == (tuple(PROBLEMS), (0, 1), (Budget(generations=1),))
    assert pickle.loads(pickle.dumps(replace(one, strategies={"v": SelfConsistency(2)}))).seeds == (0, 1)
    assert list(inspect.signature(Sweep).parameters)[:2] == ["problems", "strategies"]


def test_endpoints_of_different_models_are_refused():
    """Answers would depend on the routing."""
    models = [Model(Simulated(ANSWERS)), Model(Simulated(ANSWERS), Params(temperature=0.5))]
    with pytest.raises(ConfigError, match="one model"):
        replace(sweep(), endpoints=models)


def test_mistakes_end_before_any_call(tmp_path):
    """A problem without a reference, an unknown executor, one that is not installed: nothing was asked."""
    backend = counted()
    for changed, options, says in (
        ({"problems": [*PROBLEMS, Problem("x", Prompt.of("q"))]}, {}, "reference"),
        ({}, {"executor": "threads"}, "asyncio, processes, dask, ray"),
        ({}, {"concurrency": 0}, "concurrency"),
    ):
        with pytest.raises(ConfigError, match=says):
            sweep(backend, **changed).run(tmp_path / "out", **options)
    assert backend.calls == 0


def test_ray_names_its_package(monkeypatch):
    """Without the package the option is one sentence with the command that mends it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install 'ray'"):
        check("ray")
    with pytest.raises(ConfigError, match=r"pip install 'dask\[distributed\]'"):
        check("dask")


def test_damaged_files_are_named(tmp_path):
    """A torn last line of a log is searched again; any other damage is refused with its place."""
    mine = sweep(seeds=(0,), budgets=(Budget(),))
    mine.run(tmp_path / "out")
    log, results = tmp_path / "out/shard-0/rows.jsonl", tmp_path / "out/results.jsonl"
    whole = results.read_bytes()
    results.unlink()
    log.write_bytes(log.read_bytes()[:-9])
    mine.run(tmp_path / "out")
    assert results.read_bytes() == whole
    assert [json.loads(line)["row"]["error"] for line in log.read_bytes().splitlines()] == [""] * 24
    results.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"damaged|incomplete"):
        SweepResults.load(tmp_path / "out")
    results.unlink()
    with pytest.raises(ConfigError, match="no finished sweep"):
        SweepResults.load(tmp_path / "out")
    log.write_bytes(b"{}\n" + log.read_bytes())
    with pytest.raises(ConfigError, match="line 1, is damaged"):
        mine.run(tmp_path / "out")


# ---------------------------------------------------------------- interrupted


def partly(tmp_path, done):
    """A sweep of which these many searches are done, as Ctrl-C leaves it: the log of its shard is shorter."""
    sweep().run(tmp_path / "out")
    (tmp_path / "out/results.jsonl").unlink()
    log = tmp_path / "out/shard-0/rows.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:done]))
    return load(tmp_path / "out")[0]


@pytest.mark.parametrize("done", [1, 37, 95])
def test_an_incomplete_sweep_says_how_much_is_missing(tmp_path, done):
    """In text, in a notebook, in the diagnosis and in its repr; lines that lack searches say of how many."""
    found = partly(tmp_path, done)
    says = f"incomplete: {done} of 96 searches are done"
    assert (found.complete, found.expected) == (False, 96)
    assert found.table().splitlines()[-1].startswith(says)
    assert f"<p>{says}" in found._repr_html_()
    assert found.diagnosis.startswith(says)
    assert "complete=False" in repr(found)
    lines = found.table().splitlines()[1:-1]
    assert [f"{s.searches} of 24" in line for s, line in zip(found.summaries(), lines, strict=True)] == [
        s.searches < 24 for s in found.summaries()
    ]
    whole = sweep().run(tmp_path / "out")
    assert (whole.complete, whole.diagnosis, whole.expected) == (True, "", 96)
    assert "incomplete" not in whole.table() + whole._repr_html_()
    assert " of 24" not in whole.table()


def test_ctrl_c_in_python_is_told(tmp_path):
    """The endpoint itself presses Ctrl-C after some calls: what `run` returns says that it is incomplete."""
    calls = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

    def reply(request):
        calls.append(request)
        if len(calls) == 40:
            os.kill(os.getpid(), signal.SIGINT)
        if len(calls) >= 40:
            time.sleep(0.02)  # the thread that hears of it needs a turn before all is done
        return "4"

    try:
        results = sweep(Scripted(reply)).run(tmp_path / "out", concurrency=2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not results.complete
    assert f"incomplete: {len(results.rows)} of 96 searches are done" in results.table()


def test_a_curve_of_an_incomplete_sweep_says_so(tmp_path):
    """A figure drawn of it does, without the words for a dotted line that it has not."""
    found = partly(tmp_path, 95)
    kept = replace(found, strategies=(found.rows[0].strategy,))
    [curve] = kept.curves()
    assert curve.note.startswith("incomplete: 95 of 96")
    title = plot([curve], "tokens").get_title(loc="left")
    assert "incomplete" in title
    assert "dotted" not in title


def test_differences_and_summaries_are_shown_in_notebooks(tmp_path):
    """As a table and as a text; still a list, and a pair."""
    results = sweep().run(tmp_path / "out")
    summaries = results.summaries()
    assert summaries._repr_html_() == results._repr_html_()
    found = difference(summaries[0], summaries[2])
    problems, interval = found
    assert str(found) == f"{interval} on 12 problems"
    assert str(found) in found._repr_html_()
    assert len(problems) == 12
    assert "np." not in repr(found) + repr(summaries)


def _asked(n):
    return [Problem(f"p{i}", Prompt.of(f"question {i}"), "4") for i in range(n)]


def _drawn(reply, problems=10, n=4, **changed):
    settings = {"strategies": {"vote": SelfConsistency(n)}, "truth": Exact(str), "endpoints": [Model(Scripted(reply))]}
    return Sweep(_asked(problems), **settings | changed)


def test_a_server_that_does_not_sample_is_told(tmp_path):
    """transformers serve is greedy whatever the temperature: a flat curve is no finding. Whole texts are compared."""
    told = _drawn(lambda request: "4").run(tmp_path / "same")
    assert [(row.drawn, row.distinct) for row in told.rows] == [(4, 1)] * 10
    assert "no two samples of a search differ in vote (40 samples of 10 problems)" in told.table()
    assert told.sameness in told.diagnosis
    assert '"do_sample": true' in told.sameness
    assert SweepResults.load(tmp_path / "same").sameness == told.sameness
    long = "because " * 200
    assert _drawn(lambda request: f"{long}{request.seed}").run(tmp_path / "long").sameness == ""


@pytest.mark.parametrize(
    ("reply", "changed"),
    [
        (lambda request: "4" if request.seed % 7 else "5", {}),  # one that differs is enough
        (lambda request: "4", {"problems": 4}),  # an easy handful
        (lambda request: "4", {"problems": 10, "n": 2}),  # few beyond the first
        (lambda request: "4", {"n": 1}),
        (
            lambda request: "4",
            {"strategies": {"refine": Refine(3, Predicate(lambda text: 0.1, name="low"), answer="last")}},
        ),
    ],
    ids=["one", "problems", "samples", "single", "chain"],
)
def test_what_may_well_be_the_same_is_not_told(tmp_path, reply, changed):
    """Too little to tell, or drafts of a chain, which may well stay as they are."""
    assert _drawn(reply, **changed).run(tmp_path / "out").sameness == ""


def test_only_the_strategies_whose_samples_are_the_same_are_named(tmp_path):
    """One that has a model of its own samples well."""
    other = SelfConsistency(4, generator=Model(Simulated({"4": 0.5, "5": 0.5})))
    told = _drawn(lambda request: "4", strategies={"vote": SelfConsistency(4), "own": other}).run(tmp_path / "out")
    assert "differ in vote (40" in told.sameness


def test_rows_of_before_are_read(tmp_path):
    """Those that do not say how many samples they had are of no strategy that draws one text again and again."""
    _drawn(lambda request: "4").run(tmp_path / "out")
    path = tmp_path / "out/results.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    old = [{key: value for key, value in line.items() if key not in ("drawn", "distinct")} for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in old))
    assert SweepResults.load(tmp_path / "out").sameness == ""
