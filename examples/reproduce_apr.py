"""Parallel against serial reasoning, as Adaptive Parallel Reasoning compares them: `python examples/reproduce_apr.py`.

Two small models of one size, one training budget and one task (Countdown) ship with searchkit: the serial one writes
its whole search into one text, the parallel one spawns children that search side by side. Three curves with 95 %
intervals over problems, and a picture of them: accuracy against the context window (greedy; the serial model is told
its budget), against tokens in all, and against tokens in sequence (both at temperature 1). The paper's figures stand
beside them: its models have 228 M parameters, 4 numbers up to 99 and 4,096 tokens of context; ours have 0.9 M, 3
numbers up to 25 and 512, so it is directions that can be compared.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from searchkit import Model, Params, Problem, Prompt, run_sync, solve_many
from searchkit.experiments import (
    Attempt,
    Compute,
    Curve,
    Spent,
    WithinBudget,
    accuracy_within,
    bootstrap,
    maj_at_k,
    paired_bootstrap,
    pass_at_k,
    plot,
    spent,
)
from searchkit.generators import Embedded, shipped
from searchkit.generators.embedded.words import Words
from searchkit.lab import traces
from searchkit.lab.countdown import Puzzle
from searchkit.protocols import Generator
from searchkit.strategies import APRProtocol, SpawnJoin

LIMITS = range(64, traces.CONTEXT + 1, 64)  # tokens of context
CHAINS = range(64, traces.CONTEXT + 257, 64)  # tokens in sequence: a parent, and the longest child of each spawn
CHILDREN = (1, 2, 3, 5, 7, 9)  # that the parallel model is told to have, for tokens in all
BEST = 7  # of these, chosen on development puzzles: with 9 one parent in ten outgrows the context
SAMPLES = 8  # of the serial model
AXES = {"context": "context window (tokens)", "total": "tokens in all", "sequential": "tokens in sequence"}
PAPER = {  # percent, parallel and serial
    "context": (83.4, 60.0, "greedy, 4,096 tokens, after reinforcement learning; before it 75.5 and 57.3"),
    "total": (80.1, 66.6, "temperature 1, about 20,000 tokens, majority of 7 serial texts"),
    "sequential": (75.2, 57.3, "temperature 1, about 5,000 ms"),
}


@dataclass(frozen=True)
class Texts:
    """What a model wrote for one puzzle in one run: right or not, its path (None: states none), and what it took."""

    right: bool
    path: str | None
    spent: Spent


@dataclass(frozen=True)
class Lab:
    """Both models, and the puzzles that they are asked."""

    serial: Path
    parallel: Path
    puzzles: tuple[Puzzle, ...]

    def write(self, kind: str, budget: int, temperature: float, seed: int = 0) -> list[Texts]:
        """One run over all puzzles. budget: tokens of a serial text, or children a spawn. A failure is a wrong text."""
        folder = self.serial if kind == "serial" else self.parallel
        make = traces.serial_prompt if kind == "serial" else traces.parallel_prompt
        model = Model(Embedded(folder), Params(temperature=temperature))
        strategy: Generator = model if kind == "serial" else SpawnJoin(APRProtocol(), generator=model)
        pieces = re.compile(Words.load(folder).pattern)  # two numbers side by side, as a model may write them, are one
        asked = [Problem(puzzle.prompt, Prompt.of(make(puzzle, budget))) for puzzle in self.puzzles]
        found = []
        for puzzle, outcome in zip(self.puzzles, run_sync(solve_many(asked, strategy, seed=seed)), strict=True):
            if outcome.value is None:
                found.append(Texts(False, None, Spent(0, 0, 0, 0.0)))
                continue
            text = outcome.value.answer
            taken = spent(outcome.value, lambda text: len(pieces.findall(text)))
            found.append(Texts(not traces.check(puzzle, text), traces.solution(text), taken))
        return found

    def within(self, runs: Iterable[list[Texts]], measure: Any, limits: Sequence[int]) -> WithinBudget:
        named = ((p.prompt, text) for texts in runs for p, text in zip(self.puzzles, texts, strict=True))
        return accuracy_within([Attempt(name, t.right, t.spent) for name, t in named], measure, limits)


def curve(name: str, tokens: Sequence[float], columns: NDArray[np.float64], puzzles: Sequence[Puzzle]) -> Curve:
    """columns: [problems, points], accuracies."""
    found = bootstrap(columns)
    bounds = (tuple(values.tolist()) for values in (found.mean, found.low, found.high))
    ks = tuple(range(1, len(tokens) + 1))
    return Curve(name, ks, *bounds, Compute(tuple(map(float, tokens))), tuple(p.prompt for p in puzzles), columns)


def against_context(lab: Lab) -> list[Curve]:
    """Greedy texts; one that needed a longer context than the limit counts as wrong."""
    parallel = lab.within([lab.write("parallel", BEST, 0.0)], "context", LIMITS).per_problem
    told = [lab.within([lab.write("serial", limit, 0.0)], "context", [limit]).per_problem for limit in LIMITS]
    columns = {"parallel": parallel, "serial": np.hstack(told)}
    return [curve(name, LIMITS, values, lab.puzzles) for name, values in columns.items()]


def against_total(lab: Lab, serial: list[list[Texts]], parallel: dict[int, list[Texts]]) -> list[Curve]:
    """More children, more serial texts. The majority is over the paths that texts state; who states none abstains."""
    ks, by_problem = range(1, len(serial) + 1), list(zip(*serial, strict=True))
    majority = [[maj_at_k([t.path for t in ts], [t.right for t in ts], k) for k in ks] for ts in by_problem]
    anyone = [[pass_at_k(len(ts), sum(t.right for t in ts), k) for k in ks] for ts in by_problem]
    each = float(np.mean([t.spent.total for ts in serial for t in ts]))
    told = sorted((float(np.mean([t.spent.total for t in ts])), [t.right for t in ts]) for ts in parallel.values())
    return [
        curve("parallel", [tokens for tokens, _ in told], np.array([right for _, right in told], float).T, lab.puzzles),
        curve("serial cons@n", [k * each for k in ks], np.array(majority), lab.puzzles),
        curve("serial pass@n", [k * each for k in ks], np.array(anyone), lab.puzzles),
    ]


def against_sequential(lab: Lab, serial: list[list[Texts]], parallel: list[list[Texts]]) -> list[Curve]:
    runs = {"parallel": parallel, "serial": serial}
    columns = {name: lab.within(texts, "sequential", CHAINS).per_problem for name, texts in runs.items()}
    return [curve(name, CHAINS, values, lab.puzzles) for name, values in columns.items()]


def compared(measure: str, curves: Sequence[Curve]) -> dict[str, Any]:
    """The parallel curve's last point, and the first serial one that has at least as many tokens (or the last)."""
    ours, other = curves[0], curves[1]
    place = next((i for i, t in enumerate(other.tokens) if t >= ours.tokens[-1]), len(other.tokens) - 1)
    gap = paired_bootstrap(ours.per_problem[:, -1], other.per_problem[:, place])
    points = {
        c.name: [{"tokens": round(t, 1), "accuracy": [round(m, 4), round(low, 4), round(high, 4)]}
                 for t, m, low, high in zip(c.tokens, c.mean, c.low, c.high, strict=True)]
        for c in curves
    }  # fmt: skip
    return {
        "against": measure, "curves": points,
        "at": [round(ours.tokens[-1], 1), round(other.tokens[place], 1)],
        "parallel": ours.mean[-1], "serial": other.mean[place],
        "difference": [float(gap.mean), float(gap.low), float(gap.high)],
        "paper": PAPER[measure],
    }  # fmt: skip


