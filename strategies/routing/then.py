"""Then: one strategy goes on from the answer of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from searchkit.errors import ConfigError, UncertainEffect
from searchkit.protocols import Generator, Run
from searchkit.strategies.routing.passing import all_together
from searchkit.strategy import AnswerRule, Strategy
from searchkit.types import Message, Prompt, Sample, Text, Usage

ASK = "Check this answer, correct it where it is wrong, and give the whole answer again in the same form."


@dataclass(frozen=True)
class Then(Strategy):
    """Lets `first` answer, and then `second`, which is shown that answer as the turn before its own.

    - first, second: models and strategies; None is `generator`.
    - ask: what is asked after the first answer. The second answer is returned.
    - generator: what None, and those without a generator of their own, draw from.

    If the second part fails, the first answer stands, and the failure is among `Result.errors`; out of budget likewise.

    Cost: that of both.

    >>> from searchkit import Model, solve_sync
    >>> from searchkit.strategies import SelfConsistency, Then
    >>> from searchkit.testing import Scripted
    >>> model = Model(Scripted(lambda request: "42" if "Check this" in request.prompt.text else "41"))
    >>> solve_sync("19 + 23?", Then(SelfConsistency(3), None), generator=model).answer
    '42'
    """

    ANSWER: ClassVar[AnswerRule] = "last"

    first: Generator | None
    second: Generator | None
    ask: str = ASK
    generator: Generator | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.ask, str) or not self.ask.strip():
            raise ConfigError(
                f"Then asks for the second answer with a text, such as ask={ASK[:17]!r}, got {self.ask!r:.80}"
            )

    def sources(self) -> tuple[Generator | None, ...]:
        return tuple(self.generator if one is None else one for one in (self.first, self.second))

    def worst_case(self, sample: Usage) -> Usage | None:
        return all_together(self.sources(), sample, 0)

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        first, second = self.sources()
        [draft] = await run.sample(first, prompt)
        said = Message("assistant", (Text(draft.text),))
        asked = Prompt((*prompt.messages, said, Message("user", (Text(self.ask),))), prompt.tools)
        try:
            [answer] = await run.sample(second, asked)
        except (ConfigError, UncertainEffect):
            raise
        except Exception as error:
            run.note_failure(error)
            run.fail(error)
            return draft
        return answer
