"""The command line as a user types it: answers, JSON, mistakes, Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from searchkit.cli import main, parser, setup
from searchkit.lab.countdown import Countdown, Puzzle, check, solutions
from tests.helpers.terminal import Terminal

PUZZLE = Countdown().puzzles(1, "test")[0]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_solve_prints_an_answer_that_the_checker_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    """Best-of-64 with the embedded model on a held-out puzzle: the JSON's answer replays to the target."""
    code, out, _ = run(capsys, "solve", PUZZLE.prompt.strip(), "-p", "n=64", "--max-tokens", "64", "--json")
    result = json.loads(out)
    assert code == 0
    assert check(PUZZLE, result["answer"]) == ""
    assert len(result["candidates"]) == result["usage"]["generations"] == 64
    assert result["paid"] == result["usage"]


def test_the_text_output_ends_with_what_it_cost(capsys: pytest.CaptureFixture[str]) -> None:
    """A vote with a stopping rule and a trace: answer, trace and one line of accounting."""
    code, out, _ = run(
        capsys, "solve", PUZZLE.prompt, "--strategy", "self-consistency", "-p", "n=9", "-p", "stop=EarlyStopping(3)",
        "--trace", "--budget", "generations=6",
    )  # fmt: skip
    assert code == 0
    assert "SelfConsistency" in out
    assert "6 calls" in out.splitlines()[-1] or "3 calls" in out.splitlines()[-1]


def test_the_second_model_is_named_and_brings_its_checker(capsys: pytest.CaptureFixture[str]) -> None:
    """Arithmetic: a vote of 9 on a small expression, with the verifier's scores; an unknown model is a mistake."""
    code, out, _ = run(capsys, "solve", "3*(12+7)-5", "--model", "arithmetic", "-p", "n=9", "--json")
    result = json.loads(out)
    assert code == 0
    assert result["answer"].splitlines()[-1] == "52"
    assert {c["score"] for c in result["candidates"]} <= {0.0, 1.0}
    code, _, err = run(capsys, "solve", "3*4", "--model", "geometry")
    assert code == 2
    assert "countdown and arithmetic" in err


