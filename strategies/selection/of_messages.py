"""Votes over tool calls: selection rules that read a sample's message instead of its value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from searchkit.protocols import Run, Selector
from searchkit.strategies.common.checks import check_method
from searchkit.types import Choice, Prompt, Scored


@dataclass(frozen=True)
class OfMessages:
    """What `inner` chooses when the value of each sample is its `Message`: the tool calls of a model, its reasoning.

    A model's value is its visible text, which says nothing about the tools that it calls.
    ``OfMessages(Vote(tool_key))`` is the majority among the calls; a sample without a message has None as its value
    there. Scores and the samples that are returned stay as they are. Cost: that of `inner`.
    """

    inner: Selector

    def __post_init__(self) -> None:
        check_method("the inner rule of OfMessages", self.inner, "select", "Vote(tool_key)")

    async def select(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Choice:
        shown = [replace(one, sample=replace(one.sample, value=one.sample.message)) for one in scored]
        return await self.inner.select(prompt, shown, run)
