"""What editors and shells are told to complete."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from searchkit.cli import main
from searchkit.cli.schema import dashed, strategies

SWEEP = """
out = "o"
seeds = [0]
[problems]
dataset = "gsm8k"
file = "f.jsonl"
subset = {level = [1, 2]}
[model]
backend = "http://localhost:1/v1"
model = "m"
stop = "END"
prices = {m = {prompt = 1, generated = 2.5}}
floor = {window = 3, bar = 0.5}
logprobs = 5
[strategies.vote]
strategy = "self-consistency"
n = 8
[[budgets]]
generations = 2
"""


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


GUIDE = Path(__file__).parents[2] / "docs/guide"
WRITTEN = re.compile(r"```toml\n(.*?)```|write_text\(f?(?:\'\'\'|\"\"\")(.*?)(?:\'\'\'|\"\"\")", re.DOTALL)
OF_SWEEPS = [
    (path.name, text)
    for path in sorted(GUIDE.rglob("*.md"))
    for text in map("".join, WRITTEN.findall(path.read_text()))
    if re.search(r"^\[(problems|model|allocation|strategies)", text, re.MULTILINE) and "[backends" not in text
]


@pytest.mark.parametrize(
    ("old", "new", "valid"),
    [
        ("", "", True),
        ('"gsm8k"', '"gms8k"', False),
        ("seeds = [0]", 'seeds = ["0"]', False),
        ('stop = "END"', 'stop = ["a", "b"]', True),
        ('stop = "END"', "stop = 1", False),
        ("prompt = 1,", "prompts = 1,", False),
        ("window = 3", "window = 3.5", False),
        ("generations = 2", "generation = 2", False),
        ("generations = 2", "usd = 0.5", True),
        ('out = "o"', "", False),
        ("{level = [1, 2]}", '"900:1000"', True),
        ("{level = [1, 2]}", "5", False),
        ('file = "f.jsonl"', 'fil = "f.jsonl"', False),
        ('strategy = "self-consistency"', "", False),
        ('dataset = "gsm8k"', 'task = "arithmetic"', True),
    ],
)
def test_the_schema_takes_what_the_command_takes(
    capsys: pytest.CaptureFixture[str], old: str, new: str, valid: bool
) -> None:
    """By the validator that people use."""
    jsonschema = pytest.importorskip("jsonschema", reason="the validator of JSON schemas is not installed")
    schema = json.loads(printed(capsys, "schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    found = list(jsonschema.Draft202012Validator(schema).iter_errors(tomllib.loads(SWEEP.replace(old, new, 1))))
    assert (not found) is valid, found


def test_the_schema_takes_every_file_of_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    """But for what a part of a file leaves out."""
    jsonschema = pytest.importorskip("jsonschema", reason="the validator of JSON schemas is not installed")
    validator = jsonschema.Draft202012Validator(json.loads(printed(capsys, "schema")))
    wrong = [
        (name, error.message)
        for name, text in OF_SWEEPS
        for error in validator.iter_errors(tomllib.loads(text))
        if error.validator != "required"
    ]
    assert not wrong
    assert len(OF_SWEEPS) >= 6


def test_the_schema_has_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Of problems, of models and what wraps them, of parameters and budgets."""
    properties = json.loads(printed(capsys, "schema"))["properties"]
    assert {"template", "system", "subset", "shuffle", "split", "checksum"} <= set(properties["problems"]["properties"])
    model = set(properties["model"]["properties"])
    assert {"timeout", "prices", "top_k", "floor", "attempts", "concurrency", "answers", "device", "batch"} <= model
    assert "usd" in properties["budgets"]["items"]["properties"]


@pytest.fixture
def script(tmp_path: Path) -> Any:
    """Writes the script of a shell."""
    pytest.importorskip("shtab", reason="shtab is not installed")

    def write(shell: str) -> Path:
        path = tmp_path / f"completion.{shell}"
        made = [sys.executable, "-m", "searchkit", "completion", shell]
        path.write_text(subprocess.run(made, capture_output=True, text=True, check=True).stdout)
        return path

    return write


def completed(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    line = " ".join(f"'{word}'" for word in words)
    asked = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _shtab_searchkit"
    ran = ["bash", "-c", f'{asked}; printf "%s\\n" "${{COMPREPLY[@]}}"']
    return subprocess.run(ran, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_offers_commands_options_strategies_and_verifiers(script: Any) -> None:
    """In a shell that has the script."""
    made = script("bash")
    assert {"solve", "sweep", "schema", "completion"} <= set(completed(made, "searchkit", ""))
    assert {"--strategy", "--set", "--backend"} <= set(completed(made, "searchkit", "solve", "--"))
    assert set(completed(made, "searchkit", "solve", "--strategy", "")) == set(strategies())
    assert completed(made, "searchkit", "solve", "--strategy", "best-of") == ["best-of-n"]
    assert "judge" in completed(made, "searchkit", "solve", "--verifier", "j")
    assert "vllm" in completed(made, "searchkit", "solve", "--backend", "")


@pytest.mark.slow
def test_zsh_offers_strategies(script: Any) -> None:
    """The script names them and is whole; where zsh is installed, it can be read."""
    made = script("zsh")
    text = made.read_text()
    assert text.startswith("#compdef searchkit")
    assert "compadd -- " in text
    assert all(name in text for name in strategies())
    assert '"--strategy[' in text
    assert "_searchkit_strategy" in text.split('"--strategy[')[1].splitlines()[0]
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n", str(made)], check=True, capture_output=True)


def test_names_are_as_people_type_them() -> None:
    assert [dashed(name) for name in ("BestOfN", "MCTS", "DVTS", "SelfConsistency", "AStar", "process_reward")] == [
        "best-of-n", "mcts", "dvts", "self-consistency", "a-star", "process-reward",
    ]  # fmt: skip


_SHELL = "import fcntl, os, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp('zsh', ['zsh', '-f', '-i'])"


def offered(folder: Path, line: str, last: str) -> str:
    """What zsh shows for a line, in a terminal, with the script in its path; read up to the word `last`."""
    terminal, theirs = pty.openpty()
    env = {**os.environ, "TERM": "dumb", "HOME": str(folder), "ZDOTDIR": str(folder), "COLUMNS": "200", "LINES": "100"}
    shell = subprocess.Popen(
        [sys.executable, "-c", _SHELL], stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    )
    os.close(theirs)
    try:
        os.write(terminal, f"cd {folder}; PS1=''; fpath=({folder} $fpath); autoload -Uz compinit; ".encode())
        os.write(terminal, b"compinit -u -D; echo RE''ADY\n")
        _read(terminal, "READY\r\n")
        os.write(terminal, f"{line}\t\t".encode())
        return _read(terminal, last)
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)


def _read(terminal: int, until: str) -> str:
    found, end = "", time.monotonic() + 60
    while until not in found and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            found += os.read(terminal, 65_536).decode(errors="replace")
    return found


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_offers_commands_strategies_and_verifiers(script: Any, tmp_path: Path) -> None:
    """In a shell that has the script, as somebody types."""
    shutil.copy(script("zsh"), tmp_path / "_searchkit")
    words = set(offered(tmp_path, "searchkit solve x --strategy ", "tree-search").split())
    assert {"best-of-n", "mcts", "self-consistency"} <= words
    assert "judge" in offered(tmp_path, "searchkit solve x --verifier jud", "judge ")
    assert "completion" in offered(tmp_path, "searchkit compl", "completion")
