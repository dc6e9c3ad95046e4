"""Answer a question by a graph of smaller ones that grows while it is answered. `python examples/research_dag.py`.

A planner asks; what it asks is looked up at once, side by side, and what depends on another answer waits for that one
alone. Once something is found the planner may ask more, while the rest is still being looked up: what MindSearch's
planner does, written with `run.spawn` and `run.join`. The "models" are functions, so that this runs offline: a planner
that knows what leads to what, and a reader that looks one question up in a small library.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from searchkit import Function, Prompt, Sample, Strategy, solve_sync
from searchkit.calls import CallError
from searchkit.protocols import Generator, Run
from searchkit.types import Outcome

QUESTION = "How long would a train between the two largest cities of Freedonia take, and who owns it?"
LIBRARY = {  # question, with "..." for what was found before: answer, pages to read
    "largest city": ("Fredville", 3),
    "second largest city": ("Port Marx", 2),
    "railway company": ("Freedonian Rail", 1),
    "distance from ... to ...": ("240 km", 2),
    "owner of ...": ("the Firefly family", 2),
    "top speed of the trains of ...": ("120 km/h", 1),
}
PLANS = {  # what was found last: what to ask then, and which answers that needs
    "nothing": ["largest city <- ", "second largest city <- ", "railway company <- "],
    "railway company": ["owner of ... <- railway company", "top speed of the trains of ... <- railway company"],
    "second largest city": ["distance from ... to ... <- largest city, second largest city"],
}
PAGE = 0.005  # seconds


async def plan(text: str) -> str:
    """The planner: which questions to ask next, one a line, "question <- what it needs"."""
    return "\n".join(PLANS.get(text.rpartition("found: ")[2], []))


async def read(text: str) -> str:
    """The reader. What it does not find is an error, and the search goes on without it."""
    question = text.partition("\n")[0]
    if question not in LIBRARY:
        raise LookupError(f"nothing about {question!r}")
    answer, pages = LIBRARY[question]
    await asyncio.sleep(PAGE * pages)
    return answer


def asked(plan: str) -> list[tuple[str, list[str]]]:
    """The planner's lines as questions with what each needs."""
    lines = [line.partition(" <- ") for line in plan.splitlines() if line.strip()]
    return [(question.strip(), [need for need in needs.split(", ") if need]) for question, _, needs in lines]


@dataclass(frozen=True)
class Research(Strategy):
    """Grows a graph of questions: `planner` adds to it, `reader` answers. At most `most` questions.

    Cost: a generation a question, and one more call of the planner after each answer that is waited for.
    """

    planner: Generator = field(default_factory=lambda: Function(plan))
    reader: Generator = field(default_factory=lambda: Function(read))
    most: int = 20

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        async def look_up(question: str, child: Run, *before: Outcome[str]) -> str:
            given = [outcome.value for outcome in before]
            if None in given:
                raise CallError("what it depends on was not found")
            [found] = await child.sample(self.reader, Prompt.of("\n".join([question, *map(str, given)])), partial=True)
            return found.text

        graph: dict[str, Any] = {}
        answers: dict[str, str] = {}
        waiting: list[str] = []

        async def grow(found: str) -> None:
            asked_for = Prompt.of(f"{prompt.text}\nfound: {found}")
            with run.child("plan", role="plan") as thoughts:
                [written] = await thoughts.sample(self.planner, asked_for, partial=True)
            for question, needs in asked(written.text):
                if question not in graph and len(graph) < self.most and all(need in graph for need in needs):
                    graph[question] = await run.spawn(look_up, question, after=[graph[need] for need in needs])
                    waiting.append(question)

        await grow("nothing")
        while waiting:
            question = waiting.pop(0)
            [outcome] = await run.join(graph[question])
            if outcome.value is not None:
                answers[question] = outcome.value
                await grow(question)
        return Sample("\n".join(f"{question}: {answer}" for question, answer in answers.items()))


if __name__ == "__main__":
    result = solve_sync(QUESTION, Research())
    print(result.answer)
    pages = sum(pages for _, pages in LIBRARY.values())
    print(f"{pages} pages one by one: {pages * PAGE * 1000:.0f} ms; as a graph: {result.wall_s * 1000:.0f} ms")
