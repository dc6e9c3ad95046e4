"""What do routers save on RouteLLM's recorded GSM8K answers, fitted on one half and reported on the other?

    nice python benchmarks/routing.py --json             # a minute
    nice python benchmarks/routing.py --plot routing.png

1,319 questions with an answer of a weak model (Mixtral 8x7B) and of a strong one (GPT-4 Turbo), each right or wrong.
The 1,307 that are not in RouteLLM's list of contaminated prompts are used for all but the end points. Cost is the share
of questions that go to the strong model, as there.

ends        accuracy of both alone, of either, on all questions and on the clean ones
neighbours  `Router.fit(by="neighbours")`: right ones among the most similar questions of the other half
words       `Router.fit(by="words")`: logistic regression on hashed words of the question
scorer      FrugalGPT: logistic regression on question and weak answer, which a cascade has by then; the weak model's
            own cost is not counted here, since it is asked for every question
length      how long the question is: the baseline that needs no fit
perfect     the router that knows

Each half is fitted on, and each reported on once; the halves are drawn by --seed. Of each chooser: `apgr` and `cpt50`,
`cpt80` of the whole curve (its thresholds are those of the reported questions, as in RouteLLM); and at thresholds that
were picked on the fitted half, on chances from five folds within it, for 50, 80 and 95 % of the gap there: the `share`
of strong calls on the reported half, how much of the `gap` it closed, what it `saved` of the strong calls of a lot as
accurate, and how much it `gained` in accuracy (points) over a lot at the same share. Intervals are 95 %, over
questions; below 0 the chooser loses to a lot.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from published import DATA

from searchkit.experiments import ChoiceCurve, Interval, choice_curve, plot_choices
from searchkit.strategies import Router

ARMS = ("weak", "strong")
GAPS = (0.5, 0.8, 0.95)
FOLDS = 5
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """right: of the weak model and the strong one. said: the weak model's answer."""

    text: str
    right: tuple[bool, bool]
    said: str


def read(folder: Path, *, clean: bool) -> list[Question]:
    """The recorded questions; clean: without those that RouteLLM leaves out."""
    lines = (folder / "contaminated_prompts.jsonl").read_text(encoding="utf-8").splitlines()
    leaked = {json.loads(line)["eval_prompt"] for line in lines if line.strip()} if clean else set()
    with gzip.open(folder / "gsm8k_responses.csv.gz", "rt", encoding="utf-8", newline="") as file:
        table = csv.reader(file)
        next(table)
        found = [Question(text, (weak == "True", strong == "True"), said) for text, weak, strong, said, _ in table]
    return [one for one in found if one.text not in leaked]


Chooser = Callable[[Question], float]  # how much the strong model is wanted


def routed(by: Any) -> Callable[[Sequence[Question]], Chooser]:
    def fit(known: Sequence[Question]) -> Chooser:
        rows = [
            (q.text, arm, right, i) for q in known for i, (arm, right) in enumerate(zip(ARMS, q.right, strict=True))
        ]
        router = Router.fit(dict.fromkeys(ARMS), rows, by=by)

        def wanted(question: Question) -> float:
            chances = router.chances(question.text)
            return chances["strong"] - chances["weak"]

        return wanted

    return fit


def scorer(known: Sequence[Question]) -> Chooser:
    """The chance that the weak answer is wrong, by the words of question and answer."""
    rows = [(shown(q), arm, q.right[0], 0.0) for q in known for arm in ARMS]
    fitted = Router.fit(dict.fromkeys(ARMS), rows, by="words")
    return lambda question: -fitted.chances(shown(question))["weak"]


def shown(question: Question) -> str:
    return f"{question.text}\n\n{question.said}"


FITS: dict[str, Callable[[Sequence[Question]], Chooser]] = {
    "neighbours": routed("neighbours"),
    "words": routed("words"),
    "scorer": scorer,
    "length": lambda known: lambda question: float(len(question.text)),
    "perfect": lambda known: lambda question: float(question.right[1]) - float(question.right[0]),
}


