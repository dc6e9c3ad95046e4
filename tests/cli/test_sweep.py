"""`searchkit sweep`, `compare` and `plot` as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from searchkit.cli import main
from searchkit.cli.sweep_config import load

BEGIN = """
out = "results"
seeds = [0, 1]
truth = "Exact"
[problems]
file = "problems.jsonl"
[model]
backend = "simulated"
answers = {4 = 0.5, 5 = 0.3, 6 = 0.2}
"""
SIMULATED = 'backend = "simulated"\nanswers = {4 = 0.5, 5 = 0.3, 6 = 0.2}'
VOTES = """
[strategies.vote]
strategy = "self-consistency"
n = 8
[strategies.stopping]
strategy = "self-consistency"
n = 8
stop = "BetaStopping(0.8)"
"""
BUDGETS = "[[budgets]]\ngenerations = 2\n[[budgets]]\ngenerations = 8\n"


def run(capsys, *arguments):
    code = main(list(map(str, arguments)))
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
def config(tmp_path):
    """Writes a configuration, beside a file of 30 problems; returns its path."""
    rows = [{"id": f"p{i}", "prompt": f"what is {i} - {i} + 4?", "reference": "4"} for i in range(30)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "problems.csv").write_text("name,question,solution\n" + "a,what is 2+2?,4\nb,what is 2+3?,5\n")

    def write(text):
        (tmp_path / "config.toml").write_text(text)
        return tmp_path / "config.toml"

    return write


@pytest.mark.slow
def test_a_sweep_is_run_compared_and_plotted(config, capsys, tmp_path):
    """30 problems x 2 strategies x 2 budgets x 2 seeds: the table, its JSON, the differences, a PNG."""
    path = config(BEGIN + VOTES + BUDGETS)
    code, table, err = run(capsys, "sweep", path)
    assert code == 0
    assert "240/240" in err
    rows = {tuple(line.split()[:2]): line.split() for line in table.splitlines()[1:]}
    assert set(rows) == {(s, b) for s in ("vote", "stopping") for b in ("generations=2", "generations=8")}
    assert rows["vote", "generations=8"][2:4] == ["60", "0"]
    assert rows["vote", "generations=8"][-3:] == ["80", "10", "8.0"]
    code, out, _ = run(capsys, "sweep", path, "--json")
    cells = json.loads(out)["cells"]
    assert (code, len(cells)) == (0, 4)
    by_name = {(cell["strategy"], cell["budget"]): cell for cell in cells}
    assert f"{100 * by_name['vote', 'generations=8']['accuracy']:.1f}" == rows["vote", "generations=8"][5]
    code, out, _ = run(capsys, "compare", tmp_path / "results:vote", tmp_path / "results:stopping", "--json")
    for one in json.loads(out):
        a, b = (by_name[name, one["a"]["budget"]]["accuracy"] for name in ("vote", "stopping"))
        assert one["difference"] == pytest.approx(a - b)
        assert one["low"] <= one["difference"] <= one["high"]
        assert one["problems"] == 30
    code, out, _ = run(capsys, "compare", tmp_path / "results", tmp_path / "results")
    assert out.count("difference  0.0 [0.0, 0.0] points") == 4
    code, out, _ = run(capsys, "plot", tmp_path / "results")
    assert (code, out.strip()) == (0, str(tmp_path / "results/accuracy.png"))
    assert (tmp_path / "results/accuracy.png").read_bytes().startswith(b"\x89PNG")
    for name, more in (("seconds", ()), ("flops", ("--parameters", "8e9")), ("cost", ("--usd-per-million", "1", "4"))):
        code, out, _ = run(capsys, "plot", tmp_path / "results", "--x", name, *more, "--to", tmp_path / f"{name}.png")
        assert (code, out.strip()) == (0, str(tmp_path / f"{name}.png"))


def test_a_csv_with_its_own_columns_and_processes(config, capsys, tmp_path):
    """Columns are named in the file; a model that always answers 4 is right in one of two; joblib does the work."""
    path = config(
        'out = "o"\n[problems]\nfile = "problems.csv"\nid = "name"\nprompt = "question"\nreference = "solution"\n'
        '[model]\nbackend = "simulated"\nanswers = {4 = 1.0}\n[strategies.one]\nstrategy = "self-consistency"\nn = 1\n'
    )
    code, out, _ = run(capsys, "sweep", path, "--json", "--executor", "processes", "--jobs", "2")
    [cell] = json.loads(out)["cells"]
    assert (code, cell["accuracy"], cell["searches"]) == (0, 0.5, 2)
    rows = [json.loads(line) for line in (tmp_path / "o/results.jsonl").read_text().splitlines()[1:]]
    assert [(row["problem"], row["right"]) for row in rows] == [("a", True), ("b", False)]


def test_the_embedded_model_on_a_task_of_the_lab(config, capsys):
    """Held-out puzzles, the task's checker as truth and as the verifier of best-of-N: never better by fewer samples."""
    path = config(
        'out = "o"\n[problems]\ntask = "countdown"\ncount = 6\n[model]\nmax_tokens = 64\n'
        '[strategies.best]\nstrategy = "best-of-n"\nn = 8\n' + BUDGETS
    )
    code, out, _ = run(capsys, "sweep", path, "--json")
    two, eight = json.loads(out)["cells"]
    assert code == 0
    assert two["accuracy"] <= eight["accuracy"]
    assert (two["model_calls"], eight["model_calls"]) == (2, 8)


