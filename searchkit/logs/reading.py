"""From a log of another tool to a pool: which form it has, its samples one after the other, what was left out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from searchkit.engine.progress import bar
from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry
from searchkit.experiments.pool import pool_file
from searchkit.experiments.pool.pool import Pool
from searchkit.kinds import printable
from searchkit.logs import inspect_log, json_lines, lm_eval, monkeys, openai_batch
from searchkit.logs.bounded import head
from searchkit.logs.logged import How, LogForm, Logged, Notes
from searchkit.mistakes import listed
from searchkit.types import Problem, Prompt

READERS: Mapping[str, LogForm] = {one.NAME: one for one in (inspect_log, lm_eval, openai_batch, monkeys, json_lines)}
ENDINGS = (".eval", ".json", ".jsonl", ".jsonl.gz", ".yaml", ".yml")
TAIL = 200  # characters kept of an unknown sample's text where texts are not: an answer stands at the end
HOW = How()


@dataclass(frozen=True)
class Imported:
    """What came of a log.

    - pool: its samples.
    - problems: those of which the log has the prompt, with the references that it has; () from `import_log`.
    - form: what kind of log it is, one of `READERS`.
    - figures: what the log says of itself, such as its own accuracy, by name.
    - left_out: rows that gave no sample, by the reason.
    - notes: what somebody who compares should know, by how many samples it is true of.
    - model: which model wrote the samples; "" where the log does not say.
    """

    pool: Pool
    problems: tuple[Problem, ...] = ()
    form: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    model: str = ""

    def __str__(self) -> str:
        samples = sum(map(len, self.pool.entries.values()))
        by = f", written by {printable(self.model)!r:.80}" if self.model else ""
        lines = [f"{samples:,} samples of {len(self.pool):,} problems ({self.form}{by})"]
        lines += [f"the log says: {printable(name)} {value:.4g}" for name, value in self.figures.items()]
        lines += [f"left out, {printable(why)}: {n:,}" for why, n in self.left_out.items()]
        return "\n".join([*lines, *(f"{n:,} samples {printable(note)}" for note, n in self.notes.items() if n)])


def read_log(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    form: str | None = None,
    *,
    how: How = HOW,
    progress: bool = False,
) -> Imported:
    """The samples of another tool's log as a pool, with the problems that the log holds.

    source: a file, a folder of files, or several of them, which are further samples of the same problems. form: one of
    `READERS`; None finds it by how the file begins. Nothing in a file is evaluated or trusted.

    Raises `ConfigError`, which names the row and the fix, for what is no log, is damaged, too large or nested too
    deeply, where two files name two problems alike or are of two models, and where one file is named twice. Memory: all
    samples; `import_log` needs less. Cost: one pass; no model call.

    >>> import json, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "log.jsonl"
    >>> _ = path.write_text(json.dumps({"problem": "p", "value": "42", "correct": True}))
    >>> read_log(path).pool
    Pool(1 problems, 1 samples, 100.0 % correct)
    """
    told, problems = Notes(), dict[str, Problem]()
    sources, reader = _opened(source, form, how)
    with _shown(sources, progress, told):
        pool = Pool.of((one.problem, one.entry) for one in _known(_all(sources, reader, how, told), problems))
    return _imported(pool, problems, reader, told)


def import_log(
    source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    form: str | None = None,
    *,
    how: How = HOW,
    progress: bool = False,
) -> Imported:
    """`read_log`, written to the file `out`, which `Pool.load` reads, while it is read: for logs of any length.

    The pool that is returned has what estimators read, and no texts: a million samples take some hundred megabytes.
    The file appears whole or not at all. Raises what `read_log` does, and `ConfigError` if the file is there already.
    """
    target, told = Path(out), Notes()
    sources, reader = _opened(source, form, how)
    columns: dict[str, list[Entry]] = {}

    def kept() -> Iterator[tuple[str, Entry]]:
        for one in _all(sources, reader, how, told):
            columns.setdefault(one.problem, []).append(_bare(one.entry))
            yield one.problem, one.entry

    with _shown(sources, progress, told):
        pool_file.write(kept(), target)
    return _imported(Pool({problem: tuple(column) for problem, column in columns.items()}), {}, reader, told)


def _imported(pool: Pool, problems: Mapping[str, Problem], reader: LogForm, told: Notes) -> Imported:
    notes = {note: n for note, n in told.notes.items() if n}
    return Imported(
        pool, tuple(problems.values()), reader.NAME, dict(told.figures), dict(told.left_out), notes, told.model
    )


def _bare(entry: Entry) -> Entry:
    """The entry without its text; of an unknown one the end is kept, by which `Pool.diagnosis` says what to do."""
    tail = entry.value[-TAIL:] if entry.unknown and isinstance(entry.value, str) else None
    return replace(entry, value=tail, feedback=entry.feedback if entry.unknown else "")


def _opened(source: Any, form: str | None, how: How) -> tuple[list[Path], LogForm]:
    """The files, and what reads them; `how` is checked to mean something there."""
    if form is not None and form not in READERS:
        raise ConfigError(f"there is no form {form!r}: choose from {', '.join(READERS)}")
    if not isinstance(how, How):
        raise ConfigError(f"how is a How(...), got {how!r:.80}")
    given = [source] if isinstance(source, (str, os.PathLike)) else listed("source", source, '"logs/x.eval"')
    if odd := [one for one in given if not isinstance(one, (str, os.PathLike))]:
        raise ConfigError(f"source is a file, a folder, or a list of them, got {odd[0]!r:.80}")
    paths = [path for one in given for path in _files(Path(one))]
    if not paths:
        raise ConfigError(
            f"{', '.join(map(str, given)) or 'nothing'}: there is no log, name a file, such as logs/x.eval"
        )
    seen: dict[Path, Path] = {}
    for path in paths:
        if path.resolve() in seen:
            raise ConfigError(f"{path} is named twice: its samples would count twice")
        seen[path.resolve()] = path
    found = {path: READERS[form] if form is not None else _reader(path) for path in paths}
    kinds = {one.NAME for one in found.values()}
    if len(kinds) > 1:
        raise ConfigError(f"these are logs of {' and '.join(sorted(kinds))}: import each by itself, then Pool.extend")
    reader = found[paths[0]]
    for one in fields(how):
        if getattr(how, one.name) != getattr(HOW, one.name) and one.name not in reader.USES:
            other = "; in JSON lines it is a field, FieldNames(...) (--field)" if reader.NAME == json_lines.NAME else ""
            raise ConfigError(f"{one.name} says nothing of a log of {reader.NAME}, leave it out{other}")
    return paths, reader


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such file, name a log or a folder of logs")
        return [path]
    found = sorted(one for one in path.rglob("*") if one.name.endswith(ENDINGS) and one.is_file())
    samples = [one for one in found if one.name.startswith("samples_")]  # beside the harness' results
    return samples or found


def _reader(path: Path) -> LogForm:
    begins = head(path)
    if pool_file.HEADER.encode() in begins[:100]:
        raise ConfigError(f"{path} is a pool already: Pool.load reads it")
    for reader in READERS.values():
        if reader.fits(path, begins):
            return reader
    known, starts = ", ".join(READERS), begins.removeprefix(b"\xef\xbb\xbf").strip()
    if not starts:
        raise ConfigError(f"{path} is empty, or begins with nothing but blanks: name another file, or copy it again")
    if starts.startswith(b"["):
        raise ConfigError(f"{path} is one list of JSON: write its entries a line each, as jq -c '.[]' does")
    raise ConfigError(f"{path} is none of the logs that are known by how they begin: name its form, one of {known}")


def _all(sources: Iterable[Path], reader: LogForm, how: How, told: Notes) -> Iterator[Logged]:
    """The samples of all files, one after the other, checked to be of the same problems and of one model."""
    prompts: dict[str, bytes] = {}
    first, asked = "", False
    for path in sources:
        told.model = ""
        for one in reader.read(path, how, told):
            if one.prompt is not None and prompts.setdefault(one.problem, here := _digest(one.prompt)) != here:
                raise ConfigError(
                    f"{path}: problem {one.problem!r:.80} has another prompt than before: these are two of one "
                    "name, import each log into a pool of its own"
                )
            asked = True
            yield one
        if first and told.model and told.model != first:
            raise ConfigError(f"{path} is of the model {told.model!r:.80}, others of {first!r:.80}: a pool is of one")
        first = first or told.model
    told.model = first
    if not asked:
        raise ConfigError(
            f"{', '.join(map(str, sources))}: there is no sample in it: name a log of a run that has ended"
        )


def _digest(prompt: Any) -> bytes:
    text = prompt if isinstance(prompt, str) else json.dumps(prompt, sort_keys=True)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _known(logged: Iterable[Logged], problems: dict[str, Problem]) -> Iterator[Logged]:
    """The same, with the problem of each noted once."""
    for one in logged:
        if one.problem not in problems and one.prompt is not None:
            problems[one.problem] = Problem(one.problem, _prompt(one.prompt), one.reference)
        yield one


def _prompt(asked: Any) -> Prompt:
    """A text, or a list of messages; what is no conversation that we know is its JSON."""
    if isinstance(asked, list):
        try:
            return Prompt.of([{"role": m.get("role"), "content": m.get("content")} for m in asked])
        except (ConfigError, AttributeError):
            asked = json.dumps(asked)
    return Prompt.of(asked if isinstance(asked, str) else json.dumps(asked))


class _shown:
    """A bar of the bytes that are read, on stderr, if `progress`."""

    def __init__(self, sources: Iterable[Path], progress: bool, told: Notes) -> None:
        total = sum(path.stat().st_size for path in sources if path.is_file())
        self._bar = bar(total, "B") if progress else None
        if self._bar is not None:
            told.advance = self._bar.update

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
