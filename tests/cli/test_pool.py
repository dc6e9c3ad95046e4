"""`searchkit pool`: from a log to curves, and from a pool to other tools."""

from __future__ import annotations

import json

import pytest

from searchkit.cli import main
from searchkit.experiments import Pool
from tests.logs.made import batch_row, eval_log, harness_row, inspect_sample, lines


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def log(path, problems=3, epochs=4):
    samples = [
        inspect_sample(i, e, "C" if (i + e) % 3 else "I", str(i + e))
        for e in range(1, epochs + 1)
        for i in range(problems)
    ]
    return eval_log(path, *samples)


def test_from_a_log_to_curves(here, capsys):
    """One command; the pool is a file that the rest of the package reads."""
    log(here / "run.eval")
    assert main(["pool", "import", "run.eval"]) == 0
    said = capsys.readouterr().out
    assert "pool.jsonl: 12 samples of 3 problems (inspect, written by 'm')" in said
    assert "the log says: match accuracy (mean) 0.5" in said
    assert "pass@k (%)" in said
    assert "maj@k (%)" in said
    assert Pool.load("pool.jsonl").size == 4
    assert main(["pool", "import", "run.eval"]) == 2
    assert "pool.jsonl is there already" in capsys.readouterr().err


def test_as_json_with_a_picture(here, capsys):
    """For scripts."""
    log(here / "run.eval")
    assert main(["pool", "import", "run.eval", "--json", "--plot", "x.png", "--out", "p.jsonl"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["samples"], told["problems"], told["unknown"], told["correct"]) == (12, 3, 0, 8)
    assert [curve["name"] for curve in told["curves"]] == ["pass@k", "maj@k"]
    assert (here / "x.png").stat().st_size > 1000


def test_a_truth_judges_what_the_log_does_not(here, capsys):
    """By the log's references: repeats of the harness, each for itself."""
    lines(here / "samples_x.jsonl", *(harness_row(i, ("so 4", "so 5", "so 4", "none")) for i in range(3)))
    assert main(["pool", "import", "samples_x.jsonl"]) == 0
    assert "nothing is known to be right or wrong: judge the samples, --truth" in capsys.readouterr().out
    asked = ["pool", "import", "samples_x.jsonl", "--truth", "Exact(number)", "--out", "q.jsonl"]
    assert main([*asked, "--save-problems", "problems.jsonl"]) == 0
    assert "the log says: exact_match,first 1" in capsys.readouterr().out
    assert [e.correct for e in Pool.load("q.jsonl").entries["0"]] == [True, False, True, False]
    assert json.loads((here / "problems.jsonl").read_text().splitlines()[0]) == {
        "id": "0", "prompt": "0: 2+2?", "reference": "4",
    }  # fmt: skip


def test_a_batch_needs_problems(here, capsys):
    """Which are yours; the error says so."""
    lines(here / "out.jsonl", batch_row("p-0", "it is 4"), batch_row("p-1", "it is 5"))
    asked = ["pool", "import", "out.jsonl", "--problem", "(.*)-[0-9]+", "--truth", "exact"]
    assert main(asked) == 2
    assert "problem 'p' of the pool is not among problems" in capsys.readouterr().err
    lines(here / "mine.jsonl", {"id": "p", "prompt": "2+2?", "reference": "4"})
    assert main([*asked, "--problems", "mine.jsonl"]) == 0
    assert [e.correct for e in Pool.load("pool.jsonl").entries["p"]] == [True, False]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--key", "nonsense"], "unknown name 'nonsense'"),
        (["--form", "xml"], "there is no form 'xml'"),
        (["--correct", "style"], "no score 'style', it has 'match'"),
        (["--field", "x"], "a field is written NAME=FIELD"),
        (["--out", "nowhere/p.jsonl"], "there is no such folder"),
        (["--truth", "nonsense"], "nonsense"),
        (["--problems", "nothing.jsonl", "--truth", "exact"], "nothing.jsonl cannot be read"),
    ],
)
def test_mistakes_are_sentences(here, capsys, more, said):
    """Exit code 2, and no pool."""
    log(here / "run.eval")
    assert main(["pool", "import", "run.eval", *more]) == 2
    assert said in capsys.readouterr().err
    assert not (here / "pool.jsonl").exists()


@pytest.mark.parametrize("action", ["import", "export"])
def test_a_list_of_forms(here, capsys, action):
    """With what each carries over."""
    given = ["x", "--form", "list"] if action == "import" else ["x", "--as", "list"]
    assert main(["pool", action, *given]) == 0
    assert "inspect " in capsys.readouterr().out


def test_from_a_pool_to_other_tools(here, capsys):
    """Named by the source where no name is given."""
    log(here / "run.eval")
    assert main(["pool", "import", "run.eval", "--out", "mine.jsonl"]) == 0
    capsys.readouterr()
    assert main(["pool", "export", "mine.jsonl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["mine.eval"]
    assert main(["pool", "export", "mine.jsonl", "--as", "csv"]) == 0
    assert capsys.readouterr().out == "mine.csv\nmine.csv.manifest.json\n"
    assert main(["pool", "import", "mine.eval", "--out", "again.jsonl"]) == 0
    again, mine = Pool.load("again.jsonl"), Pool.load("mine.jsonl")
    assert again.curve("pass@k").mean == mine.curve("pass@k").mean
