"""The journal: refuses what is not its own, loses nothing that it acknowledged, survives SIGKILL."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from searchkit import Budget, Journal, JournalError, Model, solve
from searchkit.experiments.sweep.search import Cell, Section
from searchkit.function import Function
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN
from searchkit.testing import Counting
from searchkit.types import Message, Sample, Scored, StepSpan, Text, Token, ToolCall, Usage, Verdict
from searchkit.verifiers import Predicate


def always(value: str) -> float:
    return 0.5


def test_what_was_put_is_found_by_another_opening(tmp_path: Path) -> None:
    """A committed row is read back after closing, and by a second reader while the first is open."""
    path = tmp_path / "run.db"

    async def main() -> None:
        with Journal(path) as journal:
            await asyncio.wait([asyncio.create_task(journal.put(bytes([i]), str(i))) for i in range(50)])
            assert journal.get(b"\x07") == "7"
            with Journal(path) as second:
                assert len(second) == 50

    asyncio.run(main())
    with Journal(path) as journal:
        assert [journal.get(bytes([i])) for i in range(51)] == [*map(str, range(50)), None]


def test_the_keys_below_a_prefix(tmp_path: Path) -> None:
    """The rests of longer keys that begin with it, whatever their bytes; in a cell of a sweep its own alone."""
    prefixes = [bytes(16), b"\x00" * 15 + b"\x01", b"\xff" * 16, os.urandom(16)]
    rests = [bytes(16), b"\xff" * 16, os.urandom(16)]

    async def main(journal: Journal) -> None:
        for prefix in prefixes[1:]:
            await journal.put(prefix, "itself")
            for rest in rests:
                await journal.put(prefix + rest, "below")

    with Journal(tmp_path / "run.db") as journal:
        cells = [Section(journal, Cell(name, "b", 0, BestOfN(1, Predicate(bool)), Budget())) for name in "xy"]
        for one in (journal, cells[0]):
            asyncio.run(main(one))
            assert [one.below(prefix) for prefix in prefixes] == [set(), *[set(rests)] * 3]
            assert one.get(prefixes[1] + rests[1]) == "below"
        assert [cells[1].below(prefix) for prefix in prefixes] == [set()] * 4
        assert len(journal) == 24


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"my thesis, chapter one", "not a searchkit journal"),
        (b"SQLite format 3\0" + b"\xff" * 4000, "another program"),
    ],
)
def test_foreign_and_damaged_files_are_refused_and_left_alone(tmp_path: Path, content: bytes, said: str) -> None:
    """A text file, and one that only begins like a database: a clear error, and not a byte changed."""
    path = tmp_path / "precious"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=said):
        Journal(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A healthy SQLite file of another program is not written to."""
    path = tmp_path / "app.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE precious (x)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="another program"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="version 99"):
        Journal(path)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="nowhere"):
        Journal(tmp_path / "nowhere" / "run.db")


def test_samples_round_trip_with_everything_on_them() -> None:
    """A sample with every field set comes back equal, even with a lone surrogate, which no file can hold as it is."""
    from searchkit.codec import dump_sample, load_sample

    message = Message("assistant", (Text("hi"),), (ToolCall("1", "f", "{}"),), reasoning="hm")
    inner = Scored(Sample("x"), Verdict(0.5, True, (0.1, 0.2), "ok"))
    sample = Sample(
        "hé \ud800", message, "length", "\n", Usage(generated_tokens=3, usd=0.1), (1, 2),
        (Token("a", -0.5, (("b", -1.0),)),), (StepSpan(0, 2),), (inner,),
    )  # fmt: skip
    assert load_sample(dump_sample(sample)) == sample


