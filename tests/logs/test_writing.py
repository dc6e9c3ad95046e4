"""Pools and sweeps for other tools: what is written is what was there, and it comes back."""

from __future__ import annotations

import csv
import json
import zipfile

import pytest

from searchkit import Budget, Model, Problem, Prompt
from searchkit.errors import ConfigError
from searchkit.experiments import Entry, Pool, Sweep
from searchkit.generators import Simulated
from searchkit.logs import WRITERS, read_log, trackers, write_log
from searchkit.logs.parts import parts
from searchkit.strategies import SelfConsistency
from searchkit.verifiers import Exact

ODD = "=1+1 \u202e \x1b[31m <script>alert(1)</script>\n,\"'"
POOL = Pool({
    "a/../b": (
        Entry("4", "4", 0.5, True, 3, 2, "stop", 0.25, {"reward": 0.5}, feedback="fine"),
        Entry(ODD, None, None, False, 9, 2, "length"),
    ),
    "2": (Entry(None, finish="error", feedback="no server"), Entry("?", unknown=True, feedback="unread")),
})  # fmt: skip
PROBLEMS = [Problem("2", Prompt.of("What is 2?"), "2")]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two strategies, two budgets, two seeds, three problems."""
    out = tmp_path_factory.mktemp("sweeps") / "run"
    problems = [Problem(f"p{i}", Prompt.of(f"What is {i}?"), "4") for i in range(3)]
    strategies = {"vote, of 2": SelfConsistency(2), "vote": SelfConsistency(3)}
    budgets = [Budget(generations=2), Budget(generations=3)]
    Sweep(problems, strategies, truth=Exact(), endpoints=[Model(Simulated({"4": 0.5, "5": 0.5}))], budgets=budgets,
          seeds=(0, 1)).run(out)  # fmt: skip
    return out


def test_a_log_of_inspect_comes_back(tmp_path):
    """Everything that Inspect has a place for; its accuracy is by its own rules."""
    [path] = write_log(POOL, tmp_path / "x.eval", problems=PROBLEMS, model="m")
    found = read_log(path)
    for name, column in POOL.entries.items():
        for old, new in zip(column, found.pool.entries[name], strict=True):
            assert (new.value, new.correct, new.unknown, new.finish) == (
                old.value,
                old.correct,
                old.unknown,
                old.finish,
            )
            assert (new.generated_tokens, new.prompt_tokens, new.usd, new.key) == (
                old.generated_tokens, old.prompt_tokens, old.usd, old.key,
            )  # fmt: skip
            assert new.feedback == old.feedback
    assert found.pool.entries["a/../b"][0].scores == {"correct": 1.0, "score": 0.5, "reward": 0.5}
    assert {p.id: (p.prompt.text, p.reference) for p in found.problems} == {
        "2": ("What is 2?", "2"),
        "a/../b": ("a/../b", None),
    }
    assert found.figures["correct accuracy (mean)"] == 0.5  # of the problem that has a verdict, one of two is right
    assert found.model == "m"


def test_every_member_is_json_and_the_manifest_is_in_the_header(tmp_path):
    """What Inspect's readers look for."""
    [path] = write_log(POOL, tmp_path / "x.eval")
    with zipfile.ZipFile(path) as file:
        members = {name: json.loads(file.read(name)) for name in file.namelist()}
    assert {"header.json", "summaries.json", "_journal/start.json"} < members.keys()
    assert members["header.json"]["eval"]["metadata"]["searchkit"]["failed"] == 1
    assert len(members["summaries.json"]) == 4


def test_a_log_that_came_back_can_be_written_again(tmp_path):
    """Its score called correct is the truth, and stands there once."""
    [first] = write_log(POOL, tmp_path / "a.eval")
    [second] = write_log(read_log(first).pool, tmp_path / "b.eval")
    assert read_log(second).pool == read_log(first).pool
    with zipfile.ZipFile(second) as file:
        names = [score["name"] for score in json.loads(file.read("header.json"))["results"]["scores"]]
    assert names == ["correct", "reward", "score"]


def test_equal_runs_give_equal_files(tmp_path):
    """No clock is in them."""
    POOL.save(tmp_path / "pool.jsonl")
    [a] = write_log(tmp_path / "pool.jsonl", tmp_path / "a.eval")
    [b] = write_log(tmp_path / "pool.jsonl", tmp_path / "b.eval")
    assert a.read_bytes() == b.read_bytes()


