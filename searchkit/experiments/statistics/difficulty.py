"""The best strategy for each difficulty and budget, chosen on some problems and measured on others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from searchkit.errors import ConfigError
from searchkit.experiments.estimators.intervals import Interval, bootstrap
from searchkit.experiments.pool.pool import Pool
from searchkit.kinds import is_whole, told
from searchkit.protocols import Generator, Verifier
from searchkit.strategies.routing.pilots import Pilots

Array = NDArray[np.float64]


def difficulty(pool: Pool, by: Literal["pass@1", "score"]) -> Array:
    """[problems]: how easy each problem is, greater is easier.

    by: "pass@1", the share of its samples that are right ("oracle", needs the truth; unknown ones count as wrong);
    "score", their mean score ("predicted", needs none). `ConfigError` if a problem has no score.
    """
    if by == "pass@1":
        return np.array([np.mean([entry.correct for entry in column]) for column in pool.entries.values()])
    if by != "score":
        raise ConfigError(f'difficulty is measured by "pass@1" or "score", got {by!r}')
    scores = {name: [e.score for e in column if e.score is not None] for name, column in pool.entries.items()}
    bare = [name for name, found in scores.items() if not found]
    if bare:
        raise ConfigError(f"no sample of problem {bare[0]!r} has a score: draw the pool with a verifier that scores it")
    return np.array([np.mean(found) for found in scores.values()])


def quantile_bins(values: ArrayLike, bins: int = 5) -> NDArray[np.intp]:
    """[problems]: the bin of each, 0 for the least values; bins differ by one problem at most. Ties stay in order."""
    found = np.asarray(values, dtype=float)
    if found.ndim != 1 or not 1 <= bins <= len(found) or not np.isfinite(found).all():
        raise ConfigError(f"{bins} bins need as many finite values at least, one a problem, got shape {found.shape}")
    place = np.empty(len(found), dtype=np.intp)
    place[np.argsort(found, kind="stable")] = np.arange(len(found)) * bins // len(found)
    return place


@dataclass(frozen=True, eq=False)
class ComputeOptimal:
    """Accuracy on problems that had no say in the choice of their strategy.

    accuracy: mean and interval over problems, each of shape [budgets]. per_problem: [problems, budgets]. chosen:
    ``chosen[budget][bin][fold]`` names the strategy that fold's problems were measured with, hardest bin first.
    edges: [bins - 1], the easiness half-way between neighbouring bins. best: ``best[budget][bin]`` names the strategy
    that is best on all problems of the bin: the one for problems to come, whose accuracy `accuracy` tells of.
    """

    accuracy: Interval
    per_problem: Array
    chosen: tuple[tuple[tuple[str, ...], ...], ...]
    edges: tuple[float, ...] = ()
    best: tuple[tuple[str, ...], ...] = ()

    def chooser(
        self, verifier: Verifier, pilots: int, *, budget: int = 0, generator: Generator | None = None
    ) -> Pilots:
        """The choice at run time, for ``Router(arms, chooser)``, whose arms are named as the strategies here.

        A problem is as easy as the mean score that `verifier` gives `pilots` samples of it: the choice must have been
        made by ``difficulty(pool, "score")`` of the same verifier and generator. budget: which column of `accuracy`.
        The pilots are charged, and are candidates for the answer. generator: what they are drawn from; None is the one
        given to `solve`. Cost: `pilots` generations and verifications a problem.
        """
        if not is_whole(budget) or not 0 <= budget < len(self.best):
            raise ConfigError(f"budget is the place of one of {len(self.best)} budgets, from 0, got {told(budget)}")
        return Pilots(verifier, pilots, self.edges, self.best[budget], generator)


def compute_optimal(
    accuracy: Mapping[str, ArrayLike],
    easiness: ArrayLike,
    *,
    bins: int = 5,
    folds: int = 2,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> ComputeOptimal:
    """For each bin of difficulty and each budget the strategy that is best on the other folds, measured on this one.

    accuracy: of each strategy, [problems] or [problems, budgets], the same problems and budgets for all. easiness:
    [problems], as from `difficulty`. Within a bin problems go to the folds in turn, in the order of difficulty, so that
    folds are equally hard. Of equally good strategies the first named is taken.

    What is measured never decides: choosing on all problems makes the best of many equal strategies look better than
    they are. What estimating the difficulty costs is not counted, as in the paper; with "pass@1" from the same samples
    the bins, though not the choice, know the outcome. Source: Snell et al. 2024, section 3.2 (five bins, two folds).

    Raises `ConfigError` where shapes differ and where a bin has fewer problems than folds. The interval is that of the
    strategies chosen here: it does not tell how much another choice would have changed it.
    """
    names, ease = list(accuracy), np.asarray(easiness, dtype=float)
    tables = [np.asarray(table, dtype=float) for table in accuracy.values()]
    shapes = {table.shape for table in tables}
    if len(shapes) != 1 or tables[0].ndim not in (1, 2) or len(tables[0]) != len(ease):
        raise ConfigError(f"strategies need values for the same problems and budgets, got shapes {shapes or 'none'}")
    if folds < 2 or len(ease) < bins * folds:
        raise ConfigError(f"{bins} bins of {folds} folds (2 at least) need a problem each, got {len(ease)} problems")
    values = np.stack([table.reshape(len(ease), -1) for table in tables])  # [strategies, problems, budgets]
    place, fold = quantile_bins(ease, bins), np.empty(len(ease), dtype=int)
    for b in range(bins):
        inside = np.flatnonzero(place == b)
        fold[inside[np.argsort(ease[inside], kind="stable")]] = np.arange(len(inside)) % folds
    whole = np.stack(
        [values[:, place == b].mean(axis=1).argmax(axis=0) for b in range(bins)], axis=1
    )  # [budgets, bins]
    held_out, chosen = np.empty(values.shape[1:]), np.empty((values.shape[2], bins, folds), dtype=int)
    for b, f in np.ndindex(bins, folds):
        learn, test = (place == b) & (fold != f), (place == b) & (fold == f)
        best = values[:, learn].mean(axis=1).argmax(axis=0)  # [budgets]
        held_out[test] = values[best, :, np.arange(len(best))].T[test]
        chosen[:, b, f] = best
    return ComputeOptimal(
        bootstrap(held_out, draws, seed, level),
        held_out,
        tuple(tuple(tuple(names[i] for i in row) for row in table) for table in chosen.tolist()),
        tuple(float(ease[place == b].max() + ease[place == b + 1].min()) / 2 for b in range(bins - 1)),
        tuple(tuple(names[i] for i in row) for row in whole.tolist()),
    )
