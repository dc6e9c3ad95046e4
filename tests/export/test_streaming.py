"""A sweep of many rows goes through one problem at a time."""

from __future__ import annotations

import json

from searchkit.experiments.sweep import manifest
from searchkit.experiments.sweep.rows import HEADER, VERSION
from searchkit.export import Trajectory, export, of_sweep
from searchkit.types import Problem, Prompt

ROW = {
    "strategy": "s", "budget": "b", "score": None, "generated_tokens": 1, "unknown": False, "finish": "stop",
}  # fmt: skip


def planted(folder, problems, seeds):
    """A finished sweep's files, its rows in the order of sweeps: all problems of a seed, then the next seed."""
    manifest.begin(folder, {"model": None}, 1)
    rows = ({**ROW, "problem": f"p{p}", "seed": s, "answer": f"{p} {s}", "right": s % 2 == 0}
            for s in range(seeds) for p in range(problems))  # fmt: skip
    with (folder / "results.jsonl").open("w") as file:
        file.write(json.dumps({HEADER: VERSION, "rows": problems * seeds}) + "\n")
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return {f"p{p}": Problem(f"p{p}", Prompt.of(f"Say {p}")) for p in range(problems)}


def test_rows_of_a_problem_come_together_though_they_lie_apart(tmp_path):
    """Each once, in the order of the file."""
    problems = planted(tmp_path / "sweep", 7, 5)
    found = list(of_sweep(tmp_path / "sweep", problems))
    assert [one.problem for one in found] == [f"p{p}" for p in range(7)]
    assert all([t.origin.seed for t in one.trajectories] == list(range(5)) for one in found)
    assert [t.text for t in found[3].trajectories] == [f"3 {s}" for s in range(5)]


def test_one_problem_at_a_time_is_read(tmp_path, monkeypatch):
    """Rows are made when their problem's turn comes: of 300 read for the index, four more for the first problem."""
    problems = planted(tmp_path / "sweep", 75, 4)
    counted = []
    made = Trajectory.__post_init__
    monkeypatch.setattr(Trajectory, "__post_init__", lambda self: (counted.append(self.text), made(self))[1])
    stream = of_sweep(tmp_path / "sweep", problems)
    next(stream)
    assert len(counted) == 4
    next(stream)
    assert len(counted) == 8
    stream.close()


def test_an_export_of_many_rows_has_them_all(tmp_path):
    """2,100 rows: two blocks of Parquet."""
    problems = planted(tmp_path / "sweep", 100, 21)
    done = export(tmp_path / "sweep", tmp_path / "rows.parquet", "trl-kto", problems=problems)
    assert done.rows == {str(tmp_path / "rows.parquet"): 2100}
    assert done.problems == 100
