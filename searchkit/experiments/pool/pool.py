"""A pool: N samples of every problem, drawn once, from which every curve is computed without paying again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from searchkit.errors import ConfigError
from searchkit.experiments.entry import Entry
from searchkit.experiments.pool import pool_file
from searchkit.experiments.pool.shown import pool_html
from searchkit.experiments.unknown import among_known, of_pool
from searchkit.types import TRUNCATED, Problem

if TYPE_CHECKING:
    from searchkit.experiments.estimators.curves import Curve, Curves, Name

Cost = Literal["generated_tokens", "total_tokens", "usd"]
COSTS: dict[str, Callable[[Entry], float]] = {
    "generated_tokens": lambda entry: entry.generated_tokens,
    "total_tokens": lambda entry: entry.prompt_tokens + entry.generated_tokens,
    "usd": lambda entry: entry.usd,
}


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
        """One curve, such as ``pool.curve("pass@k")``; see `searchkit.experiments.estimators.curves.estimate`."""
        from searchkit.experiments.estimators.curves import estimate

        return estimate(self, name, ks, seed=seed, level=level)

    def curves(self) -> Curves:
        """All exact curves that the pool's columns allow: pass@k, best@k (needs scores), maj@k (needs keys)."""
        from searchkit.experiments.estimators.curves import curves

        return curves(self)

    @classmethod
    def of(cls, samples: Iterable[tuple[str, Entry]]) -> Pool:
        """The pool of (problem id, entry) pairs, such as those made from another tool's file, in their order."""
        entries: dict[str, list[Entry]] = {}
        for problem, entry in samples:
            entries.setdefault(problem, []).append(entry)
        return cls({problem: tuple(column) for problem, column in entries.items()})

    def samples(self) -> Iterator[tuple[str, Entry]]:
        """All samples as (problem id, entry), a problem after the other."""
        return ((problem, entry) for problem, column in self.entries.items() for entry in column)

    def rows(
        self, problems: Iterable[Problem], arm: str, cost: Cost | Callable[[Entry], float] = "generated_tokens"
    ) -> list[tuple[str, str, bool, float, float | None]]:
        """(prompt, arm, right, cost, score) of every sample: what `Router.fit` and `Escalate.fit` learn from.

        - problems: those of the pool, whose prompts the entries do not have; others are not looked at.
        - arm: what drew the samples of this pool; the rows of several pools are put one after the other.
        - cost: "generated_tokens", "total_tokens" (with those read), "usd", or a function of the entry; of this sample
          alone, without its verification.

        Samples of which nobody knows whether they are right are left out. Those that are cut off have no score: none
        makes them enough for `Escalate`. Raises `ConfigError` for a problem that is missing.
        """
        spent = COSTS.get(cost, cost) if isinstance(cost, str) else cost
        if not callable(spent):
            raise ConfigError(f"cost is one of {', '.join(COSTS)}, or a function of an entry, got {cost!r:.80}")
        texts = {problem.id: problem.prompt.text for problem in problems}
        missing = [name for name in self.entries if name not in texts]
        if missing:
            raise ConfigError(f"{len(missing)} problems of the pool are not among those given, such as {missing[0]!r}")
        known = ((texts[name], entry) for name, entry in self.samples() if not entry.unknown)
        return [
            (text, arm, entry.correct, float(spent(entry)), None if entry.finish in TRUNCATED else entry.score)
            for text, entry in known
        ]

    def extend(self, more: Pool) -> Pool:
        """This pool and then `more`: problems that are new, and further samples of those that are not.

        Raises `ConfigError` if all that `more` has of known problems seems to be the same samples once again, which
        would make every estimate too sure. To draw further samples there is ``draw(..., pool=pool)``.
        """
        known = [(self.entries[p], column) for p, column in more.entries.items() if p in self.entries]
        if known and all(a.same_sample(b) for pair in known for a, b in zip(*pair, strict=False)):
            raise ConfigError(
                "these samples are in the pool already: draw more of them with pool=, or with another seed"
            )
        return Pool.of((*self.samples(), *more.samples()))

    def scored_by(self, name: str) -> Pool:
        """The same samples with `Entry.scores[name]` as their score: what best@k and weighted votes then go by."""
        names = sorted({found for _, entry in self.samples() for found in entry.scores})
        if name not in names:
            raise ConfigError(f"no sample has a score {name!r}: there is {', '.join(names) or 'none'}")
        return Pool.of((problem, replace(entry, score=entry.scores.get(name))) for problem, entry in self.samples())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Add to a file of JSON lines what it lacks of this pool; see `searchkit.experiments.pool.pool_file`."""
        pool_file.save(self.entries, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Pool:
        """All that was saved to `path`; `ConfigError` if it is missing, is something else, or is damaged."""
        return cls(pool_file.load(path))

    @property
    def diagnosis(self) -> str:
        """What is unknown, with an example, and what may help; "" if every sample is known to be right or wrong."""
        return of_pool(self)

    def __repr__(self) -> str:
        samples = [entry for _, entry in self.samples()]
        right, unknown = sum(entry.correct for entry in samples), sum(entry.unknown for entry in samples)
        said = f"{len(self)} problems, {len(samples)} samples, {100 * right / len(samples):.1f} % correct"
        if not unknown:
            return f"Pool({said})"
        known = 100 * among_known(right, unknown, len(samples))
        others = "" if unknown == len(samples) else f", {known:.1f} % of the others"
        at_most = f"{100 * (right + unknown) / len(samples):.1f} % at most"
        return f"Pool({said}; {unknown} unknown: {at_most}{others})\n{self.diagnosis}"

    def _repr_html_(self) -> str:
        """The problems, and the best samples of each with their scores, for notebooks."""
        return pool_html(self.entries, repr(self))
