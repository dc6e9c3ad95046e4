"""Accuracy against tokens, a curve for every strategy, on models that ship: `python examples/reproduce_scaling.py`.

Both tasks of the lab (Countdown and arithmetic) with their policies and reward models, 50 held-out problems of each,
budgets of what 4, 16 and 64 whole samples cost in generated tokens; `--full` is 400 of each and up to 256. What is a
function of samples alone is computed from one pool of them, exactly or over shuffled orders; what decides while it
writes is searched for each budget. No method is told what is right, and reading by a reward model is not counted.
The picture: methods without a reward model, with one, searches by steps, searches in trees; then some of each on the
hardest, middle and easiest third of the problems by pass@1 ("oracle" bins: they know the truth). Intervals are 95 %,
over problems; differences are paired.

Killed or stopped by Ctrl-C, it goes on where it was with the same command: `--out` keeps what was paid for.

Not here: SpawnJoin (has models of its own: reproduce_apr.py); AStar and RecedingHorizon (for worlds with actions);
Bandit (chooses between models, and here is one); Tournament and Hierarchical (for judges; by a score they are its
maximum); FieldVote (JSON); StepFilter (FilteredBestOfN does it earlier); MCTS with rules other than UCT and PUCT.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from tqdm import tqdm

from searchkit import Budget, Model, Params, Problem, Prompt, Sample, run_sync, strategies
from searchkit.engine.candidates import Search
from searchkit.engine.run import Run
from searchkit.environments import TextSteps
from searchkit.experiments import Compute, Curve, Entry, Pool, Row, Sweep, bootstrap, draw, paired_bootstrap, plot
from searchkit.experiments.estimators.replaying import Adaptive, Confident, SoftBest, replay
from searchkit.experiments.statistics.difficulty import difficulty, quantile_bins
from searchkit.generators import Embedded, shipped
from searchkit.lab import arithmetic, checker, countdown
from searchkit.protocols import Selector, Verifier
from searchkit.strategies.sampling.deepconf_online import DeepConfOnline
from searchkit.strategy import Strategy
from searchkit.types import Scored, Verdict
from searchkit.verifiers import DeepConf

TASKS = ("arithmetic", "countdown")
BUDGETS = (4, 16, 64, 256)  # samples' worth of tokens
BLOCK = 10  # problems whose samples are drawn, and written down, together
STEP = 32  # tokens a step may have; a call is refused where that many are no longer free
WINDOW = 8  # tokens over which DeepConf averages
TRIALS = 50  # orders in which samples are replayed where there is no closed form
ENDLESS = 100_000  # steps of a search whose ceiling is one of tokens
REFERENCE = "best-of-N, outcome"
PANELS = {
    "without a reward model": (
        "majority", "adaptive consistency", "early stopping (ESC)", "complexity vote", "DeepConf offline",
        "DeepConf online",
    ),
    "samples and a reward model": (
        REFERENCE, "coverage", "weighted vote", "Borda vote", "best-of-N, process", "soft best-of-N",
    ),
    "searches by steps": (
        REFERENCE, "beam search", "DVTS", "particle filter", "particle Gibbs", "filtered best-of-N",
        "ToT, breadth-first",
    ),
    "searches in trees": (REFERENCE, "MCTS, UCT", "MCTS, PUCT", "best-first", "AB-MCTS", "ToT, depth-first"),
}  # fmt: skip
BY_DIFFICULTY = (REFERENCE, "coverage", "weighted vote", "DVTS", "particle filter", "MCTS, UCT", "majority")
BINS = ("hardest", "middle", "easiest")

Rows = Mapping[tuple[str, str], Row]  # (strategy @ budget, problem id) -> how that search ended


@dataclass(frozen=True)
class Task:
    """truth: says what is right, after the fact. key: what a vote counts."""

    name: str
    problems: Sequence[Problem]
    truth: Verifier
    key: Callable[[str], Hashable | None]

    @classmethod
    def of(cls, name: str, n: int, split: Any) -> Task:
        if name == "countdown":
            puzzles = map(checker.problem, countdown.Countdown().puzzles(n, split))
            return cls(name, tuple(puzzles), checker.CHECKER, checker.operations)
        expressions = map(checker.problem, arithmetic.Arithmetic().expressions(n, split))
        return cls(name, tuple(expressions), checker.ARITHMETIC, arithmetic.answer)

    def model(self, threads: int | None = None, logprobs: int | None = None) -> Model:
        return Model(Embedded(shipped(self.name), threads=threads), Params(max_tokens=64, logprobs=logprobs))


@dataclass(frozen=True)
class Chosen:
    """A selection rule as a method of `replay`: it is shown the texts and the scores of the entries."""

    rule: Selector

    def __call__(self, entries: Sequence[Entry]) -> tuple[float, int]:
        samples = [Sample(entry.value, finish="length" if entry.key is None else "stop") for entry in entries]
        scored = [Scored(s, Verdict(entry.score)) for s, entry in zip(samples, entries, strict=True)]
        asked = Problem("any", Prompt.of("any"))
        try:
            self.rule.select(asked.prompt, scored, Run.root(Search(asked), 0, Budget())).send(None)
        except StopIteration as done:  # rules that look at scores and texts wait for nobody
            return float(done.value.index is not None and entries[done.value.index].correct), len(entries)
        raise TypeError(f"{self.rule!r} waits for something, so it cannot be replayed")


@dataclass(frozen=True)
class Within(Strategy):
    """`inner` with the generated tokens of `k` samples. each: what one takes, by the prompt."""

    inner: Strategy
    k: int
    each: Mapping[str, float] = field(repr=False)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        budget = Budget(generated_tokens=round(self.k * self.each[prompt.text]) + STEP // 2)
        with run.child("within", budget) as within:
            return await self.inner.generate(prompt, within)


def pool_of(task: Task, out: Path, n: int) -> Pool:
    """`n` samples of every problem, each judged, and read by both reward models. What the folder has is not redrawn."""
    path = out / f"{task.name}.jsonl"
    pool = Pool.load(path) if path.exists() else None
    scorers = {kind: getattr(checker, f"{kind}_reward")(task.name) for kind in ("outcome", "process")}
    for last in tqdm(range(BLOCK, len(task.problems) + BLOCK, BLOCK), desc=f"{task.name}: samples", unit="block"):
        wanted = task.problems[:last]
        drawing = draw(
            wanted, task.model(logprobs=5), n, verifier=task.truth, key=task.key,
            scorers=scorers | {"confidence": DeepConf(WINDOW)}, pool=pool,
        )  # fmt: skip
        pool = run_sync(drawing)
        pool.save(path)
        if any(len(pool.entries.get(problem.id, ())) < n for problem in wanted):
            raise KeyboardInterrupt
    assert pool is not None
    return Pool({problem.id: pool.entries[problem.id][:n] for problem in task.problems})


def sampled(task: Task, ks: Sequence[int]) -> dict[str, Callable[[Pool], Curve]]:
    """Each method that is a function of samples."""

    def replayed(method: Any, score: str = "outcome") -> Callable[[Pool], Curve]:
        return lambda pool: replay(pool.scored_by(score), method, ks, trials=TRIALS)

    def longest(entries: Sequence[Entry]) -> tuple[float, int]:
        return Chosen(strategies.ComplexityVote(len(entries) // 2, task.key))(entries)

    return {
        "majority": lambda pool: pool.curve("maj@k"),
        "adaptive consistency": replayed(Adaptive(strategies.BetaStopping())),
        "early stopping (ESC)": replayed(Adaptive(strategies.EarlyStopping())),
        "complexity vote": replayed(longest),
        "DeepConf offline": replayed(Confident(50), "confidence"),
        "coverage": lambda pool: pool.curve("pass@k"),
        REFERENCE: lambda pool: pool.scored_by("outcome").curve("best@k"),
        "best-of-N, process": lambda pool: pool.scored_by("process").curve("best@k"),
        "weighted vote": lambda pool: pool.scored_by("outcome").curve("weighted@k"),
        "Borda vote": replayed(Chosen(strategies.BordaVote(4.0, task.key))),
        "soft best-of-N": replayed(SoftBest(0.1)),
    }


def searches(task: Task, k: int, each: Mapping[str, float]) -> dict[str, Strategy]:
    """Every search with the tokens of `k` samples: some end when their `k` texts do, others have a ceiling."""
    vote, steps = strategies.Vote(task.key, weighted=True), TextSteps(params=Params(max_tokens=STEP), max_steps=8)
    how: dict[str, Any] = {"verifier": checker.process_reward(task.name), "environment": steps, "select": vote}
    widening, root = strategies.Widening(), round(k**0.5)
    sweeps = max(2, root // 2)
    sized: dict[str, Strategy] = {
        "beam search": strategies.BeamSearch(k, 4, **how),
        "DVTS": strategies.DVTS(k, 4, **how),
        "particle filter": strategies.ParticleFilter(k, **how),
        "particle Gibbs": strategies.ParticleGibbs(k // sweeps, sweeps=sweeps, **how),
        "filtered best-of-N": strategies.FilteredBestOfN(k, tau=0.05, **how),
        "ToT, breadth-first": strategies.TreeOfThoughts(k // 4, 4, expansions=ENDLESS, **how),
        "DeepConf online": DeepConfOnline(
            k, window=WINDOW, warmup=k // 2, key=task.key, generator=task.model(threads=1, logprobs=5)
        ),
    }
    endless: dict[str, Strategy] = {
        "MCTS, UCT": strategies.MCTS(policy=strategies.UCT(0.3, widening=widening), **how),
        "MCTS, PUCT": strategies.MCTS(policy=strategies.PUCT(0.3, widening=widening), **how),
        "best-first": strategies.BestFirst(**how),
        "AB-MCTS": strategies.ABMCTS(iterations=ENDLESS, prior="beta", **how),
        "ToT, depth-first": strategies.TreeOfThoughts(root // 2, root, order="dfs", expansions=ENDLESS, **how),
    }
    return sized | {name: Within(search, k, each) for name, search in endless.items()}


def search_all(task: Task, out: Path, pool: Pool, ks: Sequence[int], jobs: int) -> Rows:
    means = {name: float(np.mean([entry.generated_tokens for entry in own])) for name, own in pool.entries.items()}
    each = {problem.prompt.text: means[problem.id] for problem in task.problems}
    # Those first that ask for one step after another: begun last, they would have the machine to themselves at the end.
    cells = dict(reversed([(f"{name} @{k}", s) for k in ks for name, s in searches(task, k, each).items()]))
    sweep = Sweep(task.problems, cells, truth=task.truth, endpoints=[task.model(threads=1)])
    results = sweep.run(out / task.name, executor="processes" if jobs > 1 else "asyncio", jobs=jobs, progress=True)
    if not results.complete:
        raise KeyboardInterrupt
    return {(row.strategy, row.problem): row for row in results.rows}


def searched(name: str, rows: Rows, ks: Sequence[int], problems: tuple[str, ...]) -> Curve:
    ends = [[rows[f"{name} @{k}", problem] for k in ks] for problem in problems]
    right = np.array([[row.right for row in line] for line in ends], dtype=float)
    spent = np.mean(
        [[(r.generated_tokens, r.prompt_tokens, r.sequential_tokens) for r in line] for line in ends], axis=0
    )
    found = bootstrap(right)
    mean, low, high = (tuple(values.tolist()) for values in (found.mean, found.low, found.high))
    return Curve(name, tuple(ks), mean, low, high, Compute(*map(tuple, spent.T.tolist())), problems, right)


def curves(names: Iterable[str], task: Task, pool: Pool, rows: Rows, ks: Sequence[int]) -> dict[str, Curve]:
    """Those of the named methods, over the problems of the pool."""
    ways = sampled(task, ks)
    found = {n: ways[n](pool) if n in ways else searched(n, rows, ks, tuple(pool.entries)) for n in names}
    return {name: replace(curve, name=name) for name, curve in found.items()}


def thirds(pool: Pool) -> dict[str, Pool]:
    """The pool by difficulty, each part named with the pass@1 that it spans."""
    ease, problems, found = difficulty(pool, "pass@1"), list(pool.entries), dict[str, Pool]()
    place = quantile_bins(ease, min(len(BINS), len(pool) // 2))  # one problem has no interval
    for b, name in enumerate(BINS[: max(place) + 1]):
        inside = np.flatnonzero(place == b)
        low, high = 100 * ease[inside].min(), 100 * ease[inside].max()
        part = {problems[i]: pool.entries[problems[i]] for i in inside}
        found[f"{name} {len(part)}: pass@1 {low:.0f} to {high:.0f} %"] = Pool(part)
    return found


def picture(whole: Mapping[str, Mapping[str, Curve]], parts: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Three rows of panels a task; names stand to the right of their curves, so the columns keep a distance."""
    figure, rows = Figure(figsize=(14.0, 10.5 * len(whole)), dpi=80), 3 * len(whole)
    frame = {"left": 0.05, "bottom": 0.03, "top": 0.98, "hspace": 0.3}
    halves = figure.add_gridspec(rows, 2, right=0.87, wspace=0.36, **frame)
    narrow = figure.add_gridspec(rows, len(BINS), right=0.88, wspace=0.75, **frame)

    def panel(place: Any, title: str, shown: Iterable[Curve]) -> None:
        axes = plot(shown, "tokens", figure.add_subplot(place))
        axes.set_title(title)
        if not place.is_first_col():
            axes.set_ylabel("")

    for i, (task, found) in enumerate(whole.items()):
        for j, (title, names) in enumerate(PANELS.items()):
            panel(halves[3 * i + j // 2, j % 2], f"{task}: {title}", [found[name] for name in names])
        for j, (title, part) in enumerate(parts[task].items()):
            panel(narrow[3 * i + 2, j], title, part.values())
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = Image.fromarray(np.array(canvas.buffer_rgba())[..., :3])
    pixels.quantize(method=Image.Quantize.FASTOCTREE).save(path, optimize=True)  # a quarter of the bytes


def told(found: Mapping[str, Curve], ks: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
    """For JSON: each method at each budget, and its difference to the reference there."""

    def column(curve: Curve, k: int) -> Any:
        return curve.per_problem[:, curve.ks.index(k)]

    def point(curve: Curve, k: int) -> dict[str, Any]:
        here, over = curve.ks.index(k), paired_bootstrap(column(curve, k), column(found[REFERENCE], k))
        accuracy = curve.mean[here], curve.low[here], curve.high[here]
        return {
            "k": k, "tokens": round(curve.tokens[here], 1), "accuracy": [round(x, 4) for x in accuracy],
            "over_reference": [round(float(x), 4) for x in (over.mean, over.low, over.high)],
        }  # fmt: skip

    return {name: [point(curve, k) for k in ks] for name, curve in found.items()}


def table(title: str, methods: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    def interval(values: Sequence[float], form: str) -> str:
        mean, low, high = (100 * x for x in values)
        return f"{mean:{form}} [{low:.0f}, {high:.0f}]"

    lines = [f"{title}: tokens and accuracy (%); at the last budget, its difference to {REFERENCE}"]
    for name, found in methods.items():
        cells = [f"{p['tokens']:7,.0f} {interval(p['accuracy'], '5.1f'):<16}" for p in found]
        lines.append(f"  {name:<22}{''.join(cells)}  {interval(found[-1]['over_reference'], '+6.1f')}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, help="of each task (default: 50, with --full 400)")
    parser.add_argument("--samples", type=int, choices=BUDGETS, help="the largest budget (default: 64)")
    parser.add_argument("--full", action="store_true", help="400 problems of each task and 256 samples: hours")
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="processes that search (default: CPUs)")
    parser.add_argument("--out", type=Path, help="folder (default: runs/scaling, with --full runs/scaling-full)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    out = args.out or Path("runs/scaling-full" if args.full else "runs/scaling")
    n, most = args.problems or (400 if args.full else 50), args.samples or (256 if args.full else 64)
    if n < 2:
        parser.error("--problems must be 2 at least: intervals are over problems")
    ks, names = [k for k in BUDGETS if k <= most], dict.fromkeys(name for panel in PANELS.values() for name in panel)
    out.mkdir(parents=True, exist_ok=True)
    whole, parts = dict[str, dict[str, Curve]](), dict[str, dict[str, dict[str, Curve]]]()
    for task in (Task.of(name, n, args.split) for name in TASKS):
        try:
            pool = pool_of(task, out, most)
            rows = search_all(task, out, pool, ks, args.jobs)
        except KeyboardInterrupt:
            raise SystemExit("stopped: the same command goes on where it was") from None
        whole[task.name] = curves(names, task, pool, rows, ks)
        parts[task.name] = {title: curves(BY_DIFFICULTY, task, part, rows, ks) for title, part in thirds(pool).items()}
    picture(whole, parts, out / "scaling.png")
    found = {
        task: {"all": told(whole[task], ks)} | {title: told(part, ks) for title, part in parts[task].items()}
        for task in whole
    }
    if args.json:
        print(json.dumps({"problems": n, "split": args.split, "tasks": found}))
    else:
        print("\n".join(table(f"{task}, {part}", found[task][part]) for task in found for part in found[task]))


if __name__ == "__main__":
    main()
