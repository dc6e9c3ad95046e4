"""A pool: N samples of every problem, drawn once, from which every curve is computed without paying again."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from searchkit.errors import ConfigError
from searchkit.types import Finish

if TYPE_CHECKING:
    from searchkit.experiments.curves import Curve, Name

HEADER = "searchkit_pool"
VERSION = 1
ROWS_SHOWN = 10
_FINISHES = (*get_args(Finish), "error")


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample of a problem, reduced to what estimators need.

    value: the text, or what an agent returned (None if it failed). key: its canonical answer; None abstains, as
    truncated ("length") and failed ("error") samples always do. score: the verifier's, None if it abstained. correct:
    the truth as far as it is known. Tokens are those of this sample alone.
    """

    value: Any
    key: Hashable | None = None
    score: float | None = None
    correct: bool = False
    generated_tokens: int = 0
    prompt_tokens: int = 0
    finish: Finish | Literal["error"] = "stop"

    def __post_init__(self) -> None:
        checks = {
            "key must be hashable": _is_hashable(self.key),
            "score must be a finite number, or None": self.score is None or _is_finite(self.score),
            "correct must be True or False": isinstance(self.correct, bool),
            "tokens must be whole numbers >= 0": _is_count(self.generated_tokens) and _is_count(self.prompt_tokens),
            f"finish must be one of {', '.join(_FINISHES)}": self.finish in _FINISHES,
            "a truncated or failed sample never votes, pass key=None": self.key is None
            or self.finish not in ("length", "error"),
            "a failed sample is not correct": not (self.correct and self.finish == "error"),
        }
        for rule, holds in checks.items():
            if not holds:
                raise ConfigError(f"{rule}, got {self}")


@dataclass(frozen=True, repr=False)
class Pool:
    """The entries of every problem, by problem id, in the order in which they were sampled.

    Problems may have different numbers of entries; curves then end at the smallest. Failed samples belong in the pool,
    as entries with ``finish="error"``: leaving them out would make every estimate too good.
    """

    entries: Mapping[str, tuple[Entry, ...]]

    def __post_init__(self) -> None:
        if not self.entries:
            raise ConfigError("a pool needs at least one problem")
        for problem, entries in self.entries.items():
            if not isinstance(problem, str):
                raise ConfigError(f"problem ids must be texts, got {problem!r}")
            if not entries or not all(isinstance(entry, Entry) for entry in entries):
                raise ConfigError(f"problem {problem!r} needs at least one sample, and only Entry objects")
        object.__setattr__(self, "entries", {problem: tuple(entries) for problem, entries in self.entries.items()})

    def __len__(self) -> int:
        """The number of problems."""
        return len(self.entries)

    @property
    def size(self) -> int:
        """The number of samples that every problem has at least: the largest k of a curve."""
        return min(map(len, self.entries.values()))

    def curve(self, name: Name, ks: Sequence[int] | None = None, *, seed: int = 0, level: float = 0.95) -> Curve:
        """One curve, such as ``pool.curve("pass@k")``; see `searchkit.experiments.curves.estimate`."""
        from searchkit.experiments.curves import estimate

        return estimate(self, name, ks, seed=seed, level=level)

    def curves(self) -> tuple[Curve, ...]:
        """All exact curves that the pool's columns allow: pass@k, best@k (needs scores), maj@k (needs keys)."""
        from searchkit.experiments.curves import curves

        return curves(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the pool as JSON lines: a header, then one line an entry. The file appears whole or not at all.

        An existing pool is replaced; any other existing file is refused.
        """
        target = Path(path)
        if target.exists():
            _check_header(target)
        samples = sum(map(len, self.entries.values()))
        lines = [json.dumps({HEADER: VERSION, "problems": len(self), "samples": samples})]
        for problem, entries in self.entries.items():
            lines += [_dump(problem, i, entry) for i, entry in enumerate(entries)]
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with partial.open("w", encoding="utf-8", errors="surrogatepass") as file:  # models do emit half characters
                file.write("\n".join(lines) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        except OSError as error:
            raise ConfigError(f"the pool {target} cannot be written: {error.strerror}") from error
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Pool:
        """The pool that `save` wrote; `ConfigError` if the file is missing, is something else, or is damaged."""
        source = Path(path)
        header = _check_header(source)
        entries: dict[str, list[Entry]] = {}
        with source.open("rb") as file:
            next(file)
            for number, line in enumerate(file, start=2):
                try:
                    stored = json.loads(line)
                    entries.setdefault(stored.pop("problem"), []).append(Entry(**stored))
                except (ValueError, TypeError, KeyError, AttributeError) as error:
                    raise ConfigError(f"{source}, line {number}, is damaged ({error}): restore or redraw it") from error
        found = {"problems": len(entries), "samples": sum(map(len, entries.values()))}
        if any(header.get(name) != count for name, count in found.items()):
            raise ConfigError(f"{source} is incomplete: its header promises {header}, it holds {found}; redraw it")
        return cls({problem: tuple(rows) for problem, rows in entries.items()})

    def __repr__(self) -> str:
        samples = [entry for entries in self.entries.values() for entry in entries]
        right = sum(entry.correct for entry in samples)
        return f"Pool({len(self)} problems, {len(samples)} samples, {100 * right / len(samples):.1f} % correct)"

    def _repr_html_(self) -> str:
        head = ("problem", "samples", "correct", "answers", "failed", "generated tokens")
        rows = [_summary(problem, entries) for problem, entries in list(self.entries.items())[:ROWS_SHOWN]]
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        more = f"<p>... and {len(self) - ROWS_SHOWN} more problems</p>" if len(self) > ROWS_SHOWN else ""
        titles = "".join(f"<th>{title}</th>" for title in head)
        return f"<p>{escape(repr(self))}</p><table><tr>{titles}</tr>{body}</table>{more}"


def _is_hashable(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    return True


def _is_finite(score: object) -> bool:
    return isinstance(score, (int, float)) and math.isfinite(score)


def _is_count(tokens: object) -> bool:
    return isinstance(tokens, int) and tokens >= 0


def _summary(problem: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    counts = (
        len(entries),
        sum(entry.correct for entry in entries),
        len({entry.key for entry in entries if entry.key is not None}),
        sum(entry.finish == "error" for entry in entries),
        sum(entry.generated_tokens for entry in entries),
    )
    return (problem, *map(str, counts))


def _dump(problem: str, index: int, entry: Entry) -> str:
    stored = {field.name: getattr(entry, field.name) for field in fields(entry)}
    for name in ("value", "key"):
        if not is_json(stored[name]):
            kind = type(stored[name]).__name__
            raise ConfigError(
                f"problem {problem!r}, sample {index}: a {name} of type {kind} does not survive JSON; store its text"
            )
    return json.dumps({"problem": problem, **stored}, ensure_ascii=False, allow_nan=False)


def is_json(value: Any) -> bool:
    """True if JSON gives back an equal value: a tuple, a dataclass or NaN would come back changed or not at all."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False


def _check_header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
    except OSError as error:
        raise ConfigError(f"the pool {path} cannot be read: {error.strerror}") from error
    except ValueError:
        header = None
    if not isinstance(header, dict) or HEADER not in header:
        raise ConfigError(f"{path} is not a searchkit pool (no {HEADER!r} header): name a file that Pool.save wrote")
    if header[HEADER] != VERSION:
        raise ConfigError(f"{path} is a pool of version {header[HEADER]}, this searchkit reads version {VERSION}")
    return header
