"""The progress of a sweep, read from its logs, so that it looks the same wherever the work is done."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from searchkit.engine.progress import bar
from searchkit.markup.words import one_line

SHOWN = 60  # characters of the first error
INTERVAL = 0.2  # seconds between two looks


class Progress:
    """A bar on stderr while the block runs: searches done, their rate, tokens and money spent, unknown verdicts, how
    many searches failed, and how the first of them did."""

    def __init__(self, logs: Sequence[Path], total: int) -> None:
        self._read: dict[Path, int] = dict.fromkeys(logs, 0)  # how many bytes of each log are counted
        self._total, self._tokens, self._usd = total, 0, 0.0
        self._seen: dict[tuple[str, str, int, str], tuple[bool, str]] = {}  # is it unknown if it is right; its error
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="searchkit-progress", daemon=True)

    def __enter__(self) -> None:
        self._bar: Any = bar(self._total, "search", self._look())
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self._bar.close()

    def _watch(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(INTERVAL)
            self._bar.update(self._look())
            self._bar.set_postfix_str(self._spent())

    def _look(self) -> int:
        """Count what was added to the logs since the last look; returns how many searches that are new."""
        before = len(self._seen)
        for path, offset in self._read.items():
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(offset)
                added = file.read()
            whole = added[: added.rfind(b"\n") + 1]
            self._read[path] = offset + len(whole)
            lines = [json.loads(line) for line in whole.splitlines()]
            rows = [line["row"] for line in lines]
            spent = [*rows, *(line["lost"] for line in lines)]
            self._tokens += sum(one["generated_tokens"] for one in spent)
            self._usd += sum(one["usd"] for one in spent)
            for row in rows:
                key = row["strategy"], row["budget"], row["seed"], row["problem"]
                self._seen[key] = row["unknown"], row["error"]
        return len(self._seen) - before

    def _spent(self) -> str:
        money = f", ${self._usd:,.2f}" if self._usd else ""
        unknown = sum(unknown for unknown, _ in self._seen.values())
        told = f", {unknown:,} of {len(self._seen):,} unknown" if unknown else ""
        if errors := [error for _, error in self._seen.values() if error]:
            told += f", {len(errors):,} failed: {one_line(errors[0], SHOWN)}"
        return f"{self._tokens:,} tokens{money}{told}"
