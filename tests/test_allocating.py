"""One budget for many problems: live, it spends as `allocate` does on a pool of the same samples."""

from __future__ import annotations

import asyncio
import json
import math
import random
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pytest

from searchkit import Budget, Model, Problem, Prompt, solve_many
from searchkit.allocating import wave_of
from searchkit.calls import CallError
from searchkit.engine.sync import STOP
from searchkit.errors import ConfigError, SearchWarning
from searchkit.experiments import Allocation, Entry, Pool, ScoreModel, allocate
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing import Counting, Shuffled
from searchkit.types import Sample, Usage
from searchkit.verifiers import Predicate
from tests.helpers.flying import Flying
from tests.helpers.killed_scripts import Killed, stored_samples

MODEL = ScoreModel((0.2, 0.4, 0.6, 0.8), (0.05, 0.1, 0.2, 0.3, 0.35), (0.35, 0.3, 0.2, 0.1, 0.05))
POLICY = Allocation(MODEL)
SEEN = Predicate(lambda text: float(text.split()[1]), name="seen")


@dataclass(frozen=True)
class World:
    """Problem "rate 0.3" is solved with that chance; a sample is "right 0.71": whether it is, and a noisy score."""

    fails: float = 0.0
    name: str = "world"

    async def complete(self, requests):
        return [self._one(request) for request in requests]

    def _one(self, request):
        prompt = request.prompt.text
        rng = random.Random(blake2b(f"{prompt} {request.seed}".encode(), digest_size=8).digest())
        usage = Usage(model_calls=1, prompt_tokens=5, generated_tokens=1 + request.seed % 7)
        if rng.random() < self.fails:
            return CallError("a failure", usage=usage)
        right = rng.random() < float(prompt.split()[1])
        score = 1 / (1 + math.exp(-rng.gauss(1.2 * right - 0.6, 1)))
        return Sample(f"{'right' if right else 'wrong'} {score:.6f}", usage=usage)


def problems(n):
    rng = np.random.default_rng(5)
    return [Problem(f"p{i}", Prompt.of(f"rate {rate:.3f} {i}")) for i, rate in enumerate(rng.beta(0.5, 0.5, n))]


def solved(asked, total=None, n=12, backend=None, **options):
    given = {} if total is None else {"total": total, "allocation": POLICY}
    model = Model(backend or World())
    return asyncio.run(solve_many(asked, BestOfN(n, SEEN), generator=model, seed=3, **given, **options))


def pooled(outcomes):
    """All samples of uniform searches, in their order."""
    return Pool({str(i): tuple(map(entry, spans(one.value))) for i, one in enumerate(outcomes)})


def spans(result):
    """[(text, score) or None if it failed] for every draw."""
    [strategy] = result.trace.children
    found = []
    for draw in strategy.children[0].children:
        judged = {span.name: span.text for span in draw.walk()}
        found.append((judged["world"], float(judged["world"].split()[1])) if draw.status == "ok" else None)
    return found


def entry(drawn):
    return Entry("", score=drawn and drawn[1], correct=bool(drawn and drawn[0].startswith("right")))


@pytest.mark.slow
@pytest.mark.parametrize("fails", [0.0, 0.2])
def test_it_spends_as_allocate_does_on_a_pool(fails):
    """24 problems: of each budget the same samples for each problem, and the same answers, as `allocate` has on the
    samples of uniform best-of-12 with the same seed; failed samples are samples without a score."""
    asked = problems(24)
    pool = pooled(solved(asked, backend=World(fails)))
    for samples in (24, 60, 180):
        live = solved(asked, Budget(generations=samples), backend=World(fails))
        played = allocate(pool, POLICY, samples, wave_of(24))
        counts = [drawn(one) for one in live]
        assert counts == played.samples.tolist()
        assert sum(counts) == samples
        if not fails:
            assert [one.value.answer.startswith("right") for one in live] == [bool(right) for right in played.correct]


def drawn(outcome):
    """How many samples a problem was granted: those that were asked for."""
    if outcome.value is None:
        return 1
    return outcome.value.usage.model_calls


def test_latency_and_concurrency_change_nothing():
    """Which answers first, and how many are in flight: the same samples and answers."""
    asked = problems(16)
    found = set()
    for order, concurrency in ((1, 1), (2, 4), (3, 32)):
        live = solved(asked, Budget(generations=40), backend=Shuffled(World(), order), concurrency=concurrency)
        found.add(tuple((one.value.answer, drawn(one)) for one in live))
    assert len(found) == 1


def test_concurrency_bounds_the_samples_in_flight():
    for concurrency in (1, 5):
        backend = Flying(World())
        solved(problems(20), Budget(generations=30), backend=backend, concurrency=concurrency)
        assert backend.most == concurrency


