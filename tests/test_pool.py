"""Pools: drawing with known truths, files that survive or are refused, entries that do not contradict themselves."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchkit.errors import CallError, ConfigError, VerifierError
from searchkit.experiments import Entry, Pool, draw
from searchkit.generators.function import Function
from searchkit.generators.model import Model
from searchkit.generators.recorded import Recorded
from searchkit.generators.simulated import Simulated
from searchkit.run import Run
from searchkit.strategy import Strategy
from searchkit.types import Budget, Params, Problem, Prompt, Sample, Usage
from searchkit.verifiers.exact import Exact
from searchkit.verifiers.predicate import Predicate

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
ENTRIES = st.builds(
    Entry, VALUES, st.none() | st.text() | st.integers(), st.none() | st.floats(-1e9, 1e9), st.booleans(),
    st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["stop", "tool_calls", "content_filter"]),
)  # fmt: skip
POOLS = st.dictionaries(st.text(), st.lists(ENTRIES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3)

SMALL = Pool(
    {
        "p": (Entry("4", "4", 0.5, True, 7, 3), Entry("5", "5", -1.0, False, 9, 3)),
        "q <b>": (Entry("a timeout", finish="error"), Entry("cut", finish="length", generated_tokens=64)),
    }
)


# ---------------------------------------------------------------- files


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(POOLS)
def test_a_saved_pool_comes_back_equal(tmp_path, entries):
    """Any JSON value, key and text (line separators and surrogate-free Unicode included) survives, also over a pool."""
    path = tmp_path / "pool.jsonl"
    Pool(entries).save(path)
    assert Pool.load(path) == Pool(entries)
    assert [file.name for file in tmp_path.iterdir()] == ["pool.jsonl"]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    """A value or key that JSON would change is refused by name; the old file stays whole, with nothing beside it."""
    path = tmp_path / "pool.jsonl"
    SMALL.save(path)
    for bad, kind in (
        (Entry((1, 2)), "value of type tuple"),
        (Entry("x", key=frozenset("ab")), "key of type frozenset"),
    ):
        with pytest.raises(ConfigError, match=f"problem 'p', sample 1: a {kind}"):
            Pool({"p": (Entry("x"), bad)}).save(path)
        assert Pool.load(path) == SMALL
        assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """A write that the system refuses half-way is one clear error; the old pool is whole and nothing lies beside it."""
    path = tmp_path / "pool.jsonl"
    SMALL.save(path)
    script = f"""
import resource
from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    Pool({{"p": (Entry("x" * 1000),)}}).save({str(path)!r})
except ConfigError as error:
    assert "cannot be written: File too large" in str(error), error
else:
    raise SystemExit("nothing was refused")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert Pool.load(path) == SMALL
    assert [file.name for file in tmp_path.iterdir()] == ["pool.jsonl"]


def test_half_characters_survive(tmp_path):
    """A lone surrogate, which servers do send, is saved and loaded like any other text."""
    pool = Pool({"p": (Entry("\ud83d cut", key="\u2028"),)})
    pool.save(tmp_path / "pool.jsonl")
    assert Pool.load(tmp_path / "pool.jsonl") == pool


@pytest.mark.parametrize(
    "content", ["", "notes\n", "[1]\n", '{"model": "x"}\n', "\x00\x01", '{"searchkit_pool": 99}\n']
)
def test_foreign_files_are_refused_and_never_overwritten(tmp_path, content):
    """Neither load nor save touches a file that is not a pool of this version."""
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"not a searchkit pool|version 99"):
        Pool.load(path)
    with pytest.raises(ConfigError, match=r"not a searchkit pool|version 99"):
        SMALL.save(path)
    assert path.read_text() == content


def test_every_truncation_is_noticed(tmp_path):
    """However many bytes of the file are missing, load says so instead of returning a smaller pool."""
    path = tmp_path / "pool.jsonl"
    SMALL.save(path)
    whole = path.read_bytes()
    for length in range(len(whole) - 1):  # the last byte is the newline, which carries nothing
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match=r"not a searchkit pool|incomplete|line [0-9]+, is damaged"):
            Pool.load(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"correct": true', '"correct": "yes"'),
        ('"score": 0.5', '"score": NaN'),
        ('"key": "4"', '"key": ["4"]'),
        ('"generated_tokens": 7', '"generated_tokens": -7'),
        ('"finish": "stop"', '"finish": "soon"'),
        ('"value": "4"', '"colour": "4"'),
        ('{"problem": "p", ', "{"),
        ('"4"', '"\udcff"'),
    ],
)
def test_damaged_entries_name_their_line(tmp_path, old, new):
    """A line that is no valid entry is refused with its number."""
    path = tmp_path / "pool.jsonl"
    SMALL.save(path)
    path.write_bytes(path.read_text().replace(old, new, 1).encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match="line 2, is damaged"):
        Pool.load(path)


