"""`searchkit export`: a file from a journal, and what is told about it."""

from __future__ import annotations

import json

import pytest

from searchkit import Model, Problem, Prompt, solve_sync
from searchkit.cli import main
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN
from searchkit.verifiers import Exact


@pytest.fixture
def journal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = Model(Simulated({"4": 0.5, "5": 0.5}))
    for i in range(3):
        problem = Problem(f"p{i}", Prompt.of(f"What is {i} - {i} + 4?"), reference="4")
        solve_sync(problem, BestOfN(6, Exact()), generator=model, journal="run.db")
    return tmp_path


def test_pairs_from_a_journal(journal, capsys):
    """The default name, and what was left out."""
    assert main(["export", "run.db", "--as", "trl-dpo"]) == 0
    assert "trl-dpo.jsonl: 3 rows\nof 3 problems" in capsys.readouterr().out
    rows = [json.loads(line) for line in (journal / "trl-dpo.jsonl").read_text().splitlines()]
    assert [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows] == [("4", "5")] * 3


def test_as_json_in_parquet_with_a_margin_that_none_has(journal, capsys):
    """No rows, no file, exit code 1."""
    assert main(["export", "run.db", "--as", "trl-dpo", "--margin", "2", "--out", "x.parquet", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == {}
    assert told["dropped"]["margin below the bar"] == told["dropped"]["pairs"] == 3
    assert not (journal / "x.parquet").exists()


def test_what_is_held_out_fails_by_name(journal, capsys):
    """Or is left out."""
    (journal / "held.txt").write_text("p1\n")
    assert main(["export", "run.db", "--held-out", "held.txt"]) == 2
    assert "'p1' is held out" in capsys.readouterr().err
    assert main(["export", "run.db", "--held-out", "held.txt", "--drop-held-out"]) == 0
    assert "held out: 1 problems, such as 'p1'" in capsys.readouterr().out


def test_problems_bring_references(journal, capsys):
    """A file of them; mistakes name the line."""
    (journal / "p.jsonl").write_text('{"id": "p0", "prompt": "What is 0 - 0 + 4?", "reference": "4"}\n')
    assert main(["export", "run.db", "--as", "verl", "--problems", "p.jsonl", "--out", "v.jsonl"]) == 0
    row = json.loads((journal / "v.jsonl").read_text().splitlines()[0])
    assert row["reward_model"]["ground_truth"] == "4"
    (journal / "p.jsonl").write_text('{"prompt": "x"}\n')
    assert main(["export", "run.db", "--problems", "p.jsonl"]) == 2
    assert "line 1" in capsys.readouterr().err


def test_the_formats_are_listed_and_mistakes_told(journal, capsys):
    """A margin where there are no pairs, a format that is none."""
    assert main(["export", "run.db", "--as", "list"]) == 0
    assert "trl-prm" in capsys.readouterr().out
    assert main(["export", "run.db", "--margin", "1"]) == 2
    assert main(["export", "run.db", "--as", "dpo"]) == 2
    assert main(["export", "nothing"]) == 2


def test_several_journals_make_one_file(journal, capsys):
    """As those of a sweep's shards."""
    solve_sync(Problem("other", Prompt.of("What is 4?"), reference="4"), BestOfN(6, Exact()),
               generator=Model(Simulated({"4": 0.5, "5": 0.5})), journal="other.db")  # fmt: skip
    assert main(["export", "run.db", "other.db", "--as", "trl-kto", "--out", "x.jsonl"]) == 0
    found = {json.loads(line)["origin"]["problem"] for line in (journal / "x.jsonl").read_text().splitlines()}
    assert found == {"p0", "p1", "p2", "other"}


def test_a_prompt_of_a_problems_file_may_hold_any_break(journal):
    """A line of JSON ends at a line feed, and nowhere else."""
    line = json.dumps({"id": "p0", "prompt": "What is 0 - 0 + 4?", "reference": "4\u2028"}, ensure_ascii=False)
    (journal / "problems.jsonl").write_text(line + "\n", encoding="utf-8")
    assert main(["export", "run.db", "--as", "trl-grpo", "--problems", "problems.jsonl", "--out", "x.jsonl"]) == 0
    assert "4\u2028" in {json.loads(line)["reference"] for line in (journal / "x.jsonl").read_text().split("\n")[:-1]}


def test_a_folder_that_is_not_there_is_told(journal, capsys):
    """In a sentence."""
    assert main(["export", "run.db", "--out", "nowhere/x.jsonl"]) == 2
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