def test_a_file_of_puzzles_is_what_the_lab_draws(config, capsys, tmp_path):
    """The same puzzles from a file, whose lines have no line break at their end, give the same rows."""
    rest = '[model]\nmax_tokens = 64\n[strategies.one]\nstrategy = "best-of-n"\nn = 2\n'
    run(capsys, "sweep", config('out = "lab"\n[problems]\ntask = "countdown"\ncount = 3\n' + rest), "--json")
    rows = [json.loads(line) for line in (tmp_path / "lab/results.jsonl").read_text().splitlines()[1:]]
    ids = [row["problem"] for row in rows]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps({"id": i, "prompt": i}) + "\n" for i in ids))
    text = 'out = "file"\ntruth = "countdown"\n[problems]\nfile = "problems.jsonl"\n' + rest
    assert run(capsys, "sweep", config(text), "--json")[0] == 0
    assert (tmp_path / "lab/results.jsonl").read_bytes() == (tmp_path / "file/results.jsonl").read_bytes()


def test_more_at_once_than_there_is_costs_nothing(config, capsys):
    """A concurrency that stands for "all" makes no more workers than there are searches.

    Without a stopping rule: of what is in flight when one stops, what has ended by then is charged.
    """
    text = BEGIN.replace("[0, 1]", "[0]") + VOTES.partition("[strategies.stopping]")[0]
    code, said, _ = run(capsys, "sweep", config(text), "--json")
    assert code == 0
    huge = f"concurrency = {10**30}\n" + text.replace('"results"', '"other"')
    code, again, _ = run(capsys, "sweep", config(huge), "--json")
    assert code == 0
    each = [[(cell["accuracy"], cell["tokens"]) for cell in json.loads(text)["cells"]] for text in (said, again)]
    assert each[0] == each[1]


def test_names_of_strategies_with_colons_are_compared(config, capsys, tmp_path):
    """The folder ends at the first colon behind which a folder stands."""
    text = BEGIN.replace("[0, 1]", "[0]") + VOTES.replace("strategies.vote", 'strategies."a:b:c"')
    assert run(capsys, "sweep", config(text), "--json")[0] == 0
    folder = tmp_path / "results"
    code, out, _ = run(capsys, "compare", f"{folder}:a:b:c", f"{folder}:stopping")
    assert (code, "a:b:c minus stopping" in out) == (0, True)
    assert "has no strategy 'a:b'" in run(capsys, "compare", f"{folder}:a:b", folder)[2]