def test_paths_that_cannot_be_used_are_named(tmp_path):
    """A missing file and a missing folder are one clear sentence each."""
    with pytest.raises(ConfigError, match=r"nowhere\.jsonl cannot be read"):
        Pool.load(tmp_path / "nowhere.jsonl")
    with pytest.raises(ConfigError, match="cannot be written"):
        SMALL.save(tmp_path / "missing" / "pool.jsonl")


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Entry("x", key=["a"]), "hashable"),
        (lambda: Entry("x", key=("a", [])), "hashable"),
        (lambda: Entry("x", score=float("nan")), "finite"),
        (lambda: Entry("x", correct=1), "True or False"),
        (lambda: Entry("x", generated_tokens=-1), "whole numbers"),
        (lambda: Entry("x", finish="maybe"), "finish must be one of"),
        (lambda: Entry("x", key="4", finish="length"), "never votes"),
        (lambda: Entry("x", correct=True, finish="error"), "not correct"),
        (lambda: Pool({}), "at least one problem"),
        (lambda: Pool({"p": ()}), "at least one sample"),
        (lambda: Pool({"p": ("text",)}), "only Entry"),
        (lambda: Pool({7: (Entry("x"),)}), "must be texts"),
    ],
)
def test_impossible_pools_are_refused(make, says):
    """Contradictions end at construction, not in a wrong curve."""
    with pytest.raises(ConfigError, match=says):
        make()


def test_a_pool_describes_itself():
    """Length, size, repr and the notebook table; text is escaped, pickles are equal, long pools are cut."""
    assert (len(SMALL), SMALL.size) == (2, 2)
    assert repr(SMALL) == "Pool(2 problems, 4 samples, 25.0 % correct)"
    html = SMALL._repr_html_()
    assert "<tr><td>q &lt;b&gt;</td><td>2</td><td>0</td><td>0</td><td>1</td><td>64</td></tr>" in html
    assert "<tr><td>p</td><td>2</td><td>1</td><td>2</td><td>0</td><td>16</td></tr>" in html
    assert "2 more problems" in Pool({str(i): (Entry("x"),) for i in range(12)})._repr_html_()
    assert pickle.loads(pickle.dumps(SMALL)) == SMALL


# ---------------------------------------------------------------- drawing


def problems(n, reference="right"):
    return [Problem(str(i), Prompt.of(f"question {i}"), reference) for i in range(n)]


def drawn(generator, n=8, count=20, verifier=None, **options):
    options.setdefault("key", str)
    return asyncio.run(draw(problems(count), generator, n, verifier=verifier or Exact(str), **options))


def coin(p, **options):
    return Model(Simulated.coin(p, **options))


def test_draw_measures_a_known_model():
    """Accuracy is within 4 standard errors of the truth; keys, scores, tokens and order of problems are as drawn."""
    pool = drawn(coin(0.3), n=32)
    entries = [entry for column in pool.entries.values() for entry in column]
    assert list(pool.entries) == [str(i) for i in range(20)]
    assert [len(column) for column in pool.entries.values()] == [32] * 20
    assert sum(e.correct for e in entries) / 640 == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 640) ** 0.5)
    assert {(e.value, e.key, e.score, e.correct) for e in entries} == {
        ("right", "right", 1.0, True), ("wrong", "wrong", 0.0, False)
    }  # fmt: skip
    assert {(e.generated_tokens, e.prompt_tokens, e.finish) for e in entries} == {(10, 2, "stop")}


def test_recorded_samples_are_drawn_once_and_in_order():
    """Entry i is recorded sample i; past the last one there are failures, never repeats."""
    stored = {f"question {i}": [f"answer {i}.{j}" for j in range(3)] for i in range(2)}
    pool = drawn(Recorded(stored), n=4, count=2)
    assert [[entry.value for entry in column[:3]] for column in pool.entries.values()] == [*stored.values()]
    assert [column[3].finish for column in pool.entries.values()] == ["error", "error"]


def test_draw_depends_on_the_seed_alone():
    """The same seed gives the same pool at any concurrency, another seed another pool."""
    pool = drawn(coin(0.5), seed=1, concurrency=1)
    assert drawn(coin(0.5), seed=1, concurrency=20) == pool
    assert drawn(coin(0.5), seed=2) != pool


def test_failed_samples_stay_in_the_denominator():
    """With 30 % failing calls every problem still has n entries; failures are wrong, do not vote, and say why."""
    pool = drawn(coin(0.9, failures=0.3), n=16)
    entries = [entry for column in pool.entries.values() for entry in column]
    failed = [entry for entry in entries if entry.finish == "error"]
    assert len(entries) == 320
    assert 0.2 < len(failed) / 320 < 0.4
    assert set(failed) == {Entry("a simulated failure", finish="error", prompt_tokens=2)}
    assert sum(e.correct for e in entries) / 320 == pytest.approx(0.63, abs=0.11)


def test_truncated_samples_never_vote():
    """A sample cut by max_tokens keeps its verdict but has no key."""
    pool = drawn(Model(Simulated.coin(1.0), params=Params(max_tokens=5)), n=2, count=1)
    assert pool.entries["0"] == (Entry("right", None, 1.0, True, 5, 2, "length"),) * 2