@pytest.mark.parametrize("name", ["process-reward", "outcome-reward"])
def test_the_shipped_reward_models_are_verifiers(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Best-of-4 by either: the best score is the answer's, every score a chance, a model call for each sample more."""
    code, out, _ = run(capsys, "solve", PUZZLE.prompt, "-p", "n=4", "--max-tokens", "64", "--verifier", name, "--json")
    result = json.loads(out)
    assert code == 0
    scores = {c["text"]: c["score"] for c in result["candidates"]}
    assert all(0 < score < 1 for score in scores.values())
    assert result["answer"] == max(scores, key=scores.__getitem__)
    assert result["usage"]["model_calls"] == 8


@pytest.mark.parametrize(
    ("options", "field", "word"),
    [
        ("--strategy refine -p rounds=1 -p answer=last", "answer", "last"),
        ("--strategy refine -p rounds=1 -p answer=accepted", "answer", "accepted"),
        ("--strategy refine -p rounds=1 -p 'answer=\"last\"'", "answer", "last"),
        ("--strategy successive-halving -p n=2 -p at=[9] -p unit=tokens", "unit", "tokens"),
        ("--strategy refine -p rounds=1 -p 'answer=Vote()'", "answer", "Vote()"),
    ],
)
def test_a_word_that_a_parameter_may_be_needs_no_quotes(options: str, field: str, word: str) -> None:
    """A shell takes quotes away, and a TOML file has them once."""
    arguments = parser().parse_args(["solve", "1 2>3", "--verifier", "countdown", *shlex.split(options)])
    found = getattr(setup.strategy(arguments), field)
    assert found == word or repr(found).startswith(word[:4])


def test_a_tree_search_is_watched_and_its_tree_saved(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """MCTS with a named rule and environment: the tree is shown on stderr and saved; best-of-N has none to save."""
    page = tmp_path / "tree.html"
    code, out, err = run(
        capsys, "solve", PUZZLE.prompt, "--strategy", "mcts", "-p", "environment=CountdownSteps()", "-p",
        "policy=UCT(1.0, widening=Widening(1, 0.5))", "-p", "evaluation=Rollout()", "-p", "iterations=6", "-p",
        "width=2",
        "--max-tokens", "64", "--watch", "--tree", str(page), "--json",
    )  # fmt: skip
    assert code == 0
    nodes = int(err.split("the tree of ")[1].split()[0])
    assert f"{nodes} nodes, depth" in err
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert json.loads(out)["usage"]["generations"] == 6 * 3
    code, _, err = run(capsys, "solve", PUZZLE.prompt, "-p", "n=1", "--tree", str(page))
    assert code == 0
    assert "no tree was saved: BestOfN grows no tree" in err


def test_on_a_terminal_a_search_shows_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, by itself; not with --json, as little as a sweep."""
    monkeypatch.setenv("TERM", "xterm")
    screens = []
    for options in ((), ("--json",)):
        terminal = Terminal(24)
        monkeypatch.setattr(sys, "stderr", terminal)
        assert main(["solve", PUZZLE.prompt, "-p", "n=4", "--max-tokens", "32", *options]) == 0
        screens.append("\n".join(terminal.screen()).strip())
        terminal.shut()
    assert screens[0].startswith("BestOfN  ")
    assert "\nspent    4 generations, 4 verifications, " in screens[0]
    assert screens[1] == ""
    assert "4 candidates" in capsys.readouterr().out


def test_estimate_is_the_worst_case_that_solve_then_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    """16 x 3 nested samples of at most 32 tokens for 10 problems: 480 calls, 15,360 tokens; solve stays below."""
    options = ("-p", "n=16", "-p", "generator=SelfConsistency(3)", "--max-tokens", "32")
    _, out, _ = run(capsys, "estimate", *options, "--problems", "10", "--json")
    worst = json.loads(out)
    assert (worst["model_calls"], worst["generated_tokens"], worst["verifications"]) == (480, 15_360, 160)
    _, out, _ = run(capsys, "solve", PUZZLE.prompt, *options, "--json")
    spent = json.loads(out)["usage"]
    assert spent["model_calls"] == 48
    assert spent["generated_tokens"] <= 1_536


def test_estimate_prices(capsys: pytest.CaptureFixture[str]) -> None:
    """One million generated tokens at 8 dollars a million cost 8 dollars."""
    options = ("-p", "n=1000", "--max-tokens", "1000", "--usd-per-million", "2", "8")
    assert "8.00" in run(capsys, "estimate", *options)[1]
    assert "no bound" in run(capsys, "estimate", "-p", "n=4")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("solve '1 2>3' --strategy best-of-m", "did you mean 'BestOfN'"),
        ("solve '1 2>3' --strategy nonsense", "SelfConsistency"),
        ("solve '1 2>3' -p n=0", "n >= 1"),
        ("solve '1 2>3' -p m=3", "no parameter 'm'"),
        ("solve '1 2>3' -p n", "field=value"),
        ("solve '1 2>3' -p threshold=2", "range"),
        ("solve '1 2>3' -p stop=BetaStoping(0.9) --strategy self-consistency", "did you mean 'BetaStopping'"),
        ("solve '1 2>3' -p \"n=__import__('os')\"", "unknown name"),
        ("solve '1 2>3' -p 'n=(1).real'", "cannot be used here"),
        ("solve '' ", "empty"),
        ("solve 'how are you' ", "cannot read"),
        ("solve '1 2>3' --budget calls=3", "model_calls"),
        ("solve '1 2>3' --budget generations=many", "number"),
        ("solve '1 2>3' --budget generated_tokens=100", "max_tokens"),
        ("solve '1 2>3' --temperature -1", "temperature"),
        ("solve '1 2>3' --verifier exact", "--reference"),
        ("solve '1 2>3' --verifier mine", "module:function"),
        ("solve '1 2>3' --verifier jugde", "did you mean 'Judge'?"),
        ("solve '1 2>3' --verifier weighted", "'verifiers'"),
        ("solve '1 2>3' --verifier 'Vote()'", "is no verifier"),
        ("solve '1 2>3' --verifier 'Judge(scores=Expectd())'", "did you mean 'Expected'?"),
        ("solve '1 2>3' --verifier proces-reward", "did you mean 'process-reward'?"),
        ("solve hi --backend http://127.0.0.1:9/v1 --model m --verifier process-reward", "embedded models"),
        ("solve '1 2>3' --verifier no.such.module:f", "cannot be imported"),
        ("solve hi --backend vlm", "did you mean 'vllm'?"),
        ("solve hi --backend vllm", "add --model NAME"),
        ("solve hi --backend nowhere-near", "give a URL"),
        ("solve '1 2>3' --set temprature=1", "did you mean 'temperature'?"),
        ("solve '1 2>3' --set top_k=many", "top_k must be a whole number"),
        ("solve '1 2>3' --set top_k", "--set needs KEY=VALUE"),
        ("solve hi --backend http://127.0.0.1:9/v1", "--model"),
        ("solve hi --coalesce", "--coalesce"),
        ("solve hi --backend http://127.0.0.1:9/v1 --model m", "verifier"),
        ("solve '1 2>3' --strategy refine -p rounds=1", "needs an answer: add -p answer="),
        ("solve '1 2>3' --strategy refine -p rounds=1 -p answer=first", "unknown name 'first'"),
        ("demo --problems 0", "at least one"),
    ],
)
def test_each_mistake_is_one_sentence_that_names_the_fix(
    capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    """The table above: exit code 1 or 2, nothing on stdout, one line on stderr."""
    code, out, err = run(capsys, *shlex.split(arguments))
    assert code in (1, 2)
    assert out == ""
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_damaged_journal_is_refused_and_left_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("precious")
    code, _, err = run(capsys, "solve", PUZZLE.prompt, "--journal", str(path))
    assert code == 1
    assert "not a searchkit journal" in err
    assert path.read_text() == "precious"


def test_demo_prints_the_table_draws_the_curve_and_shows_a_search(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A small demo: rows for 1, 2, 4, 8 samples, a PNG, and a trace whose calls are the model's."""
    picture = tmp_path / "curve.png"
    code, out, _ = run(capsys, "demo", "--problems", "4", "--samples", "8", "--out", str(picture))
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:5]] == ["1", "2", "4", "8"]
    assert "BestOfN" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_demo_is_the_same_every_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Two runs of one seed give the same figures; another seed gives others."""
    figures: list[Any] = []
    for seed in ("0", "0", "1"):
        options = ("--problems", "3", "--samples", "8", "--json", "--seed", seed, "--out", str(tmp_path / "c.png"))
        figures.append(json.loads(run(capsys, "demo", *options)[1])["curves"])
    assert figures[0] == figures[1] != figures[2]


@pytest.mark.slow
def test_ctrl_c_prints_the_best_so_far_and_the_same_command_resumes(tmp_path: Path) -> None:
    """SIGINT in the middle: exit code 130, an answer, the command; run again, it pays only for the rest."""
    n = 400  # two at a time: slow enough that the signal comes before the end
    command = [sys.executable, "-m", "searchkit", "solve", PUZZLE.prompt, "-p", f"n={n}", "-p", "window=2", "--json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    while not any(f.stat().st_size > 20_000 for f in tmp_path.glob("searchkit/*.db-wal")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    cut = json.loads(out)
    assert cut["stopped"] == "cancelled"
    assert 0 < len(cut["candidates"]) < n
    assert "searchkit solve" in err
    resumed = json.loads(subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout)
    assert resumed["usage"]["model_calls"] == n
    assert resumed["paid"]["model_calls"] <= n - len(cut["candidates"])
    assert not list(tmp_path.glob("searchkit/*"))  # a journal that has served is removed


def test_python_dash_m_and_help_work() -> None:
    """`python -m searchkit --help` names the three commands."""
    shown = subprocess.run([sys.executable, "-m", "searchkit", "--help"], capture_output=True, text=True, check=True)
    assert all(word in shown.stdout for word in ("demo", "solve", "estimate"))


def test_the_puzzle_used_here_is_held_out_and_solvable() -> None:
    assert PUZZLE.split == "test"
    assert solutions(Puzzle(PUZZLE.numbers, PUZZLE.target))
