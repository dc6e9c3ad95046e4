"""How the operations of a graph of thoughts are done: on the thoughts of one task, and side by side on its parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.calls import CallError
from searchkit.errors import ConfigError, SearchkitError
from searchkit.kinds import told
from searchkit.protocols import Generator, Run
from searchkit.strategies.common.quoting import cut, quoted
from searchkit.strategies.common.reserving import shared
from searchkit.strategies.common.scoring import scored_together
from searchkit.strategies.spawn_join.operations import Group, Operation, Thought, end_of
from searchkit.strategies.spawn_join.spawn_join import why
from searchkit.templates import worded
from searchkit.types import Message, Outcome, Prompt, Sample, Text

LEAST = 20  # characters of each thought that is shown
LONGEST = 100_000  # characters of a part
Part = tuple[list[Thought], str]  # what is left of it, and why nothing is


class PartsRefused(SearchkitError):
    """Parts of a split beyond its bound. Recorded in `Result.errors`, never raised."""


@dataclass(frozen=True)
class Work:
    """How one search does its operations. task: the whole one. workspace: characters of thoughts in one prompt."""

    task: Prompt
    generator: Generator | None
    workspace: int

    async def step(self, group: Group, operations: Sequence[Operation], at: int, run: Run, answers: float) -> int:
        """Do the operation at `at`, with those on its parts if it is a split; returns the index of the next one.

        answers: the index from which on answers are written.
        """
        one, partial = operations[at], at < answers
        if one.kind == "split":
            end = end_of(operations, at)
            parts = await self._split(group, one, operations[at + 1 : end + 1], run)
            await self._merge(group, operations[end], parts, run, partial=end < answers)
            return end + 1
        if one.kind in ("write", "refine"):
            await self._write(group, one, run, partial=partial)
        elif one.kind == "score":
            await self._score(group, one, run, partial=partial)
        elif one.kind == "keep":
            group.thoughts = sorted(group.thoughts, key=_rank)[: one.n]
        else:
            await self._merge(group, one, [([thought], "") for thought in group.thoughts], run, partial=partial)
        return at + 1

    async def _write(self, group: Group, one: Operation, run: Run, *, partial: bool) -> None:
        """New thoughts in the place of those that they are written from; beside them where these are refined."""
        first, sources = len(group.made), list[Thought | None](group.thoughts) or [None]

        async def draw(item: tuple[int, Thought | None], child: Run) -> Thought:
            index, source = item
            asked = self._asked(group, one, source)
            [sample] = await child.sample(one.by or self.generator, asked, start=first + index, partial=partial)
            return Thought(sample, one.kind, () if source is None else (source,))

        items = enumerate(source for source in sources for _ in range(one.n))
        made = run.survivors(await run.map(draw, list(items), name=one.kind))
        group.made += made
        group.thoughts = [*group.thoughts, *made] if one.kind == "refine" else made

    def _asked(self, group: Group, one: Operation, source: Thought | None) -> Prompt:
        if one.ask is None:
            return group.prompt
        assert isinstance(one.ask, str)
        text, feedback = (asked_in(group.prompt), "") if source is None else (source.text, source.verdict.feedback)
        most = max(LEAST, self.workspace // 3)
        shown = {"thought": cut(text, most), "whole": cut(group.whole, most), "feedback": cut(feedback, most)}
        return worded(self.task, one.ask, **shown)

    async def _score(self, group: Group, one: Operation, run: Run, *, partial: bool) -> None:
        """Verdicts on all thoughts; where they cannot be judged they have none."""
        assert one.verifier is not None
        samples = [thought.sample for thought in group.thoughts]
        scored = await scored_together(one.verifier, group.prompt, samples, run, partial=partial)
        if scored is None:
            return
        for thought, judged in zip(group.thoughts, scored, strict=True):
            thought.verdict = judged.verdict

    async def _split(self, group: Group, one: Operation, operations: Sequence[Operation], run: Run) -> list[Part]:
        """What is left of each part once all that is to be done on parts is done. operations: these, and the merge."""
        *operations, merge = operations
        above = tuple(sorted(group.thoughts, key=_rank)[:1])
        whole = above[0].text if above else asked_in(group.prompt)
        texts = parts_of(one, whole) or [whole]
        if len(texts) > one.n:
            run.fail(PartsRefused(f"{len(texts) - one.n} more parts: a split may have at most {one.n}"))
        parts = [self._part(text, whole, above) for text in texts[: one.n]]

        async def work(part: Group, child: Run) -> Group:
            at = 0
            while at < len(operations):
                at = await self.step(part, operations, at, child, math.inf)
            return part

        kept = shared(run, len(parts), merge.by or self.generator, merge.calls, group.prompt)
        with run.child("parts", kept) as together:
            outcomes: list[Outcome[Group]] = await together.map(work, parts, name="part")
        for part in parts:
            group.made += part.made
        run.survivors(outcomes)  # raises the first failure if nothing is left
        return [
            (part.thoughts, "") if outcome.ok else ([], why(outcome.error))
            for part, outcome in zip(parts, outcomes, strict=True)
        ]

    def _part(self, text: str, whole: str, above: tuple[Thought, ...]) -> Group:
        """A part as a task of its own: its text stands where the whole task was asked."""
        begun = Thought(Sample(text), "part", above)
        prompt = worded(self.task, text.replace("{", "{{").replace("}", "}}"))
        return Group(prompt, whole, [begun], [begun])

    async def _merge(self, group: Group, one: Operation, parts: Sequence[Part], run: Run, *, partial: bool) -> None:
        parents = tuple(thought for thoughts, _ in parts for thought in thoughts)
        if not parents:
            raise CallError("no part has come to anything")
        if callable(one.ask):
            samples = [self._put_together(one, parts, parents)]
            if not partial:
                run.offer(samples[0])
        else:
            asked, source = self._merging(group, one, parts), one.by or self.generator
            samples = await run.sample(source, asked, one.n, start=len(group.made), partial=partial)
        made = [Thought(sample, "merge", parents) for sample in samples]
        group.made += made
        group.thoughts = made

    def _put_together(self, one: Operation, parts: Sequence[Part], parents: Sequence[Thought]) -> Sample[Any]:
        assert callable(one.ask)
        if any(failed for _, failed in parts):
            raise CallError("a part has failed, so that there is nothing to put together")
        said = one.ask([thought.text for thought in parents])
        if not isinstance(said, str):
            raise ConfigError(f"what merges returns a text, got {told(said)}")
        return Sample(said, Message("assistant", (Text(said),)))

    def _merging(self, group: Group, one: Operation, parts: Sequence[Part]) -> Prompt:
        assert isinstance(one.ask, str)
        found = [
            (f"Part {number}", text)
            for number, (thoughts, failed) in enumerate(parts, start=1)
            for text in ([thought.text for thought in thoughts] or [f"(nothing: {failed})"])
        ]
        shown = quoted(found, max(LEAST, self.workspace // len(found)))
        return worded(self.task, one.ask, thoughts=shown, whole=cut(group.whole, self.workspace))


def parts_of(one: Operation, whole: str) -> list[str]:
    """The parts that a split makes of `whole`, but for empty ones."""
    assert callable(one.ask)
    parts = one.ask(whole)
    if isinstance(parts, (str, bytes)) or not isinstance(parts, Iterable):
        raise ConfigError(f"what splits returns the parts, such as a list of texts, got {told(parts)}")
    return [text[:LONGEST] for text in map(str, parts) if text.strip()]


def asked_in(prompt: Prompt) -> str:
    """What the user has asked: the text of the last user message."""
    last = next((message for message in reversed(prompt.messages) if message.role == "user"), None)
    return prompt.text if last is None else last.text


def _rank(thought: Thought) -> float:
    return math.inf if thought.verdict.value is None else -thought.verdict.value
