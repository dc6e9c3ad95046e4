"""Damaged journals: a row that is not as it was written is named before anything is paid, and is never believed."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from searchkit import Journal, JournalError
from searchkit.cli import main
from tests.attacks.hostile import case
from tests.attacks.journals import PROBLEMS, SAMPLES, cells, check, counting, holding, search, show, write

CALLS = len(PROBLEMS) * SAMPLES
USAGE = re.compile(r'"(prompt_tokens|generated_tokens)": ?\d+')


def usage(value: str) -> Callable[[str], str]:
    return lambda text: USAGE.sub(lambda m: f'"{m[1]}": {value}', text)


# What becomes of the outcome that is stored for a call of problem 3.
DAMAGES = [
    case("not-json", lambda t: "garbage"),
    case("cut-in-half", lambda t: t[: len(t) // 2]),
    case("cut-by-one", lambda t: t[:-1]),
    case("empty", lambda t: ""),
    case("blank", lambda t: " "),
    case("json-null", lambda t: "null"),
    case("json-list", lambda t: "[]"),
    case("json-object", lambda t: "{}"),
    case("json-number", lambda t: "42"),
    case("json-text", lambda t: '"answer-3-0"'),
    case("other-json", lambda t: '{"foo": "answer-3-0"}'),
    case("a-verdict-instead", lambda t: "[[1.0, true, null, null]]"),
    case("another-text", lambda t: t.replace("answer-3", "answer-8")),
    case("a-letter-flipped", lambda t: t.replace("answer", "ansver")),
    case("text-of-another-type", lambda t: re.sub(r'"answer-3-\d"', "3", t)),
    case("another-finish", lambda t: t.replace('"stop"', '"length"')),
    case("an-unknown-finish", lambda t: t.replace('"stop"', '"banana"')),
    case("usage-negative", usage("-5")),
    case("usage-other", usage("6")),
    case("usage-nan", usage("NaN")),
    case("usage-infinite", usage("Infinity")),
    case("usage-1e308", usage("1e308")),
    case("usage-text", usage('"5"')),
    case("usage-list", usage("[5]")),
    case("usage-null", usage("null")),
    case("usage-true", usage("true")),
    case("usage-fraction", usage("5.5")),
    case("usage-enormous", usage("1" + "0" * 40)),
    case("usage-gone", lambda t: re.sub(r', ?"usage": ?\{[^}]*\}', "", t)),
    case("garbage-behind", lambda t: t + "}"),
    case("a-second-value-behind", lambda t: t + t),
    case("a-key-twice", lambda t: t[:-1] + ', "value": "answer-9-0"}'),
    case("a-nul", lambda t: t.replace("answer", "ans\x00wer")),
    case("a-byte-order-mark", lambda t: "\ufeff" + t),
    case("deep", lambda t: "[" * 100_000),
    case("as-bytes", lambda t: t.encode()),
    case("bytes-that-are-no-text", lambda t: b"\xff\xfe" + t.encode()),
    case("a-number", lambda t: 7),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A healthy journal of all problems, and what the search comes to."""
    path = tmp_path_factory.mktemp("whole") / "run.db"
    with counting() as server:
        return path, search(path, server)


@pytest.fixture
def damaged(whole: tuple[Path, list[Any]], tmp_path: Path) -> Path:
    return Path(shutil.copy(whole[0], tmp_path / "run.db"))


def test_a_healthy_one_replays(whole: tuple[Path, list[Any]], damaged: Path) -> None:
    """The oracle of this file: nothing is paid, and everything is as it was."""
    with counting() as server:
        assert search(damaged, server) == whole[1]
    assert server.asked == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_is_named_before_anything_is_paid(damage: Callable[[str], Any], damaged: Path) -> None:
    """`JournalError` with the row's number, its problem and the file; and the file stays as it is."""
    cell = holding(damaged, "answer-3")
    write(damaged, cell, damage(cell[3]))
    before = damaged.read_bytes()
    with counting() as server, pytest.raises(JournalError) as caught:
        search(damaged, server)
    assert server.asked == []
    assert re.search(rf"row {cell[1]}\b", str(caught.value))
    assert "problem-3" in str(caught.value)
    assert str(damaged) in str(caught.value)
    assert damaged.read_bytes() == before


