"""A script that searches with a journal in a process of its own, which is killed (SIGKILL) and started again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def stored_samples(path: Path) -> int:
    """Stored samples; verdicts are stored as JSON lists. 0 while there is no file yet."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        count = int(db.execute("SELECT count(*) FROM call WHERE outcome LIKE '{%'").fetchone()[0])
        db.close()
    except sqlite3.Error:
        return 0
    return count


class Killed:
    """`script` is given a journal and `more`, and prints as JSON what it comes to: final bytes, calls made and paid."""

    def __init__(self, script: str, folder: Path, *more: str) -> None:
        self.folder, self.more = folder, more
        self.script = folder / "script.py"
        self.script.write_text(script)

    def _start(self, journal: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, str(self.script), str(self.folder / journal), *self.more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)

    def ended(self, journal: str) -> dict[str, Any]:
        """What it comes to in a process that is left alone."""
        return dict(json.loads(self._start(journal).communicate(timeout=120)[0]))

    def killed(self, journal: str, after: int) -> None:
        """Killed once `after` samples are stored."""
        process = self._start(journal)
        while stored_samples(self.folder / journal) < after:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def check(self, whole: dict[str, Any]) -> None:
        """Killed after a third of the calls of `whole` and after two thirds: the same, and nothing is paid twice."""
        for third in (1, 2):
            self.killed("killed.db", third * whole["called"] // 3)
        finished = stored_samples(self.folder / "killed.db")
        resumed = self.ended("killed.db")
        assert resumed["final"] == whole["final"]
        assert 0 < finished < whole["called"]
        assert resumed["called"] == resumed["paid"] == whole["called"] - finished