def test_a_sweep_is_a_log_for_each_strategy_and_budget(tmp_path, sweep):
    """Seeds are epochs, and the accuracy of each is what the sweep's table says."""
    from searchkit.experiments.sweep import SweepResults

    written = write_log(sweep, tmp_path / "logs", "inspect")
    summaries = SweepResults.load(sweep).summaries()
    assert len(written) == len(summaries) == 4
    accuracies = {run.name: run.accuracy for run in parts(sweep)}
    assert accuracies == {f"{s.strategy}, {s.budget}": pytest.approx(s.accuracy) for s in summaries}
    for path, run in zip(written, parts(sweep), strict=True):
        assert read_log(path).pool.curve("pass@k", [1]).mean[0] == pytest.approx(run.accuracy)
        assert run.pool.size == 2
        assert run.manifest["sweep"]["configuration"]["seeds"] == [0, 1]


def test_csv_has_a_row_a_sample_and_the_manifest_beside_it(tmp_path, sweep):
    """Read by another reader; what a spreadsheet would work out is a text."""
    path, beside = write_log(POOL, tmp_path / "x.csv", "csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["problem"], r["sample"], r["correct"], r["finish"]) for r in rows] == [
        ("a/../b", "0", "True", "stop"), ("a/../b", "1", "False", "length"), ("2", "0", "False", "error"),
        ("2", "1", "False", "stop"),
    ]  # fmt: skip
    assert rows[1]["value"] == f"'{ODD}"
    assert rows[0]["score.reward"] == "0.5"
    assert json.loads(beside.read_text())[0]["samples"] == 4
    path, _ = write_log(sweep, tmp_path / "y.csv", "csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert {row["seed"] for row in rows} == {"0", "1"}
    assert all(float(row["wall_s"]) >= 0 for row in rows)


def test_parquet_has_types_and_the_manifest_inside(tmp_path, sweep):
    """Numbers are numbers, and null is null."""
    parquet = pytest.importorskip("pyarrow.parquet")
    [path] = write_log(POOL, tmp_path / "x.parquet", "parquet")
    table = parquet.read_table(path)
    assert table.column("generated_tokens").to_pylist() == [3, 9, 0, 0]
    assert table.column("score.reward").to_pylist() == [0.5, None, None, None]
    assert table.column("value").to_pylist() == ["4", ODD, None, "?"]
    assert json.loads(table.schema.metadata[b"searchkit"])[0]["unknown"] == 1
    [path] = write_log(sweep, tmp_path / "y.parquet", "parquet")
    assert parquet.read_table(path).num_rows == 24


def test_what_trackers_are_told():
    """Figures at step 0, curves by their number of samples, settings as texts that fit."""
    pool = Pool({f"p{i}": tuple(Entry("4", "4", 1.0, i + j > 2) for j in range(4)) for i in range(3)})
    [run] = parts(pool, name="mine", model="m")
    told = trackers.tracked(run)
    metrics = {(name, step): value for name, value, step in told.metrics}
    curve = pool.curve("pass@k")
    assert [metrics["pass_at_k", k] for k in curve.ks] == list(curve.mean)
    assert metrics["accuracy", 0] == pytest.approx(run.accuracy)
    assert metrics["samples", 0] == 12
    assert told.params == {"problems": "3", "model": "m"}
    assert json.loads(told.manifest)["source"] == {"pool": "mine"}
    [alone] = parts(Pool({"p": (Entry("?", unknown=True),)}))
    assert "accuracy" in {name for name, _, _ in trackers.tracked(alone).metrics}


def test_settings_of_a_sweep_are_parameters(sweep):
    """With names that a tracker takes."""
    told = next(trackers.tracked(run) for run in parts(sweep) if run.name.startswith("vote, of 2"))
    assert told.params["strategy"] == "vote, of 2"
    assert told.params["strategy.n"] == "2"
    assert all(len(text) <= trackers.LONGEST for text in told.params.values())


@pytest.mark.parametrize(
    ("out", "form", "said"),
    [
        ("x.log", "inspect", "knows its logs by the ending .eval"),
        ("x.eval", "excel", "there is no form 'excel': choose from inspect"),
        ("there.csv", "csv", "is there already"),
        ("nowhere/x.csv", "csv", "cannot be written"),
        ("nowhere/x.eval", "inspect", "cannot be written"),
    ],
)
def test_mistakes_are_told_and_nothing_is_left(tmp_path, out, form, said):
    """No part of a file either."""
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(ConfigError, match=said):
        write_log(POOL, tmp_path / out, form)
    assert [one.name for one in tmp_path.iterdir()] == ["there.csv"]
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_a_source_that_is_none(tmp_path):
    """A folder without a sweep, a file that is no pool."""
    (tmp_path / "x.txt").write_text("x")
    for source in (tmp_path, tmp_path / "x.txt", tmp_path / "none"):
        with pytest.raises(ConfigError):
            write_log(source, tmp_path / "y.csv", "csv")
    assert len(WRITERS) == 5
