"""Spawn and join as tags that the prompt explains: for models that know no tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.strategies.spawn_join.protocols.base import InText, Returned, Spawn, Task
from searchkit.types import Prompt, Sample, Text

INSTRUCTIONS = """\
Parts of this that do not depend on each other can be worked out in parallel. To have that done, write
<spawn>
<task>everything that is needed to work out the first part</task>
<task>everything that is needed to work out the second part</task>
</spawn>
Each task is given to a helper that sees nothing but the text of the task. Then stop: what the helpers answer appears in
place of your tasks, between <join> and </join>, in the order of the tasks. Go on from there. Never write <join>
yourself."""
_TAG = re.compile(r"<(?=/?(?:spawn|task|join|result|failed|refused)\b)")


@dataclass(frozen=True)
class TagProtocol(InText):
    """Spawn and join between tags, explained by `instructions` at the end of the prompt's first message.

        <spawn>                        <join>
        <task>...</task>         ->    <result task="1">...</result>
        <task>...</task>               <failed task="2">out of budget</failed>
        </spawn>                       </join>

    A child is handed the text of its task and, where it may spawn itself, the instructions. It returns what it wrote
    after its last join, unless it was cut off. Tags inside of what it returns are disarmed (``&lt;``).
    """

    OPEN = "<spawn>"
    CLOSE = "</spawn>"
    JOIN = "<join>"
    instructions: str = INSTRUCTIONS

    def opening(self, prompt: Prompt, spawns: bool) -> Prompt:
        prompt = super().opening(prompt, spawns)
        if not spawns or not self.instructions:
            return prompt
        first, *others = prompt.messages
        told = replace(first, parts=(*first.parts, Text("\n\n" + self.instructions)))
        return replace(prompt, messages=(told, *others))

    def parse(self, thread: Prompt, before: str, block: str) -> Spawn:
        tasks = [part.partition("</task>")[0].strip() for part in block.split("<task>")[1:]]
        if not tasks:
            return Spawn(problem="there is no <task>...</task> between <spawn> and </spawn>")
        return Spawn(tuple(Task(Prompt.of(task)) if task else Task(None, "", "the task is empty") for task in tasks))

    def block(self, spawn: Spawn, results: Sequence[Returned], note: str) -> str:
        lines = [self.JOIN]
        for i, result in enumerate(results, 1):
            if result.text is None:
                lines.append(f'<failed task="{i}">{result.failure}</failed>')
            else:
                lines.append(f'<result task="{i}">{_TAG.sub("&lt;", result.text)}</result>')
        lines += [f"<refused>{note}</refused>"] if note else []
        return "\n".join((*lines, "</join>\n"))

    def returned(self, sample: Sample[Any]) -> str | None:
        return None if sample.truncated else sample.text.rpartition("</join>")[2].strip() or None

    def below(self) -> TagProtocol:
        return self
