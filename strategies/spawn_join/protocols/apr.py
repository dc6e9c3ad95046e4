"""Adaptive Parallel Reasoning: the text format that spawn/join models are trained on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.strategies.spawn_join.protocols.base import InText, Returned, Spawn, Task
from searchkit.types import Prompt, Sample

_NODE = r"0(?:,\d{1,6}){0,32}"
_NUMBERS = r"\[\d{1,12}(?:, \d{1,12}){0,63}\]"
_OPERATION = r"\d{1,12}[-+*/]\d{1,12}=\d{1,12}"
_STATE = re.compile(
    rf"(?:Moving to Node #(?P<moved>{_NODE})\n)?"
    rf"Current State: (?P<state>\d{{1,12}}:{_NUMBERS}), Operations: \[(?P<done>(?:'{_OPERATION}'(?:, )?){{0,64}})\]"
    rf"|Generated Node #(?P<node>{_NODE}): (?P<new>\d{{1,12}}:{_NUMBERS}) Operation: (?P<operation>{_OPERATION})"
)
_CHILD = re.compile(r"<Start Sub Search \d{1,9} at level \d{1,9}> Moving to Node #([^\s<>]{1,200})")
_BUDGET = re.compile(r"\[Token Budget: \d{1,9} \]|(?<!\[)Token Budget: \d{1,9} ")
_GOAL = " equal: Goal Reached"
_MARK = re.compile(r"Sub Search(?:es)?>|<(?:Start|No Solution|Goal Reached)")


@dataclass(frozen=True)
class APRProtocol(InText):
    """Spawn and join as in the released Countdown models.

        <Calling Sub Searches>
        <Start Sub Search 0 at level 1> Moving to Node #0,1
        <Start Sub Search 1 at level 1> Moving to Node #0,0
        <End Calling Sub Searches>

    is answered, in its place, by

        <Sub Searches>
        <No Solution in Sub Search 0 at level 1 at Node #0,1>
        <Goal Reached in Sub Search 1 at level 1 at Node #0,0>
        (the path)
        <End Sub Searches>

    A child is handed the node that it starts from, as the parent's text defines it, behind the parent's token budget if
    it has one; a sub call budget is for the parent alone. (Budgets are read as in ``Token Budget: 512 Moving to ...``
    and as in ``[Token Budget: 512 ]Moving to ...``.) A child returns the path that it restates after its search: what
    follows the second to last "Goal Reached" that it states. Whatever failed, an unknown node included, is one line in
    the join block, and children beyond a bound have none: the format has no words for it, so look into `Result.errors`.
    level: of the children.

    Source: Pan et al. 2025, Learning Adaptive Parallel Reasoning with Language Models; released
    ``parallel_infernce_utils.py`` and ``apr_utils.py``. Two of its traps are closed: children with equal contexts are
    kept apart, and the words "Goal Reached" in the head of a join block are not a goal that was reached.
    """

    OPEN = "<Calling Sub Searches>"
    CLOSE = "<End Calling Sub Searches>"
    JOIN = "<Sub Searches>"
    level: int = 1

    def parse(self, thread: Prompt, before: str, block: str) -> Spawn:
        named = _CHILD.findall(block)
        if not named:
            return Spawn(problem="the spawn block names no node")
        known, budget = _nodes(thread.text + before), _BUDGET.search(thread.text.partition("\n")[0])
        ahead = budget[0] if budget else ""
        return Spawn(tuple(_task(node, known, ahead) for node in named))

    def block(self, spawn: Spawn, results: Sequence[Returned], note: str) -> str:
        lines = [self.JOIN]
        for i, (task, result) in enumerate(zip(spawn.tasks, results, strict=False)):
            outcome = "No Solution" if result.text is None else "Goal Reached"
            lines.append(f"<{outcome} in Sub Search {i} at level {self.level} at Node #{task.name}>")
            lines += [] if result.text is None else [result.text]
        return "\n".join((*lines, "<End Sub Searches>\n"))

    def returned(self, sample: Sample[Any]) -> str | None:
        parts = sample.text.split(_GOAL)
        found = _GOAL.join(parts[-2:]).strip() if len(parts) > 2 else ""
        return found if found and not _MARK.search(found) else None

    def below(self) -> APRProtocol:
        return replace(self, level=self.level + 1)


def _task(node: str, known: dict[str, tuple[str, str]], ahead: str) -> Task:
    if node not in known:
        return Task(None, node, f"no node #{node} has been generated")
    state, done = known[node]
    return Task(Prompt.of(f"{ahead}Moving to Node #{node}\nCurrent State: {state}, Operations: [{done}]"), node)


def _nodes(text: str) -> dict[str, tuple[str, str]]:
    """State and operations of every node that `text` defines: where it is moved to (the last time), else generated."""
    known: dict[str, tuple[str, str]] = {}
    found = list(_STATE.finditer(text))
    for moved in found:
        if moved["moved"] or (moved["state"] and not known):
            known[moved["moved"] or "0"] = moved["state"], moved["done"]
    for made in found:
        parent = known.get(made["node"].rpartition(",")[0]) if made["node"] else None
        if parent is not None and made["node"] not in known:
            done = f"{parent[1]}, " if parent[1] else ""
            known[made["node"]] = made["new"], f"{done}'{made['operation']}'"
    return known
