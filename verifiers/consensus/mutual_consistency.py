"""Mutual consistency: a second model completes the beginning of each answer, and should come to the same end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.answers import keys
from searchkit.errors import ConfigError
from searchkit.kinds import is_number
from searchkit.protocols import Generator, Run
from searchkit.types import Outcome, Params, Prompt, Sample, Verdict, first_failure
from searchkit.verifiers.base import identity
from searchkit.verifiers.consensus.agreement import ANSWERLESS, TRUNCATED, Consensus, answer_of
from searchkit.verifiers.judges.asking import check_asking, name_of

_SPACE = re.compile(r"\s")


@dataclass(frozen=True)
class MutualConsistency(Consensus):
    """Scores samples by how many others give their answer, and by how often `second` comes to it from their beginnings.

    - second: completes what is left of a sample once its end is masked: another model that errs otherwise, and that
      continues an assistant turn (`Prompt.prefix`); None is the generator given to `solve`.
    - masks: completions of each different text, from beginnings that are evenly between `low` and `high` of it.
    - low, high: the least and the greatest share of a text that is kept, cut where a word ends.
    - answer: value -> canonical answer, see `searchkit.answers.keys`; of a completion, of the whole text.
    - keep: a sample survives if at least this share of its completions comes to its answer.
    - sure: a sample whose answer more than this share of the samples gives survives, and nobody is asked.
    - params: of the completions; None takes the second's own.

    The score of a survivor is the mean of two shares, that of the samples and that of the completions with its answer;
    it has passed, and the others score 0. If none survives nobody is dropped: all score half the share of the samples.
    So there is always a choice where there is an answer. Equal texts are completed once. Truncated samples and those
    without an answer abstain; the latter count in the shares. So does one of which no completion could be drawn.

    Range: [0, 1]. Cost for n samples: n verifications, and `masks` model calls for each different text that has an
    answer of which nobody is sure. Raises the first failure if no completion could be drawn at all. Source: rStar (Qi
    et al. 2024), released code (``do_discriminate.py``), which has no winner where the survivors do not contain the
    reference, and counts a text that its search found twice twice.

        from searchkit.strategies import BestOfN
        from searchkit.verifiers import MutualConsistency

        BestOfN(16, MutualConsistency(other_model))
    """

    second: Generator | None = None
    masks: int = 4
    low: float = 0.2
    high: float = 0.5
    answer: keys.Key = keys.default
    keep: float = 0.5
    sure: float = 0.999
    params: Params | None = None

    def __post_init__(self) -> None:
        check_asking(self, self.second, masks=1)
        if not (is_number(self.low) and is_number(self.high) and 0 <= self.low <= self.high < 1):
            raise ConfigError(f"what is kept of a text: 0 <= low <= high < 1, got {self.low!r} and {self.high!r}")
        if not (is_number(self.keep) and 0 < self.keep <= 1):
            raise ConfigError(f"keep is the share of completions that must agree, above 0, got {self.keep!r}")
        if not (is_number(self.sure) and 0 <= self.sure <= 1):
            raise ConfigError(f"sure is a share of the samples, from 0 to 1, got {self.sure!r}")
        if not callable(self.answer):
            raise ConfigError(f"MutualConsistency needs an answer key such as keys.boxed, got {self.answer!r}")

    @property
    def key(self) -> str:
        asked = f"{name_of(self.second)}:{self.masks}:{self.low}:{self.high}:{self.params}"
        return f"mutual consistency:1:{asked}:{identity(self.answer)}:{self.keep}:{self.sure}"

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        answers = [None if sample.truncated else answer_of(self.answer, sample, run) for sample in samples]
        sizes, whole = Counter(answers), sum(not sample.truncated for sample in samples)
        shares = [0.0 if answer is None else sizes[answer] / whole for answer in answers]
        asked = dict[str, Hashable]()  # text -> the answer that its completions should come to
        for sample, answer, share in zip(samples, answers, shares, strict=True):
            if answer is not None and share <= self.sure:
                asked[sample.text] = answer
        survival = await self._survival(prompt, asked, run)
        found = [1.0 if share > self.sure else survival.get(s.text) for s, share in zip(samples, shares, strict=True)]
        survives = [answer is not None and (f or 0.0) >= self.keep for answer, f in zip(answers, found, strict=True)]
        return [
            TRUNCATED if sample.truncated
            else ANSWERLESS if answer is None
            else _verdict(share, agree, kept, any(survives))
            for sample, answer, share, agree, kept in zip(samples, answers, shares, found, survives, strict=True)
        ]  # fmt: skip

    async def _survival(self, prompt: Prompt, asked: dict[str, Hashable], run: Run) -> dict[str, float]:
        """The share of the completions of each text that comes to its answer; without those that none was drawn of."""

        async def complete(item: tuple[str, int], child: Run) -> bool:
            text, mask = item
            begun = self._beginning(text, mask)
            [rest] = await child.sample(self.second, prompt.continued(begun), params=self.params, partial=True)
            ended = replace(rest, value=begun + rest.text)
            return not rest.truncated and answer_of(self.answer, ended, child) == asked[text]

        items = [(text, mask) for text in asked for mask in range(self.masks)]
        outcomes = await run.map(complete, items, name="completion")
        for outcome in outcomes:
            run.note_failure(outcome.error)
            if outcome.error is not None:
                run.fail(outcome.error)
        rows = {text: outcomes[at * self.masks : (at + 1) * self.masks] for at, text in enumerate(asked)}
        known = {text: _known(row) for text, row in rows.items()}
        if asked and not any(known.values()) and (failure := first_failure(outcomes)) is not None:
            raise failure
        return {text: sum(row) / len(row) for text, row in known.items() if row}

    def _beginning(self, text: str, mask: int) -> str:
        """What is left of a text at a mask, up to the end of a word."""
        share = self.low + (self.high - self.low) * mask / max(1, self.masks - 1)
        at = int(len(text) * share)
        while at and not _SPACE.match(text[at - 1]):
            at -= 1
        return text[:at]


def _known(row: Sequence[Outcome[bool]]) -> list[bool]:
    return [outcome.value for outcome in row if outcome.value is not None]


def _verdict(share: float, agree: float | None, kept: bool, any_kept: bool) -> Verdict:
    """The verdict on a sample with an answer: `share` of the samples have it, `agree` of its completions come to it."""
    said = f"{share:.3g} of the samples give this answer"
    if agree is None:
        return Verdict(feedback=f"{said}; no completion could be drawn")
    said = f"{said}, {agree:.3g} of the completions come to it"
    if not any_kept:
        return Verdict(share / 2, False, feedback=f"{said}; none survives")
    return Verdict((share + agree) / 2 if kept else 0.0, kept, feedback=said)