def curve(questions: Sequence[Question], wanted: Sequence[float]) -> ChoiceCurve:
    return choice_curve(np.array([q.right for q in questions], dtype=float), (0, 1), np.array(wanted))


def crossed(questions: Sequence[Question], fit: Callable[[Sequence[Question]], Chooser], seed: int) -> list[float]:
    """How much the strong model is wanted for each, by what was fitted on the other folds."""
    fold = [i % FOLDS for i in range(len(questions))]
    random.Random(seed).shuffle(fold)
    found = [0.0] * len(questions)
    for f in range(FOLDS):
        wanted = fit([q for q, of in zip(questions, fold, strict=True) if of != f])
        for i in (i for i, of in enumerate(fold) if of == f):
            found[i] = wanted(questions[i])
    return found


def halves(questions: Sequence[Question], seed: int) -> tuple[list[Question], list[Question]]:
    order = list(questions)
    random.Random(seed).shuffle(order)
    return order[: len(order) // 2], order[len(order) // 2 :]


def ends(folder: Path) -> Iterator[dict[str, Any]]:
    for clean in (False, True):
        right = np.array([q.right for q in read(folder, clean=clean)], dtype=float)
        weak, strong = right.mean(axis=0)
        yield {
            "name": "ends", "questions": len(right), "clean": clean, "weak": percent(weak), "strong": percent(strong),
            "either": percent(right.max(axis=1).mean()),
        }  # fmt: skip


def measured(name: str, half: int, known: Sequence[Question], new: Sequence[Question], seed: int) -> dict[str, Any]:
    """One chooser, fitted on `known` and reported on `new`."""
    fit = FITS[name]
    own = curve(known, crossed(known, fit, seed))
    wanted = fit(known)
    found = curve(new, [wanted(question) for question in new])
    row: dict[str, Any] = {
        "name": name, "half": half, "apgr": round(found.apgr, 3),
        "cpt50": round(found.cpt(0.5), 3), "cpt80": round(found.cpt(0.8), 3),
    }  # fmt: skip
    (_, low), (_, high) = own.ends
    for gap in GAPS:
        threshold = own.threshold(accuracy=low + gap * (high - low))
        cost, accuracy = found.at(threshold)
        (_, cheap), (_, dear) = found.ends
        row[f"at {100 * gap:.0f} %"] = {
            "share": round(cost.mean, 3), "gap": round((accuracy.mean - cheap) / (dear - cheap), 3),
            "saved": told(found.saved(threshold), 1), "gained": told(found.gained(threshold), 100),
        }  # fmt: skip
    return row


def percent(share: float) -> float:
    return round(100 * float(share), 1)


def told(interval: Interval, times: float) -> list[float]:
    return [round(times * float(bound), 3) for bound in (interval.mean, interval.low, interval.high)]


def rows(folder: Path, only: Sequence[str], seed: int) -> Iterator[dict[str, Any]]:
    yield from ends(folder)
    first, second = halves(read(folder, clean=True), seed)
    for name in only or FITS:
        for half, (known, new) in enumerate(((first, second), (second, first))):
            yield measured(name, half, known, new, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", default=[], choices=list(FITS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row")
    parser.add_argument("--plot", type=Path, help="write the curves on the second half as a PNG")
    args = parser.parse_args()
    for row in rows(args.data / "routellm", args.only, args.seed):
        print(json.dumps(row) if args.json else "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if args.plot:
        known, new = halves(read(args.data / "routellm", clean=True), args.seed)
        fitted = {name: FITS[name](known) for name in args.only or FITS}
        curves = {name: curve(new, [wanted(q) for q in new]) for name, wanted in fitted.items()}
        plot_choices(curves, unit="calls of the strong model").figure.savefig(args.plot, dpi=150)


if __name__ == "__main__":
    main()
