"""What is misspelt on the command line, and how wide its help and its tables are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.cli import main, parser
from searchkit.cli.parsing import Parser, choices_of
from searchkit.experiments.sweep.summary import HEAD, SHORTEST, fitted
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.generators import Simulated
from searchkit.markup.words import columns_of
from searchkit.model import Model
from searchkit.strategies import SelfConsistency
from searchkit.types import Problem, Prompt
from searchkit.verifiers import Exact


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sweeep"], "searchkit: unknown command 'sweeep': did you mean 'sweep'?"),
        (["xyzzy"], "searchkit: unknown command 'xyzzy': known are demo, solve,"),
        (["journal", "chek", "f"], "searchkit journal: unknown action 'chek': did you mean 'check'?"),
        (["solve", "hi", "--modle", "x"], "searchkit solve: unknown argument '--modle': did you mean '--model'?"),
        (["solve", "hi", "--route", "chatt"], "unknown argument --route 'chatt': did you mean 'chat'?"),
        (["sweep", "a.toml", "--exector=ray"], "searchkit sweep: unknown argument '--exector': did you mean"),
        (["journal", "show", "f", "--jsn"], "searchkit journal show: unknown argument '--jsn': did you mean '--json'?"),
        (["sweep", "a.toml", "b.toml"], "searchkit sweep: unknown argument 'b.toml'"),
        (["completion", "fish"], "unknown shell 'fish': known are bash, zsh"),
        (["sweep"], "searchkit sweep: the following arguments are required: config"),
    ],
)
def test_what_was_meant_is_said(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit code 2, and where the help is."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in err.replace("unknown --route", "unknown argument --route")
    assert re.search(r"\(see searchkit[a-z ]* --help\)\n$", err)
    assert len(err.splitlines()) == 1


def parsers(of: Parser, name: str = "searchkit") -> Iterator[tuple[str, Parser]]:
    yield name, of
    for word, command in choices_of(of).items():
        yield from parsers(command, f"{name} {word}")


COMMANDS = dict(parsers(parser()))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_help_is_wider_than_80_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every command and action."""
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, COMMANDS[name].format_help().splitlines())) <= 80


def wide(rows: list[tuple[str, ...]]) -> int:
    return sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True)) - 2


ROW = (
    "self-consistency-of-sixteen", "generations=16 seconds=5.0", "1,200", "0", "3", "55.2 [51.0, 59.9]", "1,204",
    "312", "16.0",
)  # fmt: skip


@pytest.mark.parametrize("columns", [200, 120, 100, 80, 70, 60])
def test_a_table_fits_the_terminal(columns: int) -> None:
    """Nothing wraps; the accuracy with its interval and the unknown ones stay; names are cut last."""
    rows = [HEAD, ROW, (*ROW[:4], "0", *ROW[5:])]
    found = fitted(rows, columns)
    assert wide(found) <= columns
    assert "accuracy (%)" in found[0]
    assert found[1][found[0].index("accuracy (%)")] == "55.2 [51.0, 59.9]"
    assert "unknown" in found[0]
    assert fitted(rows, None) == rows
    if columns >= wide(rows):
        assert found == rows
    else:
        assert "failed" not in found[0]


@pytest.mark.parametrize(
    "name", ["多数决", "多数决に十六の標本と長い名前がある場合", "ｆｕｌｌｗｉｄｔｈ", "투표 전략", "e\u0301tude"]
)
@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_wide_characters_take_two_columns(name: str, columns: int) -> None:
    """As on the terminal: no row is wider than it, and the columns stand below one another."""
    rows = [HEAD, (name, "generations=16", "30", "1", "0", "86.7 [73.3, 96.7]", "361", "24", "16.0"),
            ("vote", "generations=1", "30", "0", "2", "73.3 [56.7, 86.7]", "22", "22", "1.0")]  # fmt: skip
    found = fitted(rows, columns)
    widths = [max(map(columns_of, column)) for column in zip(*found, strict=True)]
    least = sum(widths) + 2 * (len(widths) - 1)
    assert least <= columns or max(widths[:2]) <= SHORTEST


def test_a_table_with_wide_names_is_aligned(tmp_path: Path) -> None:
    """Accuracies end in one column of the terminal, and each line fits 80."""
    names = ("多数决", "多数决に十六の標本と長い名前がある場合の戦略", "vote")
    sweep = Sweep(
        [Problem("a", Prompt.of("2+2?"), "4")], {name: SelfConsistency(2) for name in names}, truth=Exact(),
        endpoints=[Model(Simulated({"4": 1.0}))],
    )  # fmt: skip
    lines = sweep.run(tmp_path / "out").table(80).splitlines()[:4]
    assert all(columns_of(line) <= 80 for line in lines)
    ends = {columns_of(line[: line.index("]") + 1]) for line in lines[1:]}
    assert len(ends) == 1
