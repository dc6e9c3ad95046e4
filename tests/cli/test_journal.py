"""`searchkit journal`: what is shown of searches of every kind, and of files that are damaged, hostile or not there."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from searchkit import Journal, Model, Params, Problem, Prompt, Run, Sample, Usage, run_sync, solve_many, solve_sync
from searchkit.cli import main
from searchkit.codec import load_request, load_sample, load_verdicts
from searchkit.engine.journal.checked import calls
from searchkit.engine.journal.rows import Origin
from searchkit.generators import Recorded, Simulated
from searchkit.strategies import BestOfN
from searchkit.verifiers import Exact
from tests.helpers.killed_scripts import Killed, stored_samples
from tests.strategies.tree.test_resume import SCRIPT

ROOT = str(Path(__file__).parents[2])
PROBLEMS = [Problem(f"p{i}", Prompt.of(f"question {i}"), reference="right") for i in range(3)]
MODEL = Model(Simulated({"right": 0.5, "wrong": 0.5}), Params(max_tokens=4, stop=("\n",)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The journal of best of two over three problems."""
    found = tmp_path / "run.db"
    run_sync(solve_many(PROBLEMS, BestOfN(2, Exact()), generator=MODEL, journal=found))
    return found


def shown(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["journal", "show", str(path), *options])
    return code, capsys.readouterr().out