@pytest.mark.parametrize("damage", [DAMAGES[i] for i in (0, 3, 5, 6, 8, 10)])
def test_a_damaged_verdict_is_named(damage: Callable[[str], Any], damaged: Path) -> None:
    """The same for what a verifier said."""
    cell = next(c for c in cells(damaged) if isinstance(c[3], str) and c[3].startswith("[["))
    write(damaged, cell, damage(cell[3]))
    with counting() as server, pytest.raises(JournalError, match=rf"row {cell[1]}\b"):
        search(damaged, server)
    assert server.asked == []


def test_two_rows_with_their_contents_exchanged(damaged: Path) -> None:
    """Each is healthy by itself, and stands in the wrong place."""
    one, two = holding(damaged, "answer-1"), holding(damaged, "answer-3")
    write(damaged, one, two[3])
    write(damaged, two, one[3])
    with counting() as server, pytest.raises(JournalError, match="row"):
        search(damaged, server)
    assert server.asked == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_check_drops_what_is_damaged(
    damage: Callable[[str], Any], damaged: Path, whole: tuple[Path, list[Any]]
) -> None:
    """The copy has no such row; the call is paid again, it alone; the search ends as if nothing had happened."""
    cell = holding(damaged, "answer-3")
    write(damaged, cell, damage(cell[3]))
    copy = damaged.with_name("copy.db")
    assert main(check(damaged)) == 1
    main(check(damaged, copy))
    with counting() as server:
        assert search(copy, server) == whole[1]
    assert len(server.asked) == 1


def test_check_and_show_of_a_healthy_one(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check is content; show names problems, paths, and what was paid; neither changes the file."""
    before = damaged.read_bytes()
    assert main(check(damaged)) == 0
    assert main(show(damaged)) == 0
    out = capsys.readouterr().out
    assert all(problem.id in out for problem in PROBLEMS)
    assert "answer-3" in out
    assert "5" in out
    assert damaged.read_bytes() == before


@pytest.mark.parametrize("seed", range(30))
def test_a_flipped_byte_anywhere_is_never_believed(seed: int, damaged: Path, whole: tuple[Path, list[Any]]) -> None:
    """One byte of the file, somewhere: an error of ours, or the very same search; never another answer."""
    content, chance = bytearray(damaged.read_bytes()), random.Random(seed)
    used = [i for i, byte in enumerate(content) if byte]
    content[chance.choice(used)] ^= 1 << chance.randrange(8)
    damaged.write_bytes(content)
    with counting() as server:
        try:
            found = search(damaged, server)
        except JournalError as error:
            assert str(damaged) in str(error)  # noqa: PT017
            assert server.asked == []
            return
    assert found == whole[1]


@pytest.mark.parametrize("part", [i / 20 for i in range(1, 20)])
def test_a_journal_cut_short(part: float, damaged: Path, whole: tuple[Path, list[Any]]) -> None:
    """The beginning of the file only: an error of ours before anything is paid, or the very same search."""
    content = damaged.read_bytes()
    damaged.write_bytes(content[: int(len(content) * part)])
    with counting() as server:
        try:
            found = search(damaged, server)
        except JournalError as error:
            assert str(damaged) in str(error)  # noqa: PT017
            assert server.asked == []
            return
    assert found == whole[1]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 100, 511, 512, 4096])
def test_a_journal_cut_to_a_size(size: int, damaged: Path) -> None:
    """Sizes at which formats break: refused, or (nothing left) begun anew; then it works."""
    damaged.write_bytes(damaged.read_bytes()[:size])
    try:
        Journal(damaged).close()
    except JournalError as error:
        assert str(damaged) in str(error)  # noqa: PT017
        assert damaged.stat().st_size == size
