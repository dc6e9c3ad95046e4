"""What is odd, damaged or cut off gives no wrong row: it is left out and counted, or told."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
from collections import Counter

import pytest

from searchkit import Budget, Model, Problem, Prompt, solve_sync
from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool, Sweep
from searchkit.experiments.sweep.rejudge import rejudge
from searchkit.export import FORMATS, Groups, Pairs, Siblings, export, of_dump, of_journal, of_sweep
from searchkit.export.reading import by_id, grown
from searchkit.export.trajectory import Origin
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN, Fallback, SelfConsistency
from searchkit.tree import Tree
from searchkit.verifiers import Exact
from tests.export.made import known, material, trajectory

MODEL = Model(Simulated({"4": 0.5, "5": 0.3, "6": 0.2}))
PROBLEMS = [Problem(f"p{i}", Prompt.of(f"What is {i} - {i} + 4?"), reference="4") for i in range(3)]
ODD = [math.nan, math.inf, -math.inf]


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("odd", ODD, ids=str)
def test_scores_that_are_no_finite_numbers_are_unknown(tmp_path, format, odd):
    """In no format a row with such a number, in none an error."""
    tree = Tree()
    for score in (odd, 0.25, 0.75):
        tree.add(0, f"step {score}", terminal=True, score=score)
    given = material(trajectory("a", None, odd), trajectory("b", None, 1.0), trees=[grown(tree, Origin("sum", "tree"))])
    export(given, tmp_path / "x.jsonl", format)
    text = (tmp_path / "x.jsonl").read_text() if (tmp_path / "x.jsonl").exists() else ""
    assert "NaN" not in text
    assert "Infinity" not in text


def test_the_best_and_the_worst_are_found_whatever_stands_among_them():
    """A score that is no number orders nothing: the pair is of the numbers."""
    given = material(*(trajectory(t, None, s) for t, s in zip("abcd", (1.0, math.nan, 3.0, 2.0), strict=True)))
    [pair] = Pairs().records(given, dropped := Counter())
    assert (pair.chosen, pair.rejected, dropped["unknown"]) == ("c", "a", 1)


@pytest.mark.parametrize("other", ["5\n", " 5", "\t5\r\n", "5\u2003"])
def test_steps_that_differ_in_outer_blanks_are_no_pair(tmp_path, other):
    """They say the same, and a model would learn to write blanks."""
    tree = Tree()
    for text, value in (("5", 1.0), (other, 0.0)):
        tree.backup(tree.add(0, text, terminal=True, score=value), value)
    given = material(trees=[grown(tree, Origin("sum", "tree"), "")])
    assert export(given, tmp_path / "x.jsonl", "trl-dpo", recipe=Siblings()).rows == {}


def test_no_pair_says_why(tmp_path):
    """One answer a problem, as a sweep of one strategy and one seed leaves."""
    done = export(material(trajectory("9", True)), tmp_path / "x.jsonl", "trl-dpo")
    assert done.dropped == {"problem with less than two answers to pair": 1}


# ------------------------------------------------------------------------------------------------ files


def test_a_folder_that_is_not_there_is_told(tmp_path):
    """Not a traceback."""
    with pytest.raises(ConfigError, match=r"nowhere/.*cannot be written: No such file or directory"):
        export(known(), tmp_path / "nowhere" / "x.jsonl", "trl-dpo")


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_export_that_is_stopped_leaves_what_stood_there(tmp_path, kind, error):
    """Nothing half written, nothing beside it."""
    (tmp_path / f"x.{kind}").write_text("old")

    def stopped():
        yield known()
        raise error

    with pytest.raises(error):
        export(stopped(), tmp_path / f"x.{kind}", "trl-dpo")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(f"x.{kind}", "old")]


def test_a_folder_that_goes_away_is_told(tmp_path):
    """While rows are written: the file has no place any more."""
    folder = tmp_path / "out"
    folder.mkdir()

    def going():
        yield known()
        shutil.rmtree(folder)

    with pytest.raises(ConfigError, match="cannot be written"):
        export(going(), folder / "x.jsonl", "trl-dpo")


def test_what_an_earlier_export_wrote_is_not_taken_for_this_one(tmp_path):
    """Neither rows nor a second file of other problems stay behind."""
    many = [
        material(trajectory(f"{i}", True, problem=f"p{i}"), problem=Problem(f"p{i}", Prompt.of(f"Say {i}")))
        for i in range(40)
    ]
    export(many, tmp_path / "x.jsonl", validation=0.5)
    assert len(list(tmp_path.iterdir())) == 2
    one = next(one for one in many if f'"{one.problem}"' in (tmp_path / "x.jsonl").read_text())
    export(one, tmp_path / "x.jsonl", validation=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]
    assert export(material(trajectory("9", False)), tmp_path / "x.jsonl").rows == {}
    assert list(tmp_path.iterdir()) == []


def test_a_source_is_not_written_over(tmp_path):
    """A pool's file ends in .jsonl, too."""
    Pool({"p0": (Entry("4", correct=True),)}).save(tmp_path / "pool.jsonl")
    with pytest.raises(ConfigError, match="is the source itself"):
        export(tmp_path / "pool.jsonl", tmp_path / "pool.jsonl", problems=PROBLEMS)


