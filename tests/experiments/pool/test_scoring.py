"""Scoring stored samples: the scores of a drawing with the verifier, nothing paid twice, gaps without a verdict."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from searchkit.errors import ConfigError, VerifierError
from searchkit.experiments import Entry, Pool, draw
from searchkit.experiments.pool.scoring import score
from searchkit.generators import Simulated
from searchkit.model import Model
from searchkit.testing import Scripted
from searchkit.types import Budget, Problem, Prompt, Verdict
from searchkit.verifiers.judges.judge import Judge
from searchkit.verifiers.predicate import Predicate
from searchkit.verifiers.reference.exact import Exact

PROBLEMS = [Problem(str(i), Prompt.of(f"question {i}"), "right") for i in range(6)]


def drawn(n=8, **options):
    """A pool of right, wrong and failed samples."""
    model = Model(Simulated.coin(0.5, failures=0.2))
    return asyncio.run(draw(PROBLEMS, model, n, verifier=Exact(str), **options))


def scored(pool, verifier, name="again", problems=PROBLEMS, **options):
    return asyncio.run(score(pool, problems, verifier, name, **options))


def counting(asked, value=0.75):
    """A verifier that writes down what it was asked."""

    def judge(text):
        asked.append(text)
        return value

    return Predicate(judge, name="counting")


def finished(pool):
    return [entry for column in pool.entries.values() for entry in column if entry.finish != "error"]


def test_scoring_later_is_scoring_at_once():
    """A pool that was drawn with a scorer equals one that was scored afterwards, by references too."""
    for verifier in (Exact(str), Predicate(len, name="len", range=(0, 9))):
        pool, usage = scored(drawn(), verifier)
        assert pool == drawn(scorers={"again": verifier})
        assert (usage.verifications, usage.model_calls) == (len(finished(pool)), 0)
        assert 0 < len(finished(pool)) < 48


def test_only_samples_without_the_score_are_judged():
    """Scored again there is nothing to do; after a pool was deepened, only its new samples are."""
    asked = []
    pool, _ = scored(drawn(), counting(asked))
    assert len(asked) == len(finished(pool))
    assert scored(pool, counting(asked))[0] == pool
    assert len(asked) == len(finished(pool))
    deeper, usage = scored(drawn(16, pool=pool), counting(asked, 0.25))
    new = len(finished(deeper)) - len(finished(pool))
    assert usage.verifications == new
    assert [e.scores["again"] for e in finished(deeper)].count(0.25) == new > 0
    assert scored(pool, counting(asked, 0.5), "other")[0].scored_by("other") != pool


def test_a_journal_makes_scoring_resumable(tmp_path):
    """With the same journal, not one verdict is asked for twice."""
    asked = []
    first = scored(drawn(), counting(asked), journal=tmp_path / "journal.db")
    n = len(asked)
    again = scored(drawn(), counting(asked), journal=tmp_path / "journal.db")
    assert again[0] == first[0]
    assert len(asked) == n > 0


def test_what_has_no_verdict_has_no_score():
    """Abstentions, failures of the verifier, and what the budget does not reach; a failed sample is never shown."""

    def moody(text):
        if text == "wrong":
            raise RuntimeError("no opinion")
        return Verdict()

    assert scored(drawn(), Predicate(moody, name="moody"))[0] == drawn()
    pool, usage = scored(drawn(), counting([]), budget=Budget(verifications=2))
    assert [sum("again" in entry.scores for entry in column) for column in pool.entries.values()] == [2] * 6
    assert usage.verifications == 12


def test_a_verifier_for_which_nothing_works_is_an_error():
    """That is a broken set-up, not a pool without scores."""

    def broken(text):
        raise RuntimeError("no opinion")

    with pytest.raises(VerifierError, match="no opinion"):
        scored(drawn(), Predicate(broken, name="broken"))


def test_a_judge_asks_the_model_it_is_given():
    """Model calls of the verifier are made through the run, and counted."""

    def reply(request):
        score = 8 if "right\n" in request.prompt.text else 2
        return f'{{"reasoning": "so it is", "score": {score}}}'

    pool, usage = scored(drawn(4), Judge(), generator=Model(Scripted(reply)))
    assert {(e.value, e.scores["again"]) for e in finished(pool)} == {("right", 8.0), ("wrong", 2.0)}
    assert usage.model_calls == len(finished(pool))
    assert usage.generations == 0


@dataclass(frozen=True)
class Joint(Predicate):
    """A verifier that must see its samples together."""

    fn: object = bool
    joint = True


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"problems": PROBLEMS[1:]}, "problem '0' of the pool is not among problems"),
        ({"problems": [Problem(p.id, Prompt.of("the same")) for p in PROBLEMS]}, "the prompt of another problem"),
        ({"problems": [Problem(p.id, p.prompt) for p in PROBLEMS], "verifier": Exact(str)}, "reference"),
        ({"verifier": Joint()}, "judges samples together"),
    ],
)
def test_mistakes_end_before_any_call_is_paid(options, says):
    """Refused by name, and the verifier was never asked."""
    asked = []
    with pytest.raises(ConfigError, match=says):
        scored(drawn(2), **{"verifier": counting(asked), **options})
    assert asked == []


def test_problems_beyond_the_pool_are_left_out():
    """A whole data set may be passed for a pool of some of its problems."""
    pool, _ = scored(Pool({"3": (Entry("a"),)}), counting([]))
    assert pool.entries == {"3": (Entry("a", scores={"again": 0.75}),)}