@pytest.mark.parametrize("name", ["a\\nb", "a\\u001b[31mb", " ", "", "a\\u202eb"])
def test_names_that_no_table_can_print_are_refused(config, capsys, name):
    code, _, err = run(capsys, "sweep", config(BEGIN + VOTES.replace("strategies.vote", f'strategies."{name}"')))
    assert code == 2
    assert "must be texts that can be printed in a line" in err


@pytest.mark.parametrize(
    ("mark", "text", "says"),
    [
        ("\ufeff", "", ""),
        ("", "x = " + "[" * 5000, "nested too deep"),
        ("", "x = " + "{y = " * 5000, "nested too deep"),
        ("", 'x = "\x1b[31m"', "cannot be read as TOML"),
    ],
    ids=["mark", "lists", "tables", "escape"],
)
def test_files_of_editors_and_of_nobody(config, capsys, mark, text, says):
    """A byte order mark is read over; what is no TOML is told in one line that no terminal obeys."""
    path = config("")
    path.write_text(mark + text + BEGIN.replace("[0, 1]", "[0]") + VOTES, encoding="utf-8")
    assert main(["sweep", str(path), "--json"]) == (2 if says else 0)
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") <= 1
    assert "\x1b" not in said


def test_failures_are_told(config, capsys):
    """Some calls fail: those rows count as wrong, and the first error is shown with the way on."""
    path = config(BEGIN + "failures = 0.5\n" + VOTES.replace("n = 8", "n = 1"))
    code, out, err = run(capsys, "sweep", path, "--json")
    failed = sum(cell["failed"] for cell in json.loads(out)["cells"])
    assert code == 0
    assert 30 < failed < 90
    assert f"{failed} searches failed and are not right, the first: CallError: a simulated failure" in err
    assert "--retry-failed" in err