@pytest.mark.slow
def test_every_ceiling_ends_it():
    """Tokens, calls, verifications and money: reached within a wave, and never by more than that."""
    asked = problems(16)  # waves of 2
    for ceiling, used in (
        (Budget(generated_tokens=200), lambda usage: usage.generated_tokens),
        (Budget(total_tokens=400), lambda usage: usage.generated_tokens + usage.prompt_tokens),
        (Budget(model_calls=50), lambda usage: usage.model_calls),
        (Budget(verifications=50), lambda usage: usage.verifications),
    ):
        [(_, most)] = ceiling.ceilings()
        live = solved(asked, ceiling)
        spent = sum(used(one.value.usage) for one in live)
        assert most - 2 * 12 <= spent <= most + 2 * 7
        assert {one.value.stopped for one in live} <= {"budget", "done"}
    counts = [drawn(one) for one in solved(asked, Budget(generations=16 * 12 + 5))]
    assert counts == [12] * 16  # no problem gets more than n


def test_a_pass_ends_a_problem():
    """With first_pass a problem that is solved takes no more: the others share what is left."""
    asked = problems(24)
    exact = Predicate(lambda text: text.startswith("right"), name="exact")
    live = asyncio.run(solve_many(
        asked, BestOfN(12, exact, first_pass=True), generator=Model(World()), seed=3, total=Budget(generations=120),
        allocation=Allocation(ScoreModel((0.5,), (0.001, 0.999), (0.999, 0.001))),
    ))  # fmt: skip
    uniform = asyncio.run(
        solve_many(asked, BestOfN(12, exact, first_pass=True, window=1), generator=Model(World()), seed=3)
    )
    right = [i for i, one in enumerate(live) if one.value.answer.startswith("right")]
    assert [live[i].value.answer for i in right] == [uniform[i].value.answer for i in right]
    assert all(drawn(live[i]) == drawn(uniform[i]) for i in right)
    assert sum(map(drawn, live)) <= 120


@pytest.mark.slow
def test_a_journal_serves_both_ways(tmp_path):
    """What uniform searches have sampled is not paid again; run again, nothing is."""
    asked, backend = problems(20), Counting(World())
    solved(asked, n=4, backend=backend, journal=tmp_path / "run.db")
    assert backend.calls == 80
    first = solved(asked, Budget(generations=80), backend=backend, journal=tmp_path / "run.db")
    counts = [drawn(one) for one in first]
    assert backend.calls - 80 == sum(max(0, count - 4) for count in counts) > 0
    before = backend.calls
    again = solved(asked, Budget(generations=80), backend=backend, journal=tmp_path / "run.db")
    assert backend.calls == before
    assert [one.value.answer for one in again] == [one.value.answer for one in first]


def test_what_judges_ask_does_not_wait():
    """A verifier that asks the search's own model is answered at once, and its calls are no turns."""
    from searchkit.verifiers import Judge

    @dataclass(frozen=True)
    class Both:
        name: str = "world"

        async def complete(self, requests):
            [request] = requests
            if request.prompt.text.startswith("rate"):
                return await World().complete(requests)
            usage = Usage(model_calls=1, generated_tokens=1)
            return [Sample(json.dumps({"critique": "", "score": request.seed % 11}), usage=usage)]

    live = asyncio.run(solve_many(
        problems(6), BestOfN(5, Judge(range=(0.0, 10.0))), generator=Model(Both()), total=Budget(generations=18),
        allocation=POLICY,
    ))  # fmt: skip
    assert sum(one.value.usage.generations for one in live) == 18
    assert sum(one.value.usage.model_calls for one in live) == 36


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"total": Budget(generations=50)}, "go together"),
        ({"allocation": POLICY}, "go together"),
        ({"total": Budget(), "allocation": POLICY}, "one budget for all problems"),
        ({"total": 100, "allocation": POLICY}, "one budget for all problems"),
        ({"total": Budget(generations=50), "allocation": "greedy"}, "says which problem gets the next sample"),
        ({"total": Budget(generations=50), "allocation": Allocation}, "says which problem gets the next sample"),
        ({"total": Budget(seconds=5), "allocation": POLICY}, "depend on latencies"),
        ({"total": Budget(generations=7), "allocation": POLICY}, "less than one sample for each of 8"),
        ({"total": Budget(model_calls=7), "allocation": POLICY}, "model_calls=7 is less than one sample for each"),
        ({"total": Budget(usd=1, verifications=7), "allocation": POLICY}, "verifications=7 is less than one sample"),
        ({"total": Budget(generations=50), "allocation": POLICY, "strategy": SelfConsistency(4)}, "BestOfN"),
        ({"total": Budget(generations=50), "allocation": POLICY, "generator": None}, "no generator"),
    ],
)
def test_mistakes_end_before_any_call(options, says):
    backend = Counting(World())
    settings = {"strategy": BestOfN(4, SEEN), "generator": Model(backend)} | options
    with pytest.raises(ConfigError, match=says):
        asyncio.run(solve_many(problems(8), **settings))
    assert backend.calls == 0


