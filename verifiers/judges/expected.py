"""Expected: a score as the expectation over the letters of a scale, not the one letter that was sampled.

Here is how one reply is read; `means.py` draws all replies about one answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.answers.thoughts import without_thoughts
from searchkit.errors import ConfigError
from searchkit.kinds import is_whole, told
from searchkit.types import Sample, Token
from searchkit.verifiers.judges.asking import LONGEST, without_marks

LETTERS = "ABCDEFGHIJKLMNOPQRST"  # 20 rivals of a token are the most that servers list
LEAST_MASS = 0.5  # of the score letters at the score's place: below it the token is no score
MOST_MASS = 1.05  # more, rounding aside, are not the probabilities of one token
NO_LOGPROBS = "the model gives no log-probabilities"
NO_TOKEN = "the score was not found among the tokens"
NO_SHARES = "the log-probabilities are not those of one token"
NEVER = "the log-probabilities say that it was never sampled"

_BEHIND = 32  # tokens that may stand behind the score: end tokens, closing tags, emphasis
_AROUND = " \t\r\n*_`\"'.:()[]Ġ▁"  # what a tokenizer, or Markdown, may put around a letter
_WORDED = r"(?:score|rating|grade)[\s*_`\"']{0,6}[:=：\-–—]"  # a comparison, as in "score < B", is no score
_LABEL = re.compile(rf"[\s*_`\"'#>(\[\-–—•]{{0,9}}(?:final |my |overall )?{_WORDED}", re.IGNORECASE)
_WRITTEN = re.compile(rf"{_WORDED}[{re.escape(_AROUND)}]{{0,9}}([A-T])(?![A-Z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """What one reply says: a value within [0, 1], why, and for a sampled score why it is no expectation.

    quoted: the judge was shown this score, so that it may be a quotation. It is not drawn again, which would go on
    until a score comes that was not shown: of an answer that lists all but the best, the best.
    """

    value: float
    why: str
    sampled: str = ""
    quoted: bool = False


@dataclass(frozen=True)
class Expected:
    """How judges score by expectation: ``Judge(scores=Expected())``, likewise `PairwiseJudge` and `PYes`.

    The judge writes its reasons and, as the last line, "Score: " with one letter of a scale from A (best) to T (worst).
    The score is then sum(v_k * p_k) / sum(p_k) over the letters among the rivals of that token, v_k from 1 (A) to 0 in
    equal steps: what the letter would be on average, had it been sampled again and again after the same reasons. So the
    noise of that last draw is gone; that of the reasons is not.

    - levels: letters of the scale, 2 to 20. A fine scale tells apart what a coarse one ties.
    - repeats: replies to each criterion; the score is their mean. They differ only as far as the generator's
      temperature lets them: at 0 all are the same, and the standard error says nothing.
    - criteria: each is asked in prompts of its own and counts the same; by default the judge's rubric is the only one.

    Where the letters have less than half of the probability at that place, where the probabilities are no distribution
    or give the sampled letter none, and where there are none, the sampled letter counts, and the verdict's feedback
    says so. Of a criterion of which nothing can be read no score is made up: the sample abstains. So it does where one
    reply gives a score that the judge was shown in this form. `Verdict.standard_error` is that of the mean, from the
    spread of the repeats of each criterion; None for a single repeat. The probabilities are those before temperature.

    Cost: `repeats` * criteria calls. One is made alone, the others after it: it tells whether the server gives
    log-probabilities (asked as `Params(logprobs=20)`, unless the generator's or the judge's own `params` ask for some),
    and leaves the prompt in the server's prefix cache. Where the server refuses them that call is lost, and the rest is
    asked without; so is each later reply to which they are refused, once more. Criteria stand at the end of their
    prompts, so that all calls about one answer share the rest.

    Source: LLM-as-a-Verifier (arXiv 2607.05391) for scale, expectation, repeats and criteria; the bound on the mass and
    what is done below it are ours.

        from searchkit.verifiers import Expected, Judge

        judge = Judge(scores=Expected(repeats=2, criteria=("Is it right?", "Is every step justified?")))
        assert judge.calls == 4
    """

    levels: int = 20
    repeats: int = 4
    criteria: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_whole(self.levels) or not 2 <= self.levels <= len(LETTERS):
            raise ConfigError(f"Expected needs 2 to {len(LETTERS)} levels, got {told(self.levels)}")
        if not is_whole(self.repeats) or self.repeats < 1:
            raise ConfigError(f"Expected needs repeats >= 1, got {told(self.repeats)}")
        if not isinstance(self.criteria, tuple) or not all(isinstance(one, str) and one for one in self.criteria):
            raise ConfigError(f'criteria are a tuple of texts such as ("Is it right?",), got {told(self.criteria)}')

    @property
    def letters(self) -> str:
        return LETTERS[: self.levels]

    @property
    def calls(self) -> int:
        """About one answer."""
        return self.repeats * max(1, len(self.criteria))

    def scale(self, best: str, worst: str) -> str:
        """The letters in words, for a prompt."""
        first, last = self.letters[0], self.letters[-1]
        return (
            f"{first}: {best}\n{last}: {worst}\n"
            f"The letters in alphabetical order ({', '.join(self.letters)}) are equal steps from the one to the other."
        )

    def read(self, reply: Sample[Any], shown: Sequence[str]) -> Reading | None:
        """What a reply says; None if it ends with no score, or was cut. shown: texts that it may quote."""
        text = without_marks(without_thoughts(reply.text)).strip()
        if reply.truncated or len(text) > LONGEST:
            return None
        *why, last = text.splitlines() or [""]
        label = _LABEL.match(last)
        letter = self._letter(last[label.end() if label else 0 :])
        if letter is None or (why and not label):
            return None
        value, sampled = self._expectation(letter, reply.logprobs)
        quoted = label is not None and letter in _written(shown)  # a bare letter stands in every text
        return Reading(value, "\n".join(why).strip(), sampled, quoted)

    def _expectation(self, letter: str, tokens: Sequence[Token] | None) -> tuple[float, str]:
        """The expected value and "", or the letter's own and why."""
        sampled = self._value(letter)
        if not tokens:
            return sampled, NO_LOGPROBS
        token = self._scoring(tokens, letter)
        if token is None:
            return sampled, NO_TOKEN
        if math.isnan(token.logprob) and not token.top:
            return sampled, NO_LOGPROBS
        shares = shares_of(token, self._letter)
        mass = math.fsum(shares.values())
        if mass > MOST_MASS:
            return sampled, NO_SHARES
        if shares.get(letter) == 0.0:
            return sampled, NEVER
        if mass < LEAST_MASS:
            return sampled, f"score letters have only {mass:.2g} of the probability"
        value = math.fsum(self._value(letter) * share for letter, share in shares.items()) / mass
        return min(1.0, max(0.0, value)), ""

    def _value(self, letter: str) -> float:
        return 1.0 - self.letters.index(letter) / (self.levels - 1)

    def _scoring(self, tokens: Sequence[Token], letter: str) -> Token | None:
        """The last token that is `letter`, if nothing but marks stands behind it."""
        behind = ""
        for token in reversed(tokens[-_BEHIND:]):
            if self._letter(token.text) == letter and not without_marks(behind).strip(_AROUND):
                return token
            behind = token.text + behind
        return None

    def _letter(self, text: str) -> str | None:
        """The letter of the scale that a text is, marks and case aside."""
        bare = text.strip(_AROUND)
        return bare.upper() if len(bare) == 1 and bare.isascii() and bare.upper() in self.letters else None


def shares_of(token: Token, named: Callable[[str], str | None]) -> Mapping[str, float]:
    """Name -> probability, all spellings together; what is not listed has none. named: None for what does not count."""
    rivals, found = dict(token.top), dict[str, float]()
    if not math.isnan(token.logprob):
        rivals[token.text] = token.logprob  # some servers do not list the sampled token
    for text, log in rivals.items():
        name = named(text)
        if name is not None and not math.isnan(log):
            found[name] = found.get(name, 0.0) + math.exp(min(log, 1.0))  # of 1 it is too much
    return found


def _written(shown: Sequence[str]) -> set[str]:
    """The letters that texts have as scores, in whatever words and marks."""
    return {letter.upper() for text in shown for letter in _WRITTEN.findall(" ".join(text.split()))}