def test_several_sources_come_one_after_the_other(tmp_path):
    """The journals of all shards, say; pools and materials with them."""
    for i, chosen in enumerate((PROBLEMS[:1], PROBLEMS[1:])):
        for problem in chosen:
            solve_sync(problem, BestOfN(8, Exact()), generator=MODEL, journal=tmp_path / f"{i}.db")
    export([tmp_path / "0.db", str(tmp_path / "1.db"), known()], tmp_path / "x.jsonl", "trl-kto")
    assert {row["origin"]["problem"] for row in lines(tmp_path / "x.jsonl")} == {"p0", "p1", "p2"}


def test_ids_that_collide_are_refused():
    """Which prompt a text answers would be a guess."""
    with pytest.raises(ConfigError, match="two problems are called 'a'"):
        by_id([Problem("a", Prompt.of("x")), Problem("a", Prompt.of("y"))])
    assert list(by_id([PROBLEMS[0], PROBLEMS[0]])) == ["p0"]


def test_a_dump_that_is_no_text_is_told(tmp_path):
    """Of another encoding."""
    (tmp_path / "dump.jsonl").write_bytes('{"question": "ü"}'.encode("latin-1"))
    with pytest.raises(ConfigError, match="is not UTF-8"):
        list(of_dump(tmp_path / "dump.jsonl"))


# ----------------------------------------------------------------------------------------------- sweeps


def swept(folder, truth="4", common=False):
    exact = Exact(reference=truth)
    sweep = Sweep(
        PROBLEMS, {"two": BestOfN(2, exact), "four": BestOfN(4, exact)}, [Budget(generations=4)], seeds=[0, 1, 2],
        truth=exact, endpoints=[MODEL], common=common,
    )  # fmt: skip
    return sweep if folder is None else sweep.run(folder)


@pytest.mark.parametrize("common", [False, True])
def test_no_sample_of_a_sweep_is_a_row_twice(tmp_path, common):
    """Neither in its journal, where common samples stand once, nor in a group of its rows."""
    swept(tmp_path / "s", common=common)
    for one in of_journal(tmp_path / "s" / "shard-0" / "journal.db"):
        draws = [
            (t.origin.path.split()[2].split("/")[0], t.origin.path.rpartition("draw[")[2][0]) for t in one.trajectories
        ]
        assert not common or len(draws) == len(set(draws)) == 12
        assert all(t.right == (t.text == "4") for t in one.trajectories)
    export(tmp_path / "s", tmp_path / "g.jsonl", "groups", recipe=Groups())
    for row in lines(tmp_path / "g.jsonl"):
        assert (row["origin"]["path"], len(row["texts"])) in [("two generations=4", 3), ("four generations=4", 3)]


def test_a_sweep_that_was_judged_again_has_no_verdict_where_the_two_differ(tmp_path):
    """Its journal holds both."""
    swept(tmp_path / "s", common=True)
    rejudge(tmp_path / "s", swept(None, "5", common=True), tmp_path / "again")
    said = {
        (t.text, t.right) for one in of_journal(tmp_path / "again" / "shard-0" / "journal.db") for t in one.trajectories
    }
    assert said == {("4", None), ("5", None), ("6", False)}


ROW_FAULTS = [{"answer": None, "drop": "answer"}, {"drop": "finish"}, {"seed": "1"}, {"unknown": "no"}, {"score": "1"},
              {"generated_tokens": None}, {"strategy": 3}, {"problem": 3}, {"right": 1}]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ROW_FAULTS)))
def test_damaged_rows_of_a_sweep_are_told(tmp_path, number):
    """A field of another kind, or none."""
    swept(tmp_path / "s")
    header, row, *rest = lines(tmp_path / "s" / "results.jsonl")
    row.update(ROW_FAULTS[number])
    row.pop(row.pop("drop", ""), None)
    (tmp_path / "s" / "results.jsonl").write_text("".join(json.dumps(one) + "\n" for one in (header, row, *rest)))
    with pytest.raises(ConfigError, match=r"damaged.*run the sweep again"):
        list(of_sweep(tmp_path / "s"))


def test_a_sweep_that_lacks_rows_is_told(tmp_path):
    """Its header says how many there are."""
    swept(tmp_path / "s")
    whole = (tmp_path / "s" / "results.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "s" / "results.jsonl").write_text("".join(whole[:-1]))
    with pytest.raises(ConfigError, match="incomplete"):
        list(of_sweep(tmp_path / "s"))


def test_prompts_that_a_sweep_did_not_ask_are_refused(tmp_path):
    """Answers would be taught to another question."""
    swept(tmp_path / "s")
    with pytest.raises(ConfigError, match="asked another prompt of 'p0'"):
        list(of_sweep(tmp_path / "s", {"p0": Problem("p0", Prompt.of("What is 9?"))}))


# --------------------------------------------------------------------------------------------- journals


def test_a_verdict_on_several_texts_is_on_none_of_them_though_one_is_lost(tmp_path):
    """Judged is what an attempt came to; when a text of it is gone, the other one is not what was judged."""
    path = tmp_path / "run.db"
    strategy = Fallback((SelfConsistency(2), SelfConsistency(2)), Exact())
    solve_sync(PROBLEMS[0], strategy, generator=MODEL, journal=path)
    with sqlite3.connect(path) as db:
        found = [row[0] for row in db.execute("SELECT id FROM call WHERE role = 'generate' ORDER BY id")]
        assert db.execute("SELECT count(*) FROM call WHERE role = 'verify'").fetchone()[0] >= 1
        db.executemany("DELETE FROM call WHERE id = ?", [(one,) for one in found[::2]])
    db.close()
    [one] = of_journal(path)
    assert one.trajectories
    assert {t.right for t in one.trajectories} == {None}
