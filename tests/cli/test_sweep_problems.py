"""The table [problems]: data sets by name, one's own files in every form, and a choice of their problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from searchkit import ConfigError
from searchkit.answers import keys
from searchkit.cli.sweep_config import load
from searchkit.cli.sweep_problems import problems
from searchkit.strategies import SelfConsistency

GSM8K = [{"question": f"What is {i} + 1?", "answer": f"{i} + 1 = {i + 1}\n#### {i + 1}"} for i in range(12)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With files of problems of GSM8K's form, and of one's own with more fields."""
    (tmp_path / "gsm.jsonl").write_text("".join(json.dumps(row) + "\n" for row in GSM8K))
    own = [{"id": f"p{i}", "prompt": f"{i}?", "reference": i, "level": i % 3, "unit": "kg"} for i in range(12)]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    return tmp_path


def ids(folder: Path, **table: Any) -> list[str]:
    return [problem.id for problem in problems({"file": "own.jsonl", **table}, folder).problems]


def test_a_data_set_by_name_brings_its_truth_and_its_key(folder: Path) -> None:
    """Twelve problems with the references of the data set, its verifier, and a vote that counts its answers."""
    (folder / "sweep.toml").write_text(
        'out = "o"\n[problems]\ndataset = "gsm8k"\nfile = "gsm.jsonl"\nchecksum = "any"\nsystem = "Be brief."\n'
        'template = "Q: {question}"\n[model]\nbackend = "simulated"\nanswers = {4 = 1.0}\n'
        '[strategies.vote]\nstrategy = "self-consistency"\n'
    )
    sweep = load(folder / "sweep.toml").sweep
    assert [problem.reference for problem in sweep.problems] == [str(i + 1) for i in range(12)]
    assert [message.role for message in sweep.problems[0].prompt.messages] == ["system", "user"]
    assert sweep.problems[0].prompt.text == "Be brief.\nQ: What is 0 + 1?"
    assert type(sweep.truth).__name__ == "MathEqual"
    vote = sweep.strategies["vote"]
    assert isinstance(vote, SelfConsistency)
    assert vote.key("so we get 7 apples") == keys.ladder(otherwise=keys.number)("7")


def test_a_template_with_the_fields_of_a_file(folder: Path) -> None:
    """{question} is the prompt; other fields by their names; other braces stay."""
    asked = problems({"file": "own.jsonl", "template": r"In {unit}: {question} \boxed{} {x}", "count": 1}, folder)
    assert asked.problems[0].prompt.text == r"In kg: 0? \boxed{} {x}"


def test_some_of_the_problems(folder: Path) -> None:
    """By position, by id, by what their fields say; shuffled, of which more are asked by a greater count."""
    assert ids(folder, subset="3:6") == ["p3", "p4", "p5"]
    assert ids(folder, subset="10:") == ["p10", "p11"]
    assert ids(folder, subset=["p7", "p2"]) == ["p7", "p2"]
    assert ids(folder, subset={"level": 1}) == ["p1", "p4", "p7", "p10"]
    assert ids(folder, subset={"level": [1, 2], "id": ["p1", "p2", "p3"]}) == ["p1", "p2"]
    shuffled = ids(folder, shuffle=5)
    assert sorted(shuffled) == sorted(ids(folder))
    assert shuffled != ids(folder)
    assert shuffled == ids(folder, shuffle=5) != ids(folder, shuffle=6)
    for count in (1, 4, 9):
        assert ids(folder, shuffle=5, count=count) == shuffled[:count]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "problems needs one of the keys file"),
        ({"dataset": "gsm8k"}, "problems needs the file of gsm8k: file (a path, or hf://"),
        ({"dataset": "gms8k", "file": "gsm.jsonl"}, "unknown dataset 'gms8k': did you mean 'gsm8k'?"),
        ({"dataset": "gsm8k", "file": "gsm.jsonl"}, 'pass checksum = "any" if you mean this one'),
        ({"dataset": "gsm8k", "file": "gsm.jsonl", "checksum": "any", "prompt": "q"}, "leave prompt out"),
        ({"dataset": "gsm8k", "file": "gsm.jsonl", "checksum": "any", "template": "Q"}, "lacks {question}"),
        ({"file": "gsm.jsonl"}, "it needs a text in the field 'prompt'; it has 'question', 'answer'"),
        ({"file": "gsm.jsonl"}, 'say what they are called, as in prompt = "question"'),
        ({"file": "gsm.jsonl"}, 'or dataset = "gsm8k", whose form it has'),
        ({"file": "own.jsonl", "template": "no place"}, "a template says where the question goes, by one of {id}"),
        ({"file": "own.jsonl", "template": "{qestion}"}, "got '{qestion}'"),
        ({"file": "own.jsonl", "subset": "5"}, 'a subset is "900:1000"'),
        ({"file": "own.jsonl", "subset": "5:5"}, "no problem is left"),
        ({"file": "own.jsonl", "subset": ["p99"]}, "no problem has the id 'p99'; they are called p0, p1, p2"),
        ({"file": "own.jsonl", "subset": {"levl": 1}}, "there is no field 'levl'; it has 'id'"),
        ({"file": "own.jsonl", "shuffle": True}, "problems.shuffle must be a whole number, got True"),
        ({"file": "own.jsonl", "split": "test"}, "own.jsonl is one file: split is for folders"),
        ({"file": "own.jsonl", "limit": 3}, "unknown key 'problems.limit': did you mean 'count'?"),
        ({"task": "countdown", "system": "s"}, "problems.system is for problems of a file"),
        ({"task": "countdown", "split": "tset"}, "problems.split is train, dev or test"),
        ({"task": "countdown", "file": "own.jsonl"}, "problems has both file and task"),
    ],
)
def test_each_mistake_says_what_to_write(folder: Path, table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        problems(table, folder)
    assert says in str(refused.value)
