"""Published results from the recordings behind them, with 95 % intervals over problems that they were printed without.

    python benchmarks/published.py --json

Each figure in percent of problems: its value, its interval, and what was published. Every estimate is the library's own
over a `Pool` made from the recorded samples; that a Game of 24 answer is right is taken from the recorded flag.

game24_direct_*   100 puzzles x 100 answers of GPT-4: each on average, and the best of 100
game24_cot_*      the same with chain of thought, and the majority of the 100 answer texts
game24_tot_*      the 5 answers of its breadth-first search: any of them, and their mean
qwen_math_*       100 problems x 8 solutions of Qwen2.5-Math with its reward model's logits: the mean, the majority, the
                  highest reward, the majority weighted by sigmoid(logit), any of them
gsm8k_*           1,319 problems, one solution by fine-tuning and one chosen by a verifier, and the difference between
                  the two over the same problems

Published: Yao et al. 2023 (Tree of Thoughts) for the first two, the README of its repository for the third; for the
fourth what `rm_maj_eval.py` of the Qwen2.5-Math repository counts in the same file; for the last (Cobbe et al. 2021)
no number was printed, only a figure.

Majorities follow the sources: of equally frequent answers the first in the recorded order wins; `*_ties_split` is
`maj_at_k`, which gives each the same chance. The recordings are looked for in ../shared/data, or in the folder that
--data names.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from searchkit.experiments import Entry, Pool, bootstrap
from searchkit.experiments.estimators.curves import Name
from searchkit.experiments.estimators.intervals import Interval
from searchkit.experiments.estimators.replaying import Adaptive
from searchkit.strategies.sampling.stopping import BetaStopping

DATA = Path(__file__).parents[2] / "shared" / "data"
FIRST_SEEN = Adaptive(BetaStopping(2.0))  # a vote that never stops early: in the recorded order, what the sources count
PUBLISHED = {
    "game24_direct_mean": 7.3,
    "game24_direct_best_of_100": 33.0,
    "game24_cot_mean": 4.0,
    "game24_cot_best_of_100": 49.0,
    "game24_cot_majority": 9.0,
    "game24_tot_any_of_5": 69.0,
    "qwen_math_majority": 93.0,
    "qwen_math_reward": 94.0,
}


@dataclass(frozen=True)
class Figure:
    """One result in percent of problems. published: None where no number was printed."""

    value: float
    low: float
    high: float
    published: float | None


def records(data: Path, pattern: str) -> list[dict[str, Any]]:
    """The records of a gzipped file, JSON or JSON lines."""
    found = sorted(data.glob(pattern))
    if not found:
        raise SystemExit(f"{data / pattern} is missing: name the folder of the recordings with --data")
    text = gzip.decompress(found[0].read_bytes()).decode()
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return list(rows)


def game24(data: Path, log: str) -> Pool:
    """The answers of one log of the Game of 24. A key is the text after "Answer:"."""

    def entries(row: dict[str, Any]) -> Iterator[tuple[str, Entry]]:
        flags = row["accs"] if "accs" in row else [info["r"] for info in row["infos"]]
        for text, right in zip(row["ys"], flags, strict=True):
            parts = text.split("Answer:")
            yield str(row["idx"]), Entry(text, parts[1].strip() if len(parts) > 1 else None, correct=bool(right))

    return Pool.of(pair for row in records(data, f"game24/gpt-4_0.7_{log}_*.json.gz") for pair in entries(row))


def qwen_math(data: Path) -> Pool:
    """Solutions with their answers as keys, sigmoid(logit of the reward model) as scores, and the score "logit"."""

    def entries(row: dict[str, Any]) -> Iterator[tuple[str, Entry]]:
        for text, key, right, [logit] in zip(
            row["response"], row["pred"], row["score"], row["pred_score"], strict=True
        ):
            score = 1 / (1 + math.exp(-logit))
            yield str(row["idx"]), Entry(text, key, score, right, scores={"logit": logit})

    return Pool.of(pair for row in records(data, "qwen25_math_rm/*.jsonl.gz") for pair in entries(row))


def gsm8k(data: Path, method: str) -> Pool:
    """One solution of each problem by `method`, such as "6b_verification"."""
    rows = records(data, "gsm8k/example_model_solutions.jsonl.gz")
    return Pool.of((str(i), Entry(r[method]["solution"], correct=r[method]["is_correct"])) for i, r in enumerate(rows))


def at(pool: Pool, name: Name, k: int) -> Interval:
    """One point of a curve."""
    return bootstrap(pool.curve(name, [k]).per_problem[:, 0])


def majority(pool: Pool) -> Interval:
    """The vote of all samples; of equally frequent answers the first in the recorded order."""
    return bootstrap([FIRST_SEEN(entries)[0] for entries in pool.entries.values()])


def intervals(data: Path) -> Iterator[tuple[str, Interval]]:
    """Every figure by name, as a share of problems."""
    direct, cot, tot = (game24(data, log) for log in ("naive_standard", "naive_cot", "propose1_value3_greedy5"))
    yield "game24_direct_mean", at(direct, "pass@k", 1)
    yield "game24_direct_best_of_100", at(direct, "pass@k", 100)
    yield "game24_cot_mean", at(cot, "pass@k", 1)
    yield "game24_cot_best_of_100", at(cot, "pass@k", 100)
    yield "game24_cot_majority", majority(cot)
    yield "game24_cot_majority_ties_split", at(cot, "maj@k", 100)
    yield "game24_tot_any_of_5", at(tot, "pass@k", 5)
    yield "game24_tot_mean", at(tot, "pass@k", 1)
    qwen = qwen_math(data)
    yield "qwen_math_mean", at(qwen, "pass@k", 1)
    yield "qwen_math_majority", majority(qwen)
    yield "qwen_math_majority_ties_split", at(qwen, "maj@k", 8)
    yield "qwen_math_reward", at(qwen, "best@k", 8)
    yield "qwen_math_weighted", at(qwen, "weighted@k", 8)
    yield "qwen_math_any_of_8", at(qwen, "pass@k", 8)
    for size in ("6b", "175b"):
        tuned, verified = (gsm8k(data, f"{size}_{method}").curve("pass@k") for method in ("finetuning", "verification"))
        yield f"gsm8k_{size}_finetuning", bootstrap(tuned.per_problem[:, 0])
        yield f"gsm8k_{size}_verification", bootstrap(verified.per_problem[:, 0])
        yield f"gsm8k_{size}_difference", verified.minus(tuned)


def figures(data: Path) -> dict[str, Figure]:
    """All figures in percent, next to what was published."""
    found = {}
    for name, interval in intervals(data):
        bounds = (100 * np.ravel([interval.mean, interval.low, interval.high])).tolist()
        found[name] = Figure(*bounds, PUBLISHED.get(name))
    return found


def table(found: dict[str, Figure]) -> str:
    rows = [f"{'':<32} {'value':>6} {'95 % interval':>15} {'published':>10}"]
    for name, figure in found.items():
        published = "" if figure.published is None else f"{figure.published:.1f}"
        bounds = f"[{figure.low:.1f}, {figure.high:.1f}]"
        rows.append(f"{name:<32} {figure.value:6.2f} {bounds:>15} {published:>10}".rstrip())
    return "\n".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the recordings")
    options = parser.parse_args()
    found = figures(options.data)
    print(json.dumps({name: asdict(figure) for name, figure in found.items()}) if options.json else table(found))
