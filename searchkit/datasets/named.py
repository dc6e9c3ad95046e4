"""Data sets by name, and a choice of their problems."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from searchkit.datasets.aime import aime
from searchkit.datasets.dataset import Dataset
from searchkit.datasets.files import Row, Source
from searchkit.datasets.game24 import game24
from searchkit.datasets.gsm8k import gsm8k
from searchkit.datasets.humaneval import humaneval
from searchkit.datasets.math500 import math500
from searchkit.datasets.own import instructed
from searchkit.errors import ConfigError
from searchkit.types import Problem

Name = Literal["gsm8k", "math500", "aime", "humaneval", "game24"]
LOADERS: Mapping[str, Callable[..., Dataset]] = {
    "gsm8k": gsm8k, "math500": math500, "aime": aime, "humaneval": humaneval, "game24": game24,
}  # fmt: skip
Subset = str | Sequence[str] | Mapping[str, Any]


def load(name: Name, source: Source, *, system: str = "", **options: Any) -> Dataset:
    """The data set of that name, from its file.

    system: a system message before each prompt; "" is none. options: those of the loader (`checksum`, `template`).
    Raises `ConfigError` as the loader does, and for an unknown name.
    """
    if name not in LOADERS:
        raise ConfigError(f"unknown data set {name!r}; known are {', '.join(LOADERS)}")
    data = LOADERS[name](source, **options)
    asked = (replace(problem, prompt=instructed(problem.prompt, system)) for problem in data.problems)
    return replace(data, problems=tuple(asked)) if system else data


def choose(
    problems: Sequence[Problem],
    *,
    subset: Subset | None = None,
    shuffle: int | None = None,
    limit: int | None = None,
    rows: Sequence[Row] = (),
) -> tuple[Problem, ...]:
    """Some of the problems: first `subset`, then shuffled, then the first `limit` of them.

    - subset: "900:1000" for positions from 0, the second one left out; a list of ids; or a table of fields of the file
      with the values to keep (one, or a list of several), which needs `rows`.
    - shuffle: the seed of the order; None keeps it. A problem keeps its place relative to the others whatever the
      limit, so a greater limit adds problems to those of a smaller one.
    - limit: how many at most; None is all.
    - rows: the rows of the problems, one each.

    Raises `ConfigError` for an id that there is not, and if nothing is left.

    >>> from searchkit import Problem
    >>> [p.id for p in choose([Problem.of("q", str(i)) for i in range(9)], subset="2:8", limit=3)]
    ['2', '3', '4']
    """
    kept = list(_subset(problems, subset, rows))
    if shuffle is not None:
        random.Random(shuffle).shuffle(kept)
    if limit is not None and limit < 1:
        raise ConfigError(f"limit must be >= 1, got {limit}")
    if not kept:
        raise ConfigError(f"no problem is left by subset = {subset!r:.200}")
    return tuple(kept[:limit])


def _subset(problems: Sequence[Problem], subset: Subset | None, rows: Sequence[Row]) -> Sequence[Problem]:
    if subset is None:
        return problems
    if isinstance(subset, str):
        first, found, last = subset.partition(":")
        if not found or not all(not end or (end.isascii() and end.isdigit()) for end in (first, last)):
            raise ConfigError(f'a subset is "900:1000", a list of ids, or a table of fields, got {subset!r:.80}')
        return problems[int(first or 0) : int(last) if last else None]
    if isinstance(subset, Mapping):
        return [p for p, row in zip(problems, rows, strict=True) if all(_has(row, *want) for want in subset.items())]
    there = {problem.id: problem for problem in problems}
    if missing := [one for one in subset if one not in there]:
        raise ConfigError(
            f"no problem has the id {missing[0]!r:.80}; they are called {', '.join(list(there)[:3])}, ..."
        )
    return [there[one] for one in subset]


def _has(row: Row, name: str, wanted: Any) -> bool:
    if name not in row.values:
        raise ConfigError(f"{row.where}: there is no field {name!r}; it has {', '.join(map(repr, row.values))}")
    listed = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    return any(row.values[name] == one or str(row.values[name]) == str(one) for one in listed)