def test_where_all_fails_there_is_no_table(config, capsys, tmp_path):
    """The sweep ends with the reason, and keeps nothing; mended, the same command makes all searches."""
    path = config(BEGIN + "failures = 1.0\n" + VOTES)
    code, out, err = run(capsys, "sweep", path, "--json")
    assert (code, out) == (1, "")
    assert "searches in a row failed alike, so the sweep has ended: CallError: a simulated failure" in err
    assert (tmp_path / "results/shard-0/rows.jsonl").read_text() == ""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seeds", "sead", "unknown key 'sead': did you mean 'seeds'?"),
        ("[0, 1]", '"0"', "seeds must be a list"),
        ("[0, 1]", '["0"]', "seeds[0] must be a whole number"),
        ("answers", "answer", "unknown key 'model.answer': did you mean 'answers'?"),
        ('"simulated"', '"emulated"', "model.backend: unknown backend 'emulated': did you mean 'simulated'?"),
        ('"self-consistency"', '"self-consitency"', "strategies.vote: unknown strategy"),
        ('"self-consistency"', '"self-consitency"', "did you mean 'SelfConsistency'?"),
        (
            '"BetaStopping(0.8)"',
            '"BetaStoping(0.8)"',
            "strategies.stopping: unknown name 'BetaStoping': did you mean 'BetaStopping'?",
        ),
        ("n = 8", "m = 8", "strategies.vote: SelfConsistency has no parameter 'm'"),
        ("n = 8", "n = 0", "strategies.vote: SelfConsistency needs a whole n >= 1"),
        ("n = 8", 'n = 8\nverifier = "Exact()"', "strategies.vote.verifier: a search of a sweep does not see"),
        ('strategy = "self', 'strategi = "self', "strategies.vote must be a table with a key strategy"),
        ('truth = "Exact"', 'truth = "Exakt"', "truth: unknown name 'Exakt': did you mean 'Exact'?"),
        ('file = "problems.jsonl"', 'file = "nowhere.jsonl"', "problems.file:"),
        ('file = "problems.jsonl"', 'file = "problems.csv"', "problems.file: problems.csv, line 2: it needs a text"),
        ('file = "problems.jsonl"', 'task = "countdwn"', "problems.task: unknown task 'countdwn': did you mean"),
        ('file = "problems.jsonl"', 'taks = "countdown"', "unknown key 'problems.taks': did you mean 'task'?"),
        ('file = "problems.jsonl"', 'file = "problems.jsonl"\ncount = 0', "problems.count must be >= 1"),
        ("generations = 2", "generation = 2", "unknown key 'budgets[0].generation': did you mean 'generations'?"),
        ("generations = 2", "generations = -2", "ceiling must be >= 0"),
        ('out = "results"', "", "the key 'out' is missing"),
        ("[problems]", "[problems", "cannot be read as TOML"),
        ("5 = 0.3", "5 = 0.4", "probabilities"),
        (
            '"self-consistency"',
            '"best-of-n"',
            "needs a verifier: add a key verifier to the table [strategies.vote]",
        ),
        ('"self-consistency"', '"best-of-n"\nverifier = "process-reward"', "the verifier process-reward reads"),
        *(
            ('truth = "Exact"', f'truth = "{truth}"', 'it takes a verifier that passes or fails: "Exact"')
            for truth in (
                "process-reward",
                "outcome_reward",
                "number",
                "best-of-n",
                "BetaStopping()",
                "4",
                "a b",
                "Exakt",
            )
        ),
        ('"simulated"', '"http://localhost:1/v1"', "unknown key 'model.answers'"),
        (
            SIMULATED,
            'backend = "http://localhost:1/v1"\nmodel = "m"\ncoalesce = 1',
            "model.coalesce must be true or false",
        ),
        (SIMULATED, 'backend = "http://localhost:1/v1"', "the key 'model.model' is missing"),
        (SIMULATED, 'model = "countdwn"', "model.model: unknown model 'countdwn': did you mean 'countdown'?"),
    ],
)
def test_each_mistake_names_its_key(config, capsys, old, new, says):
    """The table above: exit code 2, one line on stderr, nothing on stdout."""
    path = config((BEGIN + VOTES + BUDGETS).replace(old, new, 1))
    code, out, err = run(capsys, "sweep", path)
    assert (code, out) == (2, "")
    assert says in err
    assert not any(option in err for option in (" -p ", "--verifier", "--model", "--reference"))
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("truth", ["exact", "math-equal", "MathEqual(number)", "Exact(boxed)", "countdown"])
def test_truths_that_pass_or_fail_are_read(config, truth):
    """Also spelt as strategies are."""
    text = (BEGIN + VOTES).replace('truth = "Exact"', f'truth = "{truth}"')
    assert hasattr(load(config(text)).sweep.truth, "verify")


def test_mistakes_of_compare_and_plot(config, capsys, tmp_path):
    """No folder, no such strategy, nothing in common, no PNG: one line each."""
    run(capsys, "sweep", config(BEGIN + VOTES), "--json")
    results = tmp_path / "results"
    for arguments, says in (
        (("compare", tmp_path / "nowhere", results), "no sweep's folder"),
        (("compare", f"{results}:vot", f"{results}:vote"), "did you mean 'vote'?"),
        (("compare", f"{results}:vote", results), "nothing in common"),
        (("plot", tmp_path), "no sweep's folder"),
        (("plot", results, "--to", "figure.pdf"), ".png"),
        (("plot", results, "--x", "secons"), "did you mean 'seconds'?"),
        (("plot", results, "--x", "flops"), "--x flops needs --parameters"),
        (("plot", results, "--usd-per-million", "1", "2"), "--x cost needs --usd-per-million"),
        (("plot", results, "--x", "usd"), "has no dollars per problem"),
    ):
        code, out, err = run(capsys, *arguments)
        if says == "nothing in common":  # vote against vote and stopping: the one they share
            assert (code, out.count("difference")) == (0, 1 + 1)
            continue
        assert (code, out) == (2, "")
        assert says in err


