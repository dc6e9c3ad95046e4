"""A sweep is judged again from its journals: no sample is paid, and a real server counts the judge calls."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from searchkit.answers import keys
from searchkit.calls import CallError
from searchkit.errors import ConfigError
from searchkit.experiments import SweepResults, rejudge
from searchkit.experiments.report.page import report
from searchkit.experiments.sweep.breaker import ALIKE
from searchkit.experiments.sweep.rows import logged
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.function import Function
from searchkit.generators import OpenAI, Simulated
from searchkit.model import Model
from searchkit.strategies import BeamSearch, BestOfN, SelfConsistency
from searchkit.testing import Counting, Scripted
from searchkit.testing.server import Server, profile_of
from searchkit.types import Budget, Params, Problem, Prompt
from searchkit.verifiers import Agreement, Exact, Judge, Predicate
from searchkit.verifiers.base import Independent
from tests.experiments.sweep.test_growing import EVEN, LONG, base, problems
from tests.helpers.steps import STEPS, Letters, worth

ODD = Predicate(lambda text: text.rstrip(".")[-1] not in "02468", name="odd")
ALL = Predicate(lambda text: True, name="all")


def verdict(prompt, seed, params):
    """What a judge says: a score from 0 to 10, JSON, a function of what it is shown."""
    return f'{{"critique": "so so", "score": {sum(prompt.encode()) % 11}}}'


def judge(url):
    return Judge(Model(OpenAI(url, "test-model")))


def test_another_truth_costs_nothing(tmp_path):
    """Every row is right where it was wrong; the folder that was judged is as it was, and nobody was asked."""
    with Server() as server:
        first = base(server.url)
        told = first.run(tmp_path / "out")
        files = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.json*")}
        again = rejudge(tmp_path / "out", replace(first, truth=ODD), tmp_path / "odd")
        assert len(server.requests) == 10
    assert [row.right for row in again.results.rows] == [not row.right for row in told.rows]
    assert [(row.answer, row.generated_tokens, row.model_calls) for row in again.results.rows] == [
        (row.answer, row.generated_tokens, row.model_calls) for row in told.rows
    ]
    assert (again.paid.model_calls, again.missing) == (0, 0)
    assert not any(one.resumed for one in again.results.finished)
    assert SweepResults.load(tmp_path / "odd").rows == again.results.rows
    assert {path: path.read_bytes() for path in files} == files


@pytest.mark.slow
def test_new_judge_calls_are_paid_and_counted(tmp_path):
    """Best of 6 by a judge instead of the length: 5 x 6 judge calls at the judge's server, none at the model's.

    A second judging, of the first one's folder, by the same judge and another truth: none.
    """
    with Server() as server, Server(reply=verdict) as judges:
        first = replace(base(server.url), budgets=[Budget()])
        first.run(tmp_path / "out")
        assert len(server.requests) == 30
        judged = replace(first, strategies={"best": BestOfN(6, judge(judges.url))})
        again = rejudge(tmp_path / "out", judged, tmp_path / "judged")
        assert (len(server.requests), len(judges.requests)) == (30, 30)
        assert (again.paid.model_calls, again.paid.generations) == (30, 0)
        fresh = judged.run(tmp_path / "fresh")  # all of it paid: the same rows
        assert again.results.rows == fresh.rows
        asked = len(judges.requests)
        third = rejudge(tmp_path / "judged", replace(judged, truth=ODD), tmp_path / "third")
        assert (len(judges.requests), third.paid.model_calls) == (asked, 0)
        assert rejudge(tmp_path / "out", judged, tmp_path / "judged").results.rows == fresh.rows
        assert len(judges.requests) == asked
        assert report(tmp_path / "judged", sweep=judged).exists()
        assert len(judges.requests) == asked


def test_a_judge_as_truth_and_one_that_asks_the_searchs_own_model(tmp_path):
    """The truth is a judge at a server: a call a row. A strategy's judge without a model of its own asks the search's:
    judge calls are paid there, generations are not."""
    with Server() as server, Server(reply=verdict) as judges:
        first = base(server.url)
        first.run(tmp_path / "out")
        own = replace(first, strategies={"best": BestOfN(6, Judge(retries=0))}, truth=ALL)
        seen = len(server.requests)
        again = rejudge(tmp_path / "out", own, tmp_path / "own")
        new = [one.body["messages"][-1]["content"] for one in server.requests[seen:]]
        assert len(new) == again.paid.model_calls == 5 * 2
        assert all("fences" in text for text in new)  # of the judge's question
        graded = replace(first, truth=Threshold(judge(judges.url)))
        found = rejudge(tmp_path / "out", graded, tmp_path / "graded")
        assert len(judges.requests) == found.paid.model_calls == 5


class Threshold(Independent):
    """A judge whose score says what passed."""

    range = (0.0, 10.0)

    def __init__(self, judge):
        self.judge = judge

    @property
    def key(self):
        return f"threshold:{self.judge.key}"

    async def verify(self, prompt, samples, run):
        return [
            replace(one, passed=one.score is not None and one.score >= 5)
            for one in await self.judge.verify(prompt, samples, run)
        ]


def test_another_key_of_a_vote(tmp_path):
    """A vote whose key read nothing abstained; with a key that reads the replies it votes on the same samples."""
    backend = Scripted(lambda request: f"We compute.\nSo there are {18 + request.index % 3 // 2} eggs left.")
    asked = [Problem(f"e{i}", Prompt.of(f"eggs {i}"), "18") for i in range(4)]
    first = Sweep(
        asked, {"vote": SelfConsistency(3)}, truth=Exact(keys.number), endpoints=[Model(backend)], seeds=[0, 1]
    )
    first.run(tmp_path / "out")
    dead = replace(first, endpoints=[Model(Scripted(fails))], strategies={"vote": SelfConsistency(3, keys.number)})
    again = rejudge(tmp_path / "out", dead, tmp_path / "read")
    assert [row.right for row in again.results.rows] == [True] * 8
    assert [row.error for row in again.results.rows] == [""] * 8


def fails(request):
    raise CallError("nobody may ask")


def test_what_was_never_sampled_is_missing(tmp_path):
    """A beam led elsewhere by its verifier asks for steps that nobody drew: they fail, counted and unpaid."""
    high, low = (Predicate(fn, name=name) for fn, name in ((worth, "high"), (lambda text: 1 - worth(text), "low")))
    letters = Counting(Letters())
    first = Sweep(
        problems(4), {"beam": BeamSearch(4, 2, high, environment=STEPS)}, truth=ALL, endpoints=[Model(letters)]
    )
    first.run(tmp_path / "out")
    before = letters.calls
    assert rejudge(tmp_path / "out", replace(first, truth=ODD), tmp_path / "same").missing == 0
    led = replace(first, strategies={"beam": BeamSearch(4, 2, low, environment=STEPS)})
    again = rejudge(tmp_path / "out", led, tmp_path / "new")
    assert letters.calls == before
    assert again.missing > 0
    assert again.paid.model_calls == 0


def test_a_part_of_a_sweep(tmp_path):
    """Some of its problems and seeds may be judged again; what never ran there is refused, before anything is asked."""
    with Server() as server:
        first = replace(base(server.url), seeds=[0, 1])
        first.run(tmp_path / "out")
        part = replace(first, problems=problems(3), seeds=[1], truth=ODD)
        assert len(rejudge(tmp_path / "out", part, tmp_path / "part").results.rows) == 3
        for changed, says in (
            ({"problems": problems(6)}, "no problem 'p5'"),
            ({"strategies": {"other": BestOfN(6, LONG)}}, "no strategy 'other'"),
            ({"budgets": [Budget()]}, "no budget 'unlimited'"),
            ({"seeds": [2]}, "no seed 2"),
            ({"endpoints": [Model(OpenAI(server.url, "test-model"), Params(temperature=0.5))]}, "another model's"),
        ):
            with pytest.raises(ConfigError, match=says):
                rejudge(tmp_path / "out", replace(first, **changed), tmp_path / "new")
        with pytest.raises(ConfigError, match="name another folder"):
            rejudge(tmp_path / "out", first, tmp_path / "out")
        with pytest.raises(ConfigError, match="no sweep's folder"):
            rejudge(tmp_path / "nothing", first, tmp_path / "new")
        with pytest.raises(ConfigError, match="holds another sweep"):
            rejudge(tmp_path / "out", first, tmp_path / "part")
        assert not (tmp_path / "new").exists()


def test_what_has_grown_is_judged_again_in_the_same_folder(tmp_path):
    """The new searches are judged beside the old ones: each judge call is paid once, and none is missing."""
    with Server() as server, Server(reply=verdict) as judges:
        first = base(server.url)
        first.run(tmp_path / "out")
        judged = replace(first, strategies={"best": BestOfN(6, judge(judges.url))})
        assert rejudge(tmp_path / "out", judged, tmp_path / "judged").paid.model_calls == len(judges.requests) == 10
        for n, more in (
            (7 * 4, {"problems": problems(7), "budgets": [Budget(generations=2), Budget(generations=4)]}),
            (7 * 6 * 2, {"problems": problems(7), "seeds": [0, 1],
                         "budgets": [Budget(generations=2), Budget(), Budget(generations=4)]}),
        ):  # fmt: skip
            replace(first, **more).run(tmp_path / "out")
            asked = len(server.requests)
            again = rejudge(tmp_path / "out", replace(judged, **more), tmp_path / "judged")
            assert (len(server.requests), again.missing) == (asked, 0)
            assert again.paid.model_calls == len(judges.requests) == n
            assert not any(one.resumed or one.row.error for one in again.results.finished)
            assert (
                again.results.rows
                == rejudge(tmp_path / "judged", replace(judged, **more), tmp_path / f"{n}").results.rows
            )
            assert len(judges.requests) == n


def test_a_kill_between_the_journal_and_what_is_said_of_it(tmp_path):
    """Judge calls are told from copied rows by what the source has, whatever was written last."""
    with Server() as server, Server(reply=verdict) as judges:
        first = base(server.url)
        first.run(tmp_path / "out")
        judged = replace(first, strategies={"best": BestOfN(6, judge(judges.url))})
        rejudge(tmp_path / "out", judged, tmp_path / "judged")
        said = (tmp_path / "judged/source.json").read_bytes()
        replace(first, seeds=[0, 1]).run(tmp_path / "out")
        grown = replace(judged, seeds=[0, 1])
        assert rejudge(tmp_path / "out", grown, tmp_path / "judged").paid.model_calls == 20
        (tmp_path / "judged/source.json").write_bytes(said)
        assert rejudge(tmp_path / "out", grown, tmp_path / "judged").paid.model_calls == len(judges.requests) == 20


def test_what_is_not_finished_is_not_judged(tmp_path):
    """It would count samples that are still to come as failed."""
    first = Sweep(problems(4), {"vote": SelfConsistency(1)}, truth=EVEN, endpoints=[Model(Scripted(lambda _: "4"))])
    first.run(tmp_path / "out")
    log = tmp_path / "out/shard-0/rows.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:3]))
    with pytest.raises(ConfigError, match="3 of these 4 searches are done"):
        rejudge(tmp_path / "out", replace(first, truth=ODD), tmp_path / "odd")
    done = [row.problem for row in SweepResults.of(list(logged(log)), first.configuration()).rows]
    part = replace(first, problems=[one for one in problems(4) if one.id in done], truth=ODD)
    assert rejudge(tmp_path / "out", part, tmp_path / "odd").results.complete


def test_a_truth_that_does_not_fit_leaves_nothing(tmp_path):
    """It is said before a folder is made, which would keep the mistake."""
    first = Sweep(problems(4), {"vote": SelfConsistency(1)}, truth=EVEN, endpoints=[Model(Scripted(lambda _: "4"))])
    first.run(tmp_path / "out")
    with pytest.raises(ConfigError, match="Exact needs a reference"):
        rejudge(tmp_path / "out", replace(first, truth=Exact()), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_many_that_are_missing_are_rows(tmp_path):
    """What the journal lacks is no server that is down: more such searches than end a sweep are rows that failed."""
    model = Model(Scripted(lambda _: "4"))
    first = Sweep(problems(ALIKE + 5), {"vote": SelfConsistency(1)}, truth=EVEN, endpoints=[model])
    first.run(tmp_path / "out")
    other = SelfConsistency(1, generator=replace(model, params=Params(temperature=0.5)))
    again = rejudge(tmp_path / "out", replace(first, strategies={"vote": other}), tmp_path / "new", concurrency=1)
    assert again.results.complete
    assert again.missing == sum("not in the journal" in row.error for row in again.results.rows) == ALIKE + 5


def test_judges_that_failed_are_asked_anew(tmp_path):
    """On demand, and only those: a truth that was down for some answers."""
    down, asked = True, []

    def truth(text):
        asked.append(text)
        if down and len(asked) > 2:
            raise OSError("down")
        return True

    first = Sweep(problems(5), {"vote": SelfConsistency(1)}, truth=EVEN, endpoints=[Model(Scripted(lambda _: "4"))])
    first.run(tmp_path / "out")
    graded = replace(first, truth=Predicate(truth, name="grader"))
    assert sum(bool(row.error) for row in rejudge(tmp_path / "out", graded, tmp_path / "new").results.rows) == 3
    down = False
    assert sum(bool(row.error) for row in rejudge(tmp_path / "out", graded, tmp_path / "new").results.rows) == 3
    again = rejudge(tmp_path / "out", graded, tmp_path / "new", retry_failed=True)
    assert all(row.right for row in again.results.rows)
    assert len(asked) == 5 + 3


CALLED = []


async def agent(prompt, run):
    CALLED.append(prompt)
    return "4"


def test_agents_are_not_called(tmp_path):
    """What an agent answered is in the journal, too."""
    first = Sweep(problems(3), {"vote": SelfConsistency(2)}, truth=EVEN, endpoints=[Function(agent, name="agent")])
    first.run(tmp_path / "out")
    called = len(CALLED)
    again = rejudge(tmp_path / "out", replace(first, truth=ODD), tmp_path / "odd")
    assert [(row.right, row.error) for row in again.results.rows] == [(False, "")] * 3
    assert len(CALLED) == called == 6


def test_agents_whose_answers_are_missing_are_counted(tmp_path):
    """As samples of models are: a row of failures has a number beside it."""
    first = Sweep(problems(3), {"vote": SelfConsistency(2)}, truth=EVEN, endpoints=[Function(agent, name="agent")])
    first.run(tmp_path / "out")
    called = len(CALLED)
    again = rejudge(tmp_path / "out", replace(first, strategies={"vote": SelfConsistency(5)}), tmp_path / "more")
    assert (len(CALLED), again.missing) == (called, 3 * 3)


@pytest.mark.parametrize(
    "endpoint", [Function(agent, name="agent"), Model(Simulated({"4": 0.6, "5": 0.4}))], ids=["agent", "model"]
)
@pytest.mark.parametrize("budget", [Budget(), Budget(generations=3)])
@pytest.mark.parametrize("way", [(LONG, Agreement()), (Agreement(), LONG)], ids=["to joint", "from joint"])
def test_a_verifier_that_judges_all_together_reads_the_same_samples(tmp_path, endpoint, budget, way):
    """Sample j of a problem is the same under every verifier, an agent's too: none is missing, whichever came first."""
    first, then = (
        Sweep(problems(3), {"best": BestOfN(4, verifier)}, [budget], truth=EVEN, endpoints=[endpoint])
        for verifier in way
    )
    first.run(tmp_path / "out")
    called = len(CALLED)
    again = rejudge(tmp_path / "out", then, tmp_path / "joint")
    assert (again.missing, again.paid.model_calls, len(CALLED)) == (0, 0, called)
    assert again.results.rows == then.run(tmp_path / "alone").rows
    assert not any(row.error for row in again.results.rows)