def test_a_journaled_agent_needs_an_identity_and_storable_values(tmp_path: Path) -> None:
    """A lambda without a name, and a value that is not JSON: both are refused with the fix in the message."""
    from searchkit import Codec, ConfigError

    def opaque(text: str) -> object:
        return {1, 2}

    with pytest.raises(ConfigError, match="name="):
        asyncio.run(solve("q", Function(lambda text: "x"), journal=tmp_path / "a.db"))
    with pytest.raises(ConfigError, match="codec="):
        asyncio.run(solve("q", Function(opaque, name="opaque"), journal=tmp_path / "b.db"))
    stored = Function(opaque, name="opaque", codec=Codec(sorted, set))
    for _ in range(2):
        assert asyncio.run(solve("q", stored, journal=tmp_path / "c.db")).answer == {1, 2}


def test_a_new_version_of_an_agent_forgets_the_old_answers(tmp_path: Path) -> None:
    """Same journal, same version: replayed; another version: called again."""
    calls: list[str] = []

    def agent(text: str) -> str:
        calls.append(text)
        return "answer"

    for version in ("1", "1", "2"):
        asyncio.run(solve("q", Function(agent, name="agent", version=version), journal=tmp_path / "run.db"))
    assert len(calls) == 2


def test_another_generator_on_the_same_journal_replays_nothing(tmp_path: Path) -> None:
    """Keys are content: another model name pays anew, and verdicts on other texts are not taken from the old ones."""
    path = tmp_path / "run.db"
    for name, score in (("first", 0.0), ("second", 1.0)):
        backend = Counting(Simulated({name: 1.0}, name=name))
        result = asyncio.run(solve("q", BestOfN(3, Predicate(is_second)), generator=Model(backend), journal=path))
        assert backend.calls == 3
        assert result.candidates[0].score == score


def is_second(value: str) -> bool:
    return value == "second"


SCRIPT = """
import asyncio, json, sys
from searchkit import Model, Problem, Prompt, Params, solve_many
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing import Counting
from searchkit.verifiers import Predicate

def right(value):
    return value == "right"

async def main(journal):
    backend = Counting(Simulated({"right": 0.3, "wrong": 0.7}, latency=0.002, jitter=1.0))
    problems = [Problem(f"p{i}", Prompt.of(f"problem {i}")) for i in range(200)]
    strategy = BestOfN(4, Predicate(right, name="right"), generator=SelfConsistency(2))
    outcomes = await solve_many(problems, strategy, generator=Model(backend), journal=journal, concurrency=8)
    results = [o.unwrap() for o in outcomes]
    final = [[r.answer, [c.score for c in r.candidates], r.trace.canonical()] for r in results]
    print(json.dumps({"final": final, "called": backend.calls, "paid": sum(r.paid.model_calls for r in results)}))

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.slow
def test_killed_and_restarted_a_run_of_200_problems_ends_as_if_never_killed(tmp_path: Path) -> None:
    """SIGKILL in the middle of 200 problems of 8 calls each, twice: equal final bytes, and nothing is paid twice."""
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)

    def start(journal: Path) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, script, journal], stdout=subprocess.PIPE, text=True, env=os.environ)

    whole = json.loads(start(tmp_path / "whole.db").communicate()[0])
    path = tmp_path / "killed.db"
    for rows in (400, 1200):
        process = start(path)
        while _rows(path) < rows:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finished = _model_rows(path)
    resumed = json.loads(start(path).communicate()[0])
    assert json.dumps(resumed["final"]) == json.dumps(whole["final"])
    assert whole["called"] == 1600
    assert resumed["called"] == resumed["paid"] == 1600 - finished
    assert 0 < finished < 1600


def _rows(path: Path) -> int:
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        count = int(db.execute("SELECT count(*) FROM call").fetchone()[0])
        db.close()
        return count
    except sqlite3.Error:
        return 0


def _model_rows(path: Path) -> int:
    """Stored samples; verdicts are stored as JSON lists."""
    db = sqlite3.connect(path)
    count = int(db.execute("SELECT count(*) FROM call WHERE outcome LIKE '{%'").fetchone()[0])
    db.close()
    return count