def draw(panels: dict[str, list[Curve]], path: Path) -> None:
    figure = Figure(figsize=(6.4 * len(panels), 4.6), layout="constrained")
    for axes, (measure, curves) in zip(figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        plot(curves, "tokens", axes)
        axes.set_xlabel(AXES[measure])
        axes.set_title("paper: parallel {}, serial {}".format(*PAPER[measure]))
    figure.savefig(path, dpi=110)


def percent(values: Sequence[float]) -> list[float]:
    return [100 * value for value in values]


def told(found: dict[str, Any]) -> str:
    lines = [f"accuracy (%) against {found['against']} tokens"]
    for name, points in found["curves"].items():
        lines.append(f"  {name}")
        lines += ["  {:8,.0f}  {:5.1f} [{:.1f}, {:.1f}]".format(p["tokens"], *percent(p["accuracy"])) for p in points]
    gap = "{:+.1f} [{:.1f}, {:.1f}]".format(*percent(found["difference"]))
    parallel, serial, condition = found["paper"]
    at = "{:,.0f} and {:,.0f} tokens".format(*found["at"])
    agrees = "as in the paper" if found["difference"][0] > 0 else "unlike the paper"
    lines.append(f"  parallel - serial at {at}: {gap}, {agrees}: {parallel} and {serial} ({condition})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=400, help="held-out puzzles, 470 at most (default: 400)")
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument("--serial", type=Path, default=None, help="folder of another serial model")
    parser.add_argument("--parallel", type=Path, default=None, help="folder of another parallel model")
    parser.add_argument("--out", type=Path, default=Path("reproduce_apr.png"), help="where the picture goes")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    puzzles = tuple(traces.TASK.puzzles(args.problems, args.split))
    lab = Lab(args.serial or shipped("countdown-serial"), args.parallel or shipped("countdown-parallel"), puzzles)
    serial = [lab.write("serial", traces.CONTEXT, 1.0, seed) for seed in range(SAMPLES)]
    parallel = {children: lab.write("parallel", children, 1.0) for children in CHILDREN}
    panels = {
        "context": against_context(lab),
        "total": against_total(lab, serial, parallel),
        "sequential": against_sequential(lab, serial, [parallel[BEST]]),
    }
    found = [compared(measure, curves) for measure, curves in panels.items()]
    draw(panels, args.out)
    print(json.dumps(found) if args.json else "\n".join(map(told, found)))


if __name__ == "__main__":
    main()
