"""Sweeps to report on, and their pages."""

from __future__ import annotations

from dataclasses import dataclass

from searchkit import Budget, Model, Problem, Prompt
from searchkit.experiments import Sweep
from searchkit.experiments.report.page import report
from searchkit.generators import Simulated
from searchkit.strategies import SelfConsistency
from searchkit.strategies.sampling.stopping import BetaStopping
from searchkit.strategy import Strategy
from searchkit.testing import Scripted
from searchkit.tree import Tree
from searchkit.verifiers import Exact, Predicate
from tests.helpers.pages import Page

ANSWERS = {"4": 0.5, "5": 0.3, "6": 0.2}
PROBLEMS = [Problem(f"p{i}", Prompt.of(f"question {i}"), "4") for i in range(12)]
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<!--<script>",
    "\x1b[31mred\x1b[0m \u202eright to left \u2028 \ufeff",
    "lone \ud800 surrogate",
    "x" * 50_000,
    "",
)


@dataclass(frozen=True)
class Grow(Strategy):
    """Plants a tree of what it draws, one sample after another."""

    generator: object = None

    async def search(self, prompt, run):
        tree = Tree(text=prompt.text)
        run.show_tree(tree)
        for i in range(6):
            [sample] = await run.sample(self.generator, prompt, start=i)
            tree.backup(tree.add(len(tree) // 2, sample.text), 0.5)
        return sample


def sweep(endpoint=None, **changed):
    settings = {
        "problems": PROBLEMS, "truth": Exact(), "budgets": (Budget(generations=2), Budget()), "seeds": (0, 7),
        "strategies": {
            "vote": SelfConsistency(6), "early": SelfConsistency(16, stop=BetaStopping(0.8)), "grow": Grow(),
        },
    }  # fmt: skip
    return Sweep(**settings | changed, endpoints=[Model(endpoint or Simulated(ANSWERS))])


def hostile(tmp_path, texts):
    """A sweep whose names, prompts, references and answers are `texts`, and its page."""
    problems = [Problem(f"{i} {text[:60]}", Prompt.of(f"? {text}"), text) for i, text in enumerate(texts)]
    names = [f"{i} {text[:60]}" for i, text in enumerate(texts)]  # those that no terminal could print are refused
    printed = [name if name.isprintable() else f"{i} <b onclick=x>" for i, name in enumerate(names)]
    named = {name: Grow() if i == 0 else SelfConsistency(2, key=str) for i, name in enumerate(printed)}
    backend = Scripted(lambda request: texts[request.seed % len(texts)])
    truth = Predicate(lambda text: None if "red" in text else len(text) > 40, name="any")
    mine = sweep(backend, problems=problems, strategies=named, budgets=(Budget(),), seeds=(0,), truth=truth)
    results = mine.run(tmp_path)
    return results, Page.of(report(tmp_path, sweep=mine, traces=3))
