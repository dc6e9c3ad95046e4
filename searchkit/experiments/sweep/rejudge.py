"""A finished sweep judged again: by another truth, other verifiers or keys, without a sample that is paid again."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from searchkit.engine.journal.checked import Call, add, calls, drop
from searchkit.errors import ConfigError
from searchkit.experiments.sweep import manifest
from searchkit.experiments.sweep.results import SweepResults
from searchkit.experiments.sweep.rows import whole
from searchkit.experiments.sweep.shard import JOURNAL
from searchkit.experiments.sweep.silent import JudgesOnly, silent
from searchkit.experiments.sweep.sweep import Sweep
from searchkit.tally import Tally
from searchkit.types import Usage

SOURCE = "source.json"


@dataclass(frozen=True)
class Rejudged:
    """What a sweep that was judged again came to.

    - results: the rows, as other settings would have had them on the same samples.
    - paid: what the new judge calls cost, those of processes that were killed included.
    - missing: how many samples searches asked for, in this process, that the journal lacks: they had failed then, or
      another verifier led the search elsewhere. They count as failed calls.
    """

    results: SweepResults = field(repr=False)
    paid: Usage
    missing: int


def rejudge(
    source: str | os.PathLike[str],
    sweep: Sweep,
    out: str | os.PathLike[str],
    *,
    concurrency: int = 32,
    progress: bool = False,
    retry_failed: bool = False,
) -> Rejudged:
    """The sweep in the folder `source` as `sweep` would have judged it, in the folder `out`.

    sweep: the one that ran there, or a part of its problems, strategies, budgets and seeds, with another truth, and
    with other verifiers, keys and selection rules in the strategies of the same names. The journals are copied, and
    every search is replayed from its copy: what was sampled is there, so no generation is paid, and what judges were
    asked before is not asked again. New judge calls are paid, and counted. Killed and run again it goes on; so it does
    where the sweep in `source` has grown, and `sweep` with it. retry_failed: judge anew what ended in an error, as
    where a judge's server was down.

    A strategy whose verifier decides what is sampled next (a tree, a beam) may come to samples that were never drawn:
    they fail, see `Rejudged.missing`. Cost: the new judge calls, and a copy of the journals.

    Raises `ConfigError`, before anything is copied, where `source` holds no such sweep, or has not finished it; where
    `out` is that folder or another sweep's; and where a verifier or the truth does not fit a problem.

    Example:
        >>> import tempfile
        >>> from searchkit import Model, Problem, Prompt
        >>> from searchkit.generators import Simulated
        >>> from searchkit.strategies import SelfConsistency
        >>> from searchkit.verifiers import Exact, Predicate
        >>> asked = [Problem(f"p{i}", Prompt.of(f"{i} + 4 - {i}?"), reference="4") for i in range(3)]
        >>> model = Model(Simulated({"4": 1.0}))
        >>> first = Sweep(asked, {"vote": SelfConsistency(2)}, truth=Exact(), endpoints=[model])
        >>> folder = tempfile.mkdtemp()
        >>> [row.right for row in first.run(f"{folder}/first").rows]
        [True, True, True]
        >>> odd = Predicate(lambda text: int(text) % 2 == 1, name="odd")
        >>> again = rejudge(f"{folder}/first", replace(first, truth=odd), f"{folder}/odd")
        >>> [row.right for row in again.results.rows], again.paid.model_calls
        ([False, False, False], 0)
    """
    old, new = Path(source), Path(out)
    stored = manifest.load(old)
    sweep.check_bound()
    _check(old, new, stored, sweep)
    shards: int = stored["shards"]
    manifest.begin(new, sweep.configuration(), shards, manifest.digests(sweep.problems), anew=_is_of(new, old))
    rows = _copied(old, new, shards)
    missing = [0]

    def asked() -> None:
        missing[0] += 1

    quiet = replace(
        sweep,
        strategies=silent(sweep.strategies, asked, judges=False),
        endpoints=[JudgesOnly(one, silent(one, asked, judges=False)) for one in sweep.generators],
    )
    results = sweep.work(
        new, rows, quiet, concurrency=concurrency, progress=progress, retry_failed=retry_failed
    )  # fmt: skip
    return Rejudged(results, _paid(new, rows), missing[0])


def _check(old: Path, new: Path, stored: dict[str, Any], sweep: Sweep) -> None:
    """Raises `ConfigError` unless the folder `old` has all that `sweep` is made of, and `new` is another one."""
    if old.resolve() == new.resolve():
        raise ConfigError(f"{old} keeps the sweep as it was judged: name another folder for how it is judged now")
    there, here = stored["configuration"], json.loads(json.dumps(sweep.configuration()))
    if here["model"] != there["model"]:
        found = "; ".join(manifest.differences(there["model"], here["model"], "model"))
        raise ConfigError(f"the samples in {old} are another model's: {found}")
    names = {"problem": list(manifest.digests(sweep.problems)), "strategy": list(here["strategies"]),
             "budget": here["budgets"], "seed": here["seeds"], "total": here["totals"]}  # fmt: skip
    known = {"problem": stored["problems"], "strategy": there["strategies"],
             "budget": there["budgets"], "seed": there["seeds"], "total": there["totals"]}  # fmt: skip
    for what, wanted in names.items():
        if lacking := [one for one in wanted if one not in known[what]]:
            raise ConfigError(
                f"the sweep in {old} has no {what} {lacking[0]!r:.80}: it has samples of what ran there only"
            )
    done, wanted = sweep.done(old, stored["shards"]), sweep.searches
    if done < wanted:
        raise ConfigError(
            f"{done:,} of these {wanted:,} searches are done in {old}: run that sweep to its end, then judge it again"
        )


def _is_of(new: Path, old: Path) -> bool:
    """Whether the journals in `new` are copies of those in `old`."""
    told = new / SOURCE
    return told.exists() and Path(json.loads(told.read_bytes())["folder"]).resolve() == old.resolve()


def _copied(old: Path, new: Path, shards: int) -> list[int]:
    """Copy what the journals have that is not there yet; the number of the last copied row of each."""
    known = json.loads((new / SOURCE).read_bytes())["rows"] if (new / SOURCE).exists() else [0] * shards
    names = [f"shard-{i}/{JOURNAL}" for i in range(shards)]
    rows = [_copy(old / name, new / name, last) for name, last in zip(names, known, strict=True)]
    if rows != known:
        whole(new / SOURCE, [json.dumps({"folder": str(old), "rows": rows})])
    return rows


def _copy(source: Path, target: Path, last: int) -> int:
    """A journal without what is damaged, and behind it what `target` has of its own; it appears whole.

    last: the number of the last row that was copied before. 0 where no problem fell to the shard.
    """
    if not source.exists() or (found := _last(source)) == last:
        return last
    target.parent.mkdir(exist_ok=True)
    begun = target.with_name(f"begun-{target.name}")
    begun.unlink(missing_ok=True)
    drop(source, begun)
    if target.exists():
        add(target, begun)
    os.replace(begun, target)
    return found


def _last(path: Path) -> int:
    """The number of the last row that is not damaged."""
    return max((one.row for one in calls(path) if isinstance(one, Call)), default=0)


def _paid(folder: Path, rows: list[int]) -> Usage:
    """What the calls cost that were added to the journals since they were copied."""
    tally = Tally()
    for i, before in enumerate(rows):
        path = folder / f"shard-{i}" / JOURNAL
        for one in calls(path) if path.exists() else ():
            if isinstance(one, Call) and one.row > before:
                tally.add(one.usage)
    return tally.usage
