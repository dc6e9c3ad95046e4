"""Material from a journal: what models wrote, with the verdicts on it, without a search being run again."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from searchkit import codec
from searchkit.engine.journal.file import named
from searchkit.engine.journal.rows import COLUMNS, Row, damage, request_damage, text
from searchkit.engine.journal.salvage import salvaging
from searchkit.errors import JournalError
from searchkit.export.reading import by_id
from searchkit.export.trajectory import Material, Origin, Trajectory, is_text, model_of
from searchkit.types import Problem, Prompt, Sample, Verdict

REMEMBERED = 256  # prompts: texts and verdicts of a problem take turns in a journal


def of_journal(
    path: str | Path, problems: Mapping[str, Problem] | None = None, *, licence: str = ""
) -> Iterator[Material]:
    """What a journal holds, a problem after the other, in the order of their ids.

    A text and a verdict belong together where they are the only ones of one item of a search, as a draw of `BestOfN`,
    or a rollout of `MCTS`, and its verdict are: of others, which a search judged together or not at all, the verdict is
    unknown, and so it is of items of an item, one of which may be lost, and where two judgings differ. What models said
    as judges stands in a journal as they wrote it, and is no verdict: the result of the search has that. Texts that
    were to be continued, steps of a search, count only where something judged them. Damaged rows are left out
    (`searchkit journal check` names them). problems: for their references and prompts; without them the prompt is that
    of the verdict, else of the text, that stands highest. The seed of a search stands in no journal.

    Raises `JournalError` for what is no journal. Memory: the calls of one problem, and 100 bytes a request.
    """
    known = by_id(problems or {})
    source = Path(path)
    with _opened(source) as db:
        requests = Requests(db)
        rows = (
            Row._make(row) for row in db.execute(f"SELECT {COLUMNS} FROM call ORDER BY problem, id") if not damage(row)
        )
        for problem, group in groupby(rows, key=lambda row: text(row.problem)):
            told = known.get(problem)
            found = _Calls(problem, source.name, licence)
            for row in group:
                found.take(row, requests)
            prompt = told.prompt if told else found.prompt()
            if prompt is not None:
                yield Material(problem, prompt, list(found.trajectories(prompt)), (), told.reference if told else None)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise JournalError(f"{path} is no file: name a journal")
    with named(path, "read"), salvaging(path.resolve()) as (db, _):
        yield db


class Requests:
    """The prompts of a journal's requests, by their digests; read when they are asked for."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows = dict(db.execute("SELECT digest, id FROM request"))
        self._read_last: dict[bytes, Prompt | None] = {}

    def prompt(self, digest: bytes) -> Prompt | None:
        """None where the request was not stored, is damaged, or is none of a model: what an agent asked by itself."""
        if digest not in self._read_last:
            if len(self._read_last) >= REMEMBERED:
                self._read_last.clear()
            self._read_last[digest] = self._read(digest)
        return self._read_last[digest]

    def _read(self, digest: bytes) -> Prompt | None:
        if (number := self._rows.get(digest)) is None:
            return None
        row = self._db.execute("SELECT id, digest, content FROM request WHERE id = ?", (number,)).fetchone()
        if row is None or request_damage(row):
            return None
        try:
            return codec.load_request(text(row[2]))[0]
        except Exception:  # of another kind: what an agent asked by itself
            return None


def prompts(path: str | Path) -> dict[str, Prompt]:
    """The prompt of each problem that a sweep's truth has judged, from the journal of one of its shards."""
    found = dict[str, Prompt]()
    with _opened(Path(path)) as db:
        requests = Requests(db)
        for row in db.execute(f"SELECT {COLUMNS} FROM call WHERE path LIKE '%Judgement/score[%' ORDER BY id"):
            if text(row[2]) not in found and not damage(row) and (prompt := requests.prompt(row[5])) is not None:
                found[text(row[2])] = prompt
    return found


@dataclass
class _Calls:
    """The calls of one problem."""

    problem: str
    name: str
    licence: str
    written: list[tuple[str, Prompt, Sample[Any]]] = field(default_factory=list)
    verdicts: dict[str, list[tuple[Prompt, Verdict]]] = field(default_factory=dict)

    def take(self, row: Row, requests: Requests) -> None:
        role, path = text(row.role), text(row.path)
        prompt = requests.prompt(row.request)
        if prompt is None or role not in ("generate", "verify"):
            return
        with contextlib.suppress(Exception):  # what came out cannot be read: left out, as damaged rows are
            self._take(role, path, prompt, text(row.outcome))

    def _take(self, role: str, path: str, prompt: Prompt, outcome: str) -> None:
        if role == "generate":
            sample, *_ = codec.load_row(outcome)
            self.written.append((path, prompt, sample))
        elif outcome.startswith("["):
            verdicts = [(prompt, verdict) for verdict in codec.load_verdicts(outcome)]
            self.verdicts.setdefault(path.rpartition("/")[0], []).extend(verdicts)

    def prompt(self) -> Prompt | None:
        """What was asked: of the verdict that stands highest in the search, else of the text that does."""
        judged = [(place.count("/"), i, asked) for i, (place, all_of_them) in enumerate(self.verdicts.items())
                  for asked, _ in all_of_them]  # fmt: skip
        texts = [(path.count("/"), i, asked) for i, (path, asked, _) in enumerate(self.written) if not asked.prefix]
        return min(judged or texts, key=lambda one: one[:2], default=(0, 0, None))[2]

    def trajectories(self, prompt: Prompt) -> Iterator[Trajectory]:
        judged = self._judged()
        for i, (path, asked, sample) in enumerate(self.written):
            verdict = None
            if not is_text(sample):
                continue
            if i in judged:
                about, verdict = judged[i]
                if about.messages != prompt.messages:
                    continue  # the answer to something else: a part of the problem
            elif asked.messages != prompt.messages or asked.prefix or sample.stop_reason:
                continue  # a call about the problem, or a step: not an answer to it
            yield self._trajectory(path, asked.prefix, sample, verdict or Verdict())

    def _judged(self) -> dict[int, tuple[Prompt, Verdict]]:
        """Which verdict is on which text, by its number."""
        below = dict[str, list[int]]()
        for i, (path, _, _) in enumerate(self.written):
            for end, character in enumerate(path):
                if character == "/" and path[:end] in self.verdicts:
                    below.setdefault(path[:end], []).append(i)
        found = dict[int, tuple[Prompt, Verdict]]()
        for place, numbers in below.items():
            between = self.written[numbers[0]][0][len(place) + 1 :]
            verdicts = self.verdicts[place]
            agreed = len({(verdict.passed, verdict.unread) for _, verdict in verdicts}) == 1  # judged again, perhaps
            if len(numbers) == 1 and agreed and "]/" not in between:
                found[numbers[0]] = verdicts[-1]
        return found

    def _trajectory(self, path: str, prefix: str, sample: Sample[Any], verdict: Verdict) -> Trajectory:
        origin = Origin(
            self.problem, "journal", self.name, None, path, *_model(path), sample.usage.generated_tokens, self.licence
        )
        return Trajectory.of(sample, verdict, origin, prefix)


def _model(path: str) -> tuple[str, str]:
    """Who wrote, from the end of a call's path, after its last item: ``.../draw[2]/embedded/countdown@e[2]``."""
    name = path.rpartition("]/")[2] if not path.endswith("]") else path[: path.rindex("[")].rpartition("]/")[2]
    return model_of(name)