@pytest.mark.slow
def test_ctrl_c_prints_what_there_is_and_the_same_command_resumes(config, tmp_path):
    """SIGINT in the middle: exit code 130, the table so far, the command; run again, all rows are there."""
    path = config("concurrency = 4\n" + BEGIN + "latency = 0.02\n" + VOTES)  # slow enough to be met in the middle
    command = [sys.executable, "-m", "searchkit", "sweep", str(path), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "results/shard-0/rows.jsonl"
    while not (log.exists() and log.stat().st_size > 2000):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "searchkit sweep" in err
    told = json.loads(out)
    assert not told["complete"]
    assert told["expected"] == 120
    assert told["diagnosis"].startswith(f"incomplete: {told['searches']} of 120 searches are done")
    assert f"interrupted after {told['searches']} of 120 searches" in err
    assert 0 < sum(cell["searches"] for cell in told["cells"]) < 120
    assert not (tmp_path / "results/results.jsonl").exists()
    again = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert again["complete"]
    assert [cell["searches"] for cell in again["cells"]] == [60, 60]


UNREAD = BEGIN.replace("4 = 0.5, 5 = 0.3, 6 = 0.2", '"so\\nit is 4" = 0.5, "5" = 0.5')


def test_what_is_unknown_is_told_on_the_first_screen(config, capsys, tmp_path):
    """The table with its bounds and the diagnosis, JSON with the same, and compare with what they leave open."""
    path = config(UNREAD + VOTES + "[[budgets]]\ngenerations = 1\n")
    code, table, err = run(capsys, "sweep", path)
    assert code == 0
    assert "unknown" in err  # the bar
    assert "at most (%)" in table.splitlines()[0]
    said = table.splitlines()[-1]
    assert said.startswith("no answer could be read in ")
    assert "replies, for example 'so\\nit is 4'; try MathEqual(number), and give the same key to strategies" in said
    code, out, _ = run(capsys, "sweep", path, "--json")
    told = json.loads(out)
    assert told["diagnosis"] == said
    for cell in told["cells"]:
        assert cell["at_most"] == pytest.approx(cell["accuracy"] + cell["unknown"] / cell["searches"])
        assert cell["of_known"] == 0.0
    code, out, _ = run(capsys, "compare", tmp_path / "results:vote", tmp_path / "results:stopping")
    assert "unknown, at most" in out
    assert "points, however the unknown verdicts turn out" in out
    code, out, _ = run(capsys, "compare", tmp_path / "results:vote", tmp_path / "results:stopping", "--json")
    [one] = json.loads(out)
    assert one["at_least"] < one["difference"] < one["at_most"]
    assert run(capsys, "plot", tmp_path / "results")[0] == 0


def test_a_sweep_of_which_nothing_could_be_read_has_failed(config, capsys, tmp_path):
    """Code 1, as where every search failed; the advice, taken, mends it."""
    text = UNREAD.replace('"5" = 0.5', '"so\\nit is 5" = 0.5') + VOTES
    code, table, _ = run(capsys, "sweep", config(text))
    assert code == 1
    assert "no answer could be read in 120 of 120 replies" in table
    mended = text.replace('truth = "Exact"', 'truth = "MathEqual(number)"').replace('"results"', '"again"')
    mended = mended.replace("n = 8", 'n = 8\nkey = "number"')
    code, table, _ = run(capsys, "sweep", config(mended))
    assert code == 0
    assert "no answer" not in table
    rows = [json.loads(line) for line in (tmp_path / "again/results.jsonl").read_text().splitlines()[1:]]
    assert {row["model_calls"] for row in rows if row["strategy"] == "stopping"} != {8}  # the vote was decided early
