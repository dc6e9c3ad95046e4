"""The page of mistakes: what is written, and the one sentence that it gets, from the guide."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from searchkit.cli import main

PAGE = Path(__file__).parents[2] / "docs/guide/experiments/mistakes.md"
BLOCK = re.compile(r"```text\n(.*?)```", re.DOTALL)
BASE = {
    "": {"out": '"results"', "seeds": "[0, 1]", "truth": '"Exact"'},
    "problems": {"file": '"own.jsonl"'},
    "model": {"backend": '"http://localhost:1/v1"', "model": '"m"'},
    "strategies.vote": {"strategy": '"self-consistency"', "n": "8"},
    "[budgets]": {"generations": "2"},
}
MISTAKES = [
    (written, said.strip())
    for block in BLOCK.findall(PAGE.read_text())
    for written, said in re.findall(r"^(\S.*)\n((?:  .*\n?)+)", block, re.MULTILINE)
]


def toml(written: str) -> str:
    """The sweep that works, with what is written in one of its tables: a key and its value, or one left out."""
    table, _, change = written.partition("] ") if written.startswith("[") else ("[", "", written)
    name = table[1:]
    tables = {key: dict(values) for key, values in BASE.items()}
    if change.startswith("without "):
        del tables[name][change.removeprefix("without ")]
    else:
        for one in change.split("; "):
            key, _, value = one.partition(" = ")
            tables.setdefault(name, {})[key] = value
    if "simulated" in tables["model"]["backend"] or "embedded" in tables["model"]["backend"]:
        del tables["model"]["model"]
    lines = ["\n".join(f"{key} = {value}" for key, value in tables.pop("").items())]
    lines += ["\n".join([f"[{name}]", *(f"{k} = {v}" for k, v in found.items())]) for name, found in tables.items()]
    return "\n".join(lines) + "\n"


def test_there_are_sixty() -> None:
    """And no two are alike."""
    assert len({written for written, _ in MISTAKES}) == len(MISTAKES) >= 60


@pytest.mark.parametrize(("written", "said"), MISTAKES, ids=[written[:60] for written, _ in MISTAKES])
def test_each_gets_its_sentence(
    written: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line on stderr, nothing on stdout, exit code 2."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    gsm = [{"question": f"{i}?", "answer": f"so #### {i}"} for i in range(3)]
    own = [{"id": f"p{i}", "prompt": f"{i}?", "reference": str(i)} for i in range(3)]
    (tmp_path / "gsm.jsonl").write_text("".join(json.dumps(row) + "\n" for row in gsm))
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    if written.startswith("$ searchkit "):
        arguments = shlex.split(written.removeprefix("$ searchkit "))
    else:
        Path("sweep.toml").write_text(toml(written))
        arguments = ["sweep", "sweep.toml"]
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(str(ended.code))
    out = capsys.readouterr()
    assert (code, out.out) == (2, "")
    assert " ".join(said.split()) == re.sub(r"^searchkit[a-z ]*: (?:sweep\.toml: )?", "", out.err.strip())
