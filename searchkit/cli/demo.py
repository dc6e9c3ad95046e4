"""`searchkit demo`: one pool of samples on held-out puzzles, and the curves that follow from it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from searchkit.cli import setup
from searchkit.engine.sync import run_sync
from searchkit.errors import ConfigError
from searchkit.generators.embedded.backend import Embedded
from searchkit.lab.checker import CHECKER, operations, problem
from searchkit.lab.countdown import Countdown, Puzzle
from searchkit.model import Model
from searchkit.solve import solve_sync
from searchkit.strategies import BestOfN
from searchkit.types import Params

if TYPE_CHECKING:
    from searchkit.experiments.pool.pool import Pool

EXPLAINED = """pass@1 is {:.1f} %. best@k is best-of-N with the exact checker, maj@k is self-consistency.
Brackets are 95 % intervals over problems. The curve is drawn in {}."""
PARAMS = Params(max_tokens=64)  # a solution has at most about 50 characters, one token each


def demo(options: argparse.Namespace, command: str) -> int:
    """Draw, estimate, print, plot; interrupted, show what the finished problems say and how to go on."""
    if options.problems < 1 or options.samples < 1:
        raise ConfigError("the demo needs at least one problem and one sample: --problems 1 --samples 1")
    if not Path(options.out).absolute().parent.is_dir():
        raise ConfigError(f"--out {options.out}: there is no such folder")
    from searchkit.experiments import draw
    from searchkit.experiments.estimators.curves import table
    from searchkit.experiments.plots import save

    began = time.perf_counter()
    problems = [problem(puzzle) for puzzle in Countdown().puzzles(options.problems, "test")]
    model, journal = Model(Embedded(), PARAMS), setup.cached_journal(command)
    print(
        f"A {_size()} model that ships with searchkit plays Countdown on {len(problems)} held-out problems,\n"
        f"{options.samples} samples each. Every curve below comes from this one pool of samples.\n",
        file=sys.stderr,
    )
    pool = run_sync(
        draw(problems, model, options.samples, verifier=CHECKER, key=operations, journal=journal, seed=options.seed,
             progress=not options.json)
    )  # fmt: skip
    interrupted = len(pool) < len(problems)
    best, vote = pool.curve("best@k"), pool.curve("maj@k")
    save([best, vote], options.out)
    if options.json:
        curves = [json.loads(curve.to_json()) for curve in (best, vote)]
        print(json.dumps({"pass@1": best.mean[0], "problems": len(pool), "curves": curves, "plot": options.out,
                          "wall_s": time.perf_counter() - began}))  # fmt: skip
    else:
        print(f"{table([best, vote])}\n\n{EXPLAINED.format(100 * best.mean[0], options.out)}\n")
        print(_one_search(pool, model, options.seed))
        print(f"\n{time.perf_counter() - began:.0f} s in all.")
    if interrupted:
        print(f"interrupted after {len(pool)} of {len(problems)} problems; the same command goes on:\n  {command}",
              file=sys.stderr)  # fmt: skip
        return 130
    setup.forget(journal)
    return 0


def _one_search(pool: Pool, model: Model, seed: int) -> str:
    """A best-of-8 on the first puzzle that some but not all samples solve, with its trace."""
    mixed = [name for name, entries in pool.entries.items() if 2 <= sum(e.correct for e in entries) < len(entries)]
    name = (mixed or list(pool.entries))[0]
    result = solve_sync(problem(Puzzle.parse(name)), BestOfN(8, CHECKER), generator=model, seed=seed)
    return f"One search in full, best-of-8 on {name}:\n\n{result.trace.render()}"


def _size() -> str:
    from searchkit.generators.embedded.checkpoint import SHIPPED

    return f"{(SHIPPED / 'model.safetensors').stat().st_size / 4e6:.1f} M parameter"
