"""Search for a prompt: `python examples/rewrite_prompt.py`.

The thing that is rewritten is itself a prompt, and its score is how well a second model does with it on a few tasks.
Both models are made up here, so that it runs offline; put your own in their place. Score a prompt on tasks that you do
not use for the final figure: the search picks what suits these.
"""

from __future__ import annotations

import re

from searchkit import Model, Verdict, solve_sync
from searchkit.environments import Rewrite
from searchkit.generators import Simulated
from searchkit.strategies import ABMCTS
from searchkit.verifiers import Predicate

HINTS = ["Show your steps.", "Check the units.", "Give the number alone.", "Be creative."]
WORTH = {"Show your steps.": 0.35, "Check the units.": 0.25, "Give the number alone.": 0.2, "Be creative.": -0.2}


def writer(prompt: str) -> dict[str, float]:
    """A model that adds one of four hints to the prompt that it is shown."""
    draft = re.findall(r"^Solve the task\..*$", prompt, re.MULTILINE)[-1]
    longer = [f"{draft} {hint}" for hint in HINTS if hint not in draft] or [draft]
    return {text: 1 / len(longer) for text in longer}


def accuracy(draft: str) -> Verdict:
    """What a second model would score on the tasks with this prompt, and what to tell the writer."""
    missing = [hint for hint in HINTS if WORTH[hint] > 0 and hint not in draft]
    score = 0.2 + sum(worth for hint, worth in WORTH.items() if hint in draft)
    return Verdict(max(0.0, score), feedback=f"{len(missing)} kinds of mistakes are left")


if __name__ == "__main__":
    model = Model(Simulated(writer))
    strategy = ABMCTS(Predicate(accuracy), Rewrite(draft="Solve the task."), iterations=30, prior="beta")
    result = solve_sync("Write a prompt for word problems.", strategy, generator=model)
    for scored in sorted(result.candidates, key=lambda c: c.score or 0.0)[-5:]:
        print(f"{scored.score:.2f}  {scored.sample.value}")
    print(f"\nbest of {len(result.candidates)}: {result.answer}")