# ---------------------------------------------------------------- killed

SCRIPT = """
import sys
from tests.experiments.sweep.test_rejudge import judged
judged(*sys.argv[1:])
"""


def judged(url, judges, source, out):
    changed = replace(base(url), budgets=[Budget()], strategies={"best": BestOfN(6, judge(judges))})
    return rejudge(source, changed, out, concurrency=2)


@pytest.mark.slow
def test_killed_while_it_judges(tmp_path):
    """SIGKILL: judge calls that were stored are not paid again, all are counted, and no sample is asked for."""
    one_by_one = replace(profile_of("vllm"), parallel=1)  # so that a search is in the middle at any moment
    with Server() as server, Server(one_by_one, reply=verdict, latency=0.02) as judges:
        replace(base(server.url), budgets=[Budget()]).run(tmp_path / "out")
        where = server.url, judges.url, str(tmp_path / "out"), str(tmp_path / "new")
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, *where])
        while sum(one.status == 200 for one in judges.requests) < 20:
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = len(judges.requests)
        again = judged(*where)
        assert 0 < len(judges.requests) - before < 30
        assert again.paid.model_calls == 30
        assert any(one.resumed for one in again.results.finished)
        assert len(server.requests) == 30
        assert again.results.rows == judged(*where[:3], str(tmp_path / "whole")).results.rows


def test_a_truth_that_was_a_mistake_is_mended_in_the_same_folder(tmp_path):
    """As in a sweep; but not by the samples of another folder, of which there are copies already."""
    scored = Predicate(lambda text: 0.5, name="scored")
    with Server() as server:
        first = base(server.url)
        first.run(tmp_path / "out")
        replace(first, seeds=[7]).run(tmp_path / "other")
        before = len(server.requests)
        with pytest.raises(ConfigError, match="does not say what is right"):
            rejudge(tmp_path / "out", replace(first, truth=scored), tmp_path / "odd")
        with pytest.raises(ConfigError, match="holds another sweep"):
            rejudge(tmp_path / "other", replace(first, seeds=[7], truth=ODD), tmp_path / "odd")
        again = rejudge(tmp_path / "out", replace(first, truth=ODD), tmp_path / "odd")
        assert len(server.requests) == before
    assert again.paid.model_calls == again.missing == 0
    assert again.results.complete