def rows(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    code, out = shown(path, capsys, "--json")
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def test_every_call_is_shown_with_its_place(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rows are those of the search's trace: as many calls at each path, with their texts and what they cost."""
    code, out = shown(path, capsys)
    assert code == 0
    found = rows(path, capsys)
    for problem in PROBLEMS:
        result = solve_sync(problem, BestOfN(2, Exact()), generator=MODEL, journal=path)
        assert result.paid.model_calls == 0
        mine = {row["path"]: row for row in found if row["problem"] == problem.id}
        for i, one in enumerate(result.candidates):
            drawn, judged = (
                mine[f"BestOfN/draw[{i}]/simulated{'[1]' if i else ''}"],
                mine[f"BestOfN/draw[{i}]/score:2[0]"],
            )
            assert (drawn["role"], judged["role"]) == ("generate", "verify")
            assert drawn["outcome"]["value"] == one.sample.value
            assert drawn["usage"]["generated_tokens"] == one.sample.usage.generated_tokens
            assert load_verdicts(json.dumps(judged["outcome"])) == [one.verdict]
        paid = sum(row["usage"]["generated_tokens"] for row in mine.values())
        assert len(mine) == 4
        assert f"problem {problem.id}\n" in out
        assert f"{paid:,}" in next(line for line in out.splitlines() if line.startswith(f"{problem.id} "))
    assert "in all" in out


def test_what_is_shown_can_be_judged_again(path: Path) -> None:
    """Prompt, parameters and sample of each row are those of the call."""
    found = [one for one in calls(path) if one.role == "generate"]  # type: ignore[union-attr]
    assert len(found) == 6
    for one in found:
        problem = next(p for p in PROBLEMS if p.id == one.problem)
        assert one.request == (problem.prompt, MODEL.params)  # type: ignore[union-attr]
        outcome = one.outcome  # type: ignore[union-attr]
        assert isinstance(outcome, Sample)
        assert outcome.value in ("right", "wrong")


@pytest.mark.slow
def test_a_killed_tree_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SIGKILL in mid-search: problem, paths and what was paid; with what the resumed one pays, that is the whole."""
    search = Killed(SCRIPT, tmp_path, "mcts")
    whole = search.ended("whole.db")
    search.killed("killed.db", whole["called"] // 2)
    killed = tmp_path / "killed.db"
    before = killed.read_bytes()
    code, out = shown(killed, capsys)
    found = rows(killed, capsys)
    assert (code, main(["journal", "check", str(killed)]), killed.read_bytes()) == (0, 0, before)
    assert "problem 0\n" in out
    assert all(row["problem"] == "0" and row["path"].startswith("MCTS/") for row in found), found[0]
    drawn = [row for row in found if row["role"] == "generate"]
    assert len(drawn) == stored_samples(killed) >= whole["called"] // 2
    paid = sum(row["usage"]["generated_tokens"] for row in found)
    totals = out.splitlines()[-1].split()
    assert totals[:5] == ["in", "all", str(len(drawn)), f"{_sum(drawn, 'prompt_tokens'):,}", f"{paid:,}"]
    resumed = search.ended("killed.db")
    assert resumed["final"] == whole["final"]
    assert resumed["paid"] + len(drawn) == whole["called"]


def _sum(found: list[dict[str, Any]], name: str) -> int:
    return sum(row["usage"][name] for row in found)


HOSTILE = [
    "\x1b[2J",
    "\x1b]0;owned\x07",
    "\r\x1b[K ok",
    "\u202egnp.exe",
    "\x9b31m",
    "a\nb\n\nc",
    "\x00",
    "x" * 10_000,
    "\ud800",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_nothing_reaches_the_terminal_unescaped(said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ids, paths and answers are anybody's: one line each, no control characters, bounded."""
    path = tmp_path / "run.db"
    problem = Problem(f"id {said}", Prompt.of(f"q{said}"))
    solve_sync(problem, BestOfN(1, Exact(reference="4")), generator=Recorded({f"q{said}": [said]}), journal=path)
    code, out = shown(path, capsys)
    assert code == 0
    assert all(line.isprintable() and len(line) < 400 for line in out.split("\n"))
    assert len(out.splitlines()) == 7
    [drawn, *_] = rows(path, capsys)
    assert load_sample(json.dumps(drawn["outcome"])).value == said
    with sqlite3.connect(path) as db:
        db.execute("UPDATE call SET outcome = ''")
    db.close()
    for command in ("check", "show"):
        assert main(["journal", command, str(path)]) == 1
        assert all(line.isprintable() and len(line) < 600 for line in capsys.readouterr().out.split("\n"))


def test_what_check_says(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON: how many are whole, and each that is not."""
    with sqlite3.connect(path) as db:
        db.execute("UPDATE call SET outcome = 'x' WHERE id IN (2, 7)")
        db.execute("UPDATE request SET content = 'x' WHERE id = 1")
    db.close()
    assert main(["journal", "check", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["calls"], found["requests"], found["copy"]) == (10, 5, None)
    assert [(one["what"], one["row"]) for one in found["damaged"]] == [("call", 2), ("call", 7), ("request", 1)]
    assert all(one["problem"].startswith("p") for one in found["damaged"][:2])
    assert all("checksum" in one["why"] for one in found["damaged"][:2])


def test_a_copy_never_overwrites(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file, a folder, a link, the journal itself, a folder that is not there: refused, and left."""
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    before = path.read_bytes()
    for copy in ("mine.txt", ".", "link", "run.db", "no/such/copy.db"):
        assert main(["journal", "check", str(path), "--drop", str(tmp_path / copy)]) == 1
        assert "Traceback" not in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert path.read_bytes() == before
    assert not (tmp_path / "nowhere").exists()


def test_a_copy_without_a_part_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    """A page of the table is overwritten: what stands before and behind it is kept, the rest is paid again."""
    run_sync(solve_many([*PROBLEMS, *(Problem(f"x{i}", Prompt.of(f"x {i}"), reference="right") for i in range(60))],
                        BestOfN(2, Exact()), generator=MODEL, journal=path))  # fmt: skip
    with Journal(path, read_only=True) as journal:
        rows = len(journal)
    data = bytearray(path.read_bytes())
    middle = data.find(b"x30BestOfN") // 4096 * 4096
    data[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(data)
    assert main(["journal", "check", str(path)]) == 1
    assert main(["journal", "check", str(path), "--drop", str(tmp_path / "copy.db")]) == 0
    with Journal(tmp_path / "copy.db") as journal:
        assert rows - 60 < len(journal) < rows
    assert main(["journal", "check", str(tmp_path / "copy.db")]) == 0


class Asking:
    """An agent's own calls and what cannot be undone, through the run alone."""

    params = None

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        async def sent(seed: int, most: int | None) -> Sample[str]:
            return Sample("said", usage=Usage(model_calls=1, prompt_tokens=3, generated_tokens=2))

        async def done() -> str:
            return "the door is open"

        async def perform() -> Sample[Any]:
            await run.relay("m", '{"messages": ["hello"]}', sent, limit=5)
            return Sample("answer")

        await run.once("open the door", done)
        return await run.call("agent", prompt, perform)


def test_agents_and_effects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Calls that an agent made by itself, with what it asked; begun and finished effects."""
    path = tmp_path / "run.db"
    solve_sync("q", BestOfN(1, Exact(reference="4")), generator=Asking(), journal=path)
    found = {(row["role"], row["path"].rpartition("/")[2]): row for row in rows(path, capsys)}
    assert found["intent", "open the door"]["outcome"] == "open the door"
    assert found["effect", "open the door"]["outcome"] == "the door is open"
    asked = found["plan", "m"]
    assert asked["request"] == '{"messages": ["hello"]}'
    assert asked["usage"]["generated_tokens"] == 2
    assert found["generate", "agent"]["outcome"]["value"] == "answer"
    assert main(["journal", "check", str(path)]) == 0


def test_rows_put_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sound row that is no call's is shown as it is; one that says that it is a call's, and is none, is damaged."""
    with Journal(tmp_path / "run.db") as journal:
        asyncio.run(journal.put(b"a" * 16, "anything"))
    assert shown(tmp_path / "run.db", capsys)[0] == 0
    for i, outcome in enumerate(
        ["garbage", "{}", "[]", '{"value": "4", "finish": "stop", "usage": {"usd": -1}}', "7", "null"]
    ):
        with Journal(tmp_path / f"{i}.db") as journal:
            asyncio.run(journal.put(b"b" * 16, outcome, Origin("p", "somewhere", "generate")))
        assert main(["journal", "check", str(tmp_path / f"{i}.db")]) == 1
        assert "row 1 (problem 'p', at 'somewhere')" in capsys.readouterr().out


@pytest.mark.parametrize("floor", [None, (5, 0.5)])
def test_requests_round_trip(floor: tuple[int, float] | None) -> None:
    """Every field of a prompt and of its parameters comes back equal."""
    from searchkit import ConfidenceFloor
    from searchkit.codec import digest, digest_of, dump_request
    from searchkit.types import Image, Message, Text, ToolCall

    messages = (
        Message("system", (Text("s\ud800"),)),
        Message("user", (Text("q"), Image("data:image/png;base64,AAAA"))),
        Message("assistant", (Text("a"),), (ToolCall("1", "f", "{}"),), reasoning="hm"),
        Message("tool", (Text("4"),), tool_call_id="1"),
    )
    prompt = Prompt(messages, ('{"type": "function"}',), "The", (1, 2))
    params = Params(0.5, 0.9, 40, 0.1, 64, ("\n", "end"), 3, floor=None if floor is None else ConfidenceFloor(*floor))
    for one in [(prompt, params), (Prompt.of("q"), Params())]:
        stored = dump_request(*one)
        assert load_request(stored) == one
        assert digest_of(stored) == digest(*one)


@pytest.mark.slow
@pytest.mark.parametrize("options", [["show"], ["show", "--json"], ["check"]])
def test_behind_head(options: list[str], path: Path) -> None:
    """Whoever reads what is printed stops: an end without a word, and an exit code of its own."""
    command = [sys.executable, "-m", "searchkit", "journal", *options, str(path)]
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as out:
        found = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert (found.stderr, found.returncode) == ("", 141)


def test_each_problem_has_one_heading(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Problems that were searched together have their rows mixed; they are shown apart, all rows of each."""
    code, out = shown(path, capsys)
    assert code == 0
    listed = out.partition("\n\n")[0].splitlines()
    headings = [line for line in listed if line.startswith("problem ")]
    assert headings == [f"problem {problem.id}" for problem in PROBLEMS]
    assert len(listed) - len(headings) == len(rows(path, capsys))


def test_rows_are_told_from_model_calls(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` counts rows, `show` model calls, and both say so."""
    number = len(rows(path, capsys))
    assert main(["journal", "check", str(path)]) == 0
    assert f"{number} rows" in capsys.readouterr().out
    assert "model calls" in shown(path, capsys)[1]
