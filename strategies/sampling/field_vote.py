"""A vote on each field of a JSON answer: the result is put together, and may be one that nobody gave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run
from searchkit.strategies.common.choosing import fallback
from searchkit.strategies.selection.rules import Vote
from searchkit.strategy import AnswerRule, Strategy
from searchkit.types import Message, Prompt, Sample, Scored, Text


@dataclass(frozen=True)
class FieldVote(Strategy):
    """Draws `n` JSON objects and answers with an object that holds the majority's value of each of `fields`.

    The fields are voted on one by one, so the answer may combine what no sample said together: for a vote on whole
    objects use `SelfConsistency` with `json_key`. Values are compared as `keys.json_field` does ("Rome" is "rome",
    0.5 is "1/2") and spelt as in the first sample of the winning class; a sample that lacks a field, or is truncated,
    does not vote on it, and ties go to the value seen first. A field that nobody has is left out. The answer is a text
    of JSON if the samples are texts, otherwise a dict. If one sample agrees in all fields, the answer is that sample;
    without any field, it is the first complete one.

    Cost: `n` generations.
    """

    ANSWER: ClassVar[AnswerRule] = "voted"
    INDEPENDENT: ClassVar[bool] = True

    n: int
    fields: tuple[str, ...]
    generator: Generator | None = None

    def __post_init__(self) -> None:
        check_counts(self, n=1)
        names = self.fields
        if not isinstance(names, tuple) or not names or len(set(names)) < len(names):
            raise ConfigError(f'FieldVote needs a tuple of different names such as ("city", "year"), got {names!r}')

    def counts(self) -> tuple[int, int] | None:
        return self.n, 0

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        together = partial(self._together, prompt)
        run.so_far(together)
        samples = await run.sample(self.generator, prompt, self.n)
        return await together([Scored(sample) for sample in samples], run)

    async def _together(self, prompt: Prompt, scored: Sequence[Scored], run: Run) -> Sample[Any]:
        """The answer that the fields of these candidates make."""
        samples, winners = [one.sample for one in scored], dict[str, Any]()
        for name in self.fields:
            choice = await Vote(keys.json_field(name)).select(prompt, scored, run)
            if choice.index is not None:
                winners[name] = samples[choice.index].value
        if not winners:
            return samples[fallback(scored)]
        voted = [keys.json_field(name)(winners.get(name)) for name in self.fields]
        for sample in samples:
            if not sample.truncated and [keys.json_field(name)(sample.value) for name in self.fields] == voted:
                return sample
        answer = {name: keys.json_field(name).written(value) for name, value in winners.items()}
        text = json.dumps(answer, ensure_ascii=False)
        value = text if any(isinstance(sample.value, str) for sample in samples) else answer
        return Sample(value, Message("assistant", (Text(text),)))