@dataclass(frozen=True)
class Says:
    """An allocator of somebody else's, who says `what` of any histories."""

    what: object

    def next_problems(self, histories, k):
        return self.what


NAMED = {
    "none": None, "nobody": [], "too few": [0, 1, 2], "twice": [0, 0, 1, 2, 3], "another": [0, 1, 2, 4], "text": "0123",
    "fractions": [0.0, 1.0, 2.0, 3.0], "before": [-1, 0, 1, 2],
}  # fmt: skip


@pytest.mark.parametrize("what", NAMED)
def test_an_allocation_that_does_not_name_each_problem_once(what):
    """It is said: nobody waits for a turn that never comes, and no problem gets two at once."""

    async def spent():
        asked = solve_many(
            problems(4), BestOfN(8, SEEN), generator=Model(World()), total=Budget(generations=20),
            allocation=Says(NAMED[what]),
        )  # fmt: skip
        await asyncio.wait_for(asked, 10)

    with pytest.raises(ConfigError, match=r"Says.next_problems\(histories, 4\) names the number of each"):
        asyncio.run(spent())


@pytest.mark.parametrize("own", [Budget(generations=3), Budget(model_calls=3), Budget(generations=1)])
def test_what_a_problems_own_budget_refuses_goes_to_another(own):
    """A turn that a search cannot take costs nothing: the total is spent to its end, or all have what they may have."""
    for total in (8, 13, 17, 40):
        backend = Counting(World())
        told = solved(problems(6), Budget(generations=total), backend=backend, budget=own)
        most = own.generations or own.model_calls
        assert [drawn(one) <= most for one in told] == [True] * 6
        assert sum(one.value.usage.generations for one in told) == backend.calls == min(total, 6 * most)


def test_numbers_of_numpy_are_numbers():
    [first, *rest] = solved(problems(4), Budget(generations=8), backend=World())
    told = asyncio.run(
        solve_many(
            problems(4), BestOfN(12, SEEN), generator=Model(World()), seed=3, total=Budget(generations=8),
            allocation=Says(np.array([3, 2, 1, 0])),
        )
    )  # fmt: skip
    assert [drawn(one) for one in told] == [1, 1, 1, 5]
    assert sum(map(drawn, [first, *rest])) == 8


def test_money_that_nothing_costs_is_told():
    """A total in dollars cannot bind where nothing has a price, as a budget of one search does not."""
    with pytest.warns(SearchWarning, match=r"usd=...\) could not bind"):
        solved(problems(4), Budget(usd=0.01), n=2)


SCRIPT = """
import asyncio, json, sys
from searchkit import Budget, Model, solve_many
from searchkit.strategies import BestOfN
from searchkit.testing import Counting
from tests.test_allocating import POLICY, SEEN, World, problems

class Slow(World):
    async def complete(self, requests):
        await asyncio.sleep(0.005)
        return await super().complete(requests)

backend = Counting(Slow())
outcomes = asyncio.run(solve_many(problems(20), BestOfN(12, SEEN), generator=Model(backend), seed=3,
                                  total=Budget(generations=100), allocation=POLICY, journal=sys.argv[1]))
final = [[o.value.answer, o.value.usage.model_calls, o.value.stopped] for o in outcomes]
paid = sum(o.value.paid.model_calls for o in outcomes)
print(json.dumps({"final": final, "called": backend.calls, "paid": paid}))
"""


@pytest.mark.slow
def test_killed(tmp_path):
    """SIGKILL after half of the samples: the same samples and answers, and nothing that was stored is paid again."""
    whole = solved(problems(20), Budget(generations=100))
    killed = Killed(SCRIPT, tmp_path)
    killed.killed("run.db", 50)
    kept = stored_samples(tmp_path / "run.db")
    resumed = killed.ended("run.db")
    assert resumed["final"] == [[one.value.answer, drawn(one), one.value.stopped] for one in whole]
    assert 50 <= kept < 100
    assert resumed["called"] == resumed["paid"] == 100 - kept


def test_stopped_it_returns_what_there_is():
    """As by Ctrl-C: every problem that has a sample has its best so far, and nothing is asked any more."""
    backend = Counting(World())

    async def stopped():
        enough = asyncio.Event()
        task = asyncio.create_task(solve_many(
            problems(12), BestOfN(12, SEEN), generator=Model(backend), seed=3, total=Budget(generations=140),
            allocation=POLICY, listen=lambda _: enough.set() if backend.calls >= 40 else None,
        ))  # fmt: skip
        await enough.wait()
        task.cancel(STOP)
        return await task

    outcomes = asyncio.run(stopped())
    calls = backend.calls
    assert [one.index for one in outcomes] == list(range(12))
    assert {one.value.stopped for one in outcomes} == {"cancelled"}
    assert 40 <= sum(map(drawn, outcomes)) <= calls < 60