def test_what_the_budget_cuts_off_counts_as_failed():
    """A ceiling of 3 generations leaves 3 samples and 5 failures that name the ceiling."""
    pool = drawn(coin(1.0), n=8, count=2, budget=Budget(generations=3))
    for column in pool.entries.values():
        assert sum(entry.correct for entry in column) == 3
        assert {entry.value for entry in column if entry.finish == "error"} == {
            "the budget's ceiling on generations does not allow another call"
        }


def test_a_scorer_scores_and_the_verifier_tells_the_truth():
    """Scores come from the scorer, correctness from the verifier; a score without truth is refused."""
    scorer = Predicate(lambda value: -2.5 if value == "right" else 4.0, name="perverse", range=(-5, 5))
    pool = drawn(coin(0.5), scorer=scorer)
    found = {(e.correct, e.score) for column in pool.entries.values() for e in column}
    assert found == {(True, -2.5), (False, 4.0)}
    with pytest.raises(ConfigError, match="pass it as scorer="):
        drawn(coin(0.5), verifier=scorer)


def test_keys_that_are_not_text_or_raise():
    """A tuple key becomes its repr, so that the pool can be saved; a key that raises abstains."""
    pool = drawn(coin(1.0), count=1, key=lambda value: (value, 1))
    assert {entry.key for entry in pool.entries["0"]} == {"('right', 1)"}
    pool = drawn(coin(1.0), count=1, key=lambda value: 1 / 0)
    assert {(entry.key, entry.correct) for entry in pool.entries["0"]} == {(None, True)}


def test_a_verifier_that_sometimes_fails_counts_as_wrong():
    """Samples that could not be judged have no score and are not correct; if none could be, the error is raised."""

    def grumpy(value):
        if value == "wrong":
            raise RuntimeError("no opinion")
        return True

    pool = drawn(coin(0.5), verifier=Predicate(grumpy, name="grumpy"))
    found = {(e.value, e.correct, e.score) for column in pool.entries.values() for e in column}
    assert found == {("right", True, 1.0), ("wrong", False, None)}
    with pytest.raises(VerifierError, match="no opinion"):
        drawn(coin(0.0), verifier=Predicate(grumpy, name="grumpy"))


def test_a_set_up_in_which_nothing_works_is_an_error():
    """All calls failing, or a budget of nothing, is not an accuracy of 0."""
    with pytest.raises(CallError, match="a simulated failure"):
        drawn(coin(0.5, failures=1.0), count=2)
    with pytest.raises(ConfigError, match="raise the budget"):
        drawn(coin(0.5), count=2, budget=Budget(generations=0))


def test_mistakes_end_before_any_call_is_paid():
    """n < 1, a joint verifier, no problems, a problem without reference: refused, and the backend was never asked."""
    calls = []

    async def counted(text):
        calls.append(text)
        return "right"

    for options, says in (
        ({"n": 0}, "n must be >= 1"),
        ({"count": 0}, "at least one problem"),
        ({"verifier": Joint()}, "judges samples together"),
    ):
        with pytest.raises(ConfigError, match=says):
            drawn(counted, **options)
    with pytest.raises(ConfigError, match="reference"):
        asyncio.run(draw([*problems(1), *problems(1, None)], counted, 2, verifier=Exact(str)))
    assert calls == []


@dataclass(frozen=True)
class Joint(Predicate):
    """A verifier that must see its samples together."""

    fn: object = bool
    joint = True


@dataclass(frozen=True)
class Twice(Strategy):
    """A nested search that pays for two samples and returns the first."""

    async def search(self, prompt: Prompt, run: Run) -> Sample[str]:
        return (await run.sample(coin(0.5), prompt, 2))[0]


def test_nested_searches_are_charged_whole():
    """An entry drawn from a strategy costs all tokens of that search, not those of the chosen sample alone."""
    pool = drawn(Twice(), n=3, count=1)
    assert [entry.generated_tokens for entry in pool.entries["0"]] == [20, 20, 20]


def test_a_journal_makes_drawing_resumable(tmp_path):
    """Drawn again with the journal: the same pool, and not one further call is made."""
    answers = []

    async def agent(text, seed):
        answers.append(seed)
        return Sample(str(len(answers)), usage=Usage(generated_tokens=len(answers)))

    options = {"n": 4, "count": 3, "verifier": Exact(str, reference="1"), "journal": tmp_path / "journal.db"}
    pool = drawn(Function(agent, name="agent"), **options)
    assert len(answers) == 12
    assert drawn(Function(agent, name="agent"), **options) == pool
    assert len(answers) == 12


def test_a_saved_pool_is_plain_json_lines(tmp_path):
    """The format is one object a line under a header that counts, for people and other tools."""
    SMALL.save(tmp_path / "pool.jsonl")
    header, first, *rest = [json.loads(line) for line in (tmp_path / "pool.jsonl").read_text().splitlines()]
    assert header == {"searchkit_pool": 1, "problems": 2, "samples": 4}
    assert first == {
        "problem": "p", "value": "4", "key": "4", "score": 0.5, "correct": True, "generated_tokens": 7,
        "prompt_tokens": 3, "finish": "stop",
    }  # fmt: skip
    assert len(rest) == 3
