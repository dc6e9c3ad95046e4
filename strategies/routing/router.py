"""Router: which of several generators is asked, chosen before anything is drawn."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from searchkit.arguments import signature_of
from searchkit.errors import BudgetExhausted, ConfigError, UncertainEffect, VerifierError
from searchkit.kinds import is_number, told
from searchkit.mistakes import check_generator
from searchkit.protocols import Generator, Run
from searchkit.strategies.routing.asking import Asking
from searchkit.strategies.routing.fitting import mean_costs, words_model
from searchkit.strategies.routing.neighbours import neighbours
from searchkit.strategies.routing.pilots import Pilots
from searchkit.strategies.routing.rows import Tried
from searchkit.strategy import AnswerRule, Strategy, most_expensive, worst_case
from searchkit.types import NO_USAGE, Prompt, Sample, Usage


@dataclass(frozen=True)
class Router(Strategy):
    """Asks one of `arms`, which `choose` picks by the prompt: the others cost nothing.

    - arms: by name, from cheap to dear: models and strategies; None is `generator`.
    - choose: is given the prompt's text (the `Prompt` if its parameter is annotated so), and the run if it declares
      ``run: Run``; it may be async. It returns the name of an arm; or for each arm the chance that it is right, and the
      arm with the greatest ``chance - price * cost`` is asked, of equals the first; or None where it cannot tell. What
      it asks for through its run is charged, and stands in the trace under "choose". What it draws is no answer, unless
      it has an attribute ``answers = True``. See `fit`, `asking` and `ComputeOptimal.chooser`.
    - costs: of each arm, as in the rows that it was fitted on; needed with a `price`.
    - price: how much of a chance a unit of cost must buy. 0 asks for the arm that is likeliest to be right.
    - otherwise: the arm where `choose` returns None or fails, which is recorded; by default the last, the dearest.
    - generator: what None among the arms, and those without a generator of their own, draw from.

    In the trace what arm "large" did lies under the span "arm large"; `choices` counts the arms, and what it cost to
    choose.

    Cost: that of the arm that was asked, and of what `choose` asks for itself.

    Settings: RouteLLM (Ong et al. 2024) asks the strong one of two where its win is likely: `fit`, with the curve of
    all its thresholds by `choice_curve`. DOTS (Yue et al. 2024) and SMART (Tang et al. 2024) let the model say which
    way of reasoning a question takes: ``Router({"at once": None, "stepwise": BestOfN(...)}, asking({...}))``.

    >>> from searchkit import Model, solve_sync
    >>> from searchkit.strategies import Router
    >>> from searchkit.testing import Scripted
    >>> small, large = Model(Scripted(lambda request: "41")), Model(Scripted(lambda request: "42"))
    >>> rows = [("add 2 and 3", "small", True, 1), ("add 2 and 3", "large", True, 9),
    ...         ("multiply 19 by 23", "small", False, 1), ("multiply 19 by 23", "large", True, 9)]
    >>> router = Router.fit({"small": small, "large": large}, rows, k=1, price=0.05)
    >>> router.pick("add 4 and 5"), router.pick("multiply 18 by 27")
    ('small', 'large')
    >>> solve_sync("multiply 18 by 27", router).answer
    '42'
    """

    ANSWER: ClassVar[AnswerRule] = "own"  # that of the arm which was chosen

    arms: Mapping[str, Generator | None]
    choose: Callable[..., Any]
    costs: Mapping[str, float] = field(default_factory=dict)
    price: float = 0.0
    otherwise: str | None = None
    generator: Generator | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.arms, Mapping) or len(self.arms) < 2 or not all(map(_is_name, self.arms)):
            raise ConfigError(f'Router needs two arms or more by name, {{"small": model, ...}}, got {told(self.arms)}')
        for name, arm in self.arms.items():
            if arm is not None:
                check_generator(f"arm {name!r} of Router", arm)
        if isinstance(self.choose, type) or not callable(self.choose):
            raise ConfigError(f"choose of Router is a callable of the prompt's text, got {told(self.choose)}")
        if len(needed := signature_of(_called(self.choose)).required) > 1:
            raise ConfigError(f"choose of Router is given the prompt alone, and needs {', '.join(needed)}")
        if strange := [name for name in _names(self.choose) if name not in self.arms]:
            raise ConfigError(f"choose of Router may name {', '.join(strange)}: its arms are {', '.join(self.arms)}")
        if self.otherwise is not None and self.otherwise not in self.arms:
            raise ConfigError(f"otherwise of Router is one of its arms, {', '.join(self.arms)}: {told(self.otherwise)}")
        if not is_number(self.price) or not 0 <= self.price < math.inf:
            raise ConfigError(f"the price of a unit of cost is a finite number >= 0, got {told(self.price)}")
        if not isinstance(self.costs, Mapping) or not all(
            is_number(c) and 0 <= c < math.inf for c in self.costs.values()
        ):
            raise ConfigError(f"costs of Router are finite numbers >= 0 by arm, got {told(self.costs)}")
        missing = [name for name in self.arms if name not in self.costs]
        if self.price and missing:
            raise ConfigError(f"a price needs the costs of all arms, and there is none of {', '.join(missing)}")

    @classmethod
    def fit(
        cls,
        arms: Mapping[str, Generator | None],
        rows: Iterable[Tried],
        *,
        by: Literal["neighbours", "words"] = "neighbours",
        k: int = 32,
        similar: Callable[[str, str], float] | None = None,
        ridge: float = 10.0,
        price: float = 0.0,
        generator: Generator | None = None,
    ) -> Router:
        """The router that has learnt from recorded tries how likely each arm is right.

        - rows: (prompt, arm, right, cost) of one try each, such as `Pool.rows` gives; further entries are not read.
        - by: "neighbours": the share of right ones among the `k` prompts that are most like this one, weighted by how
          alike they are, and drawn to the arm's overall share where nothing is alike. "words": logistic regression, an
          arm each, on hashed words and pairs of words, the prompt's length and its numbers.
        - similar: of two texts, in [0, 1]; None compares trigrams as `searchkit.memory.ngrams` does, faster.
        - ridge: how strongly "words" keeps to what all prompts share.

        Deterministic. Nothing is downloaded. Cost: no model calls; "neighbours" takes some milliseconds a choice among
        a thousand rows, "words" a second to fit and microseconds to choose. Raises `ConfigError` where an arm has no
        row.
        """
        names = list(arms) if isinstance(arms, Mapping) else []
        rows = list(rows) if isinstance(rows, Iterable) else rows  # what is none is told below
        if by not in ("neighbours", "words"):
            raise ConfigError(f'by is "neighbours" or "words", got {by!r}')
        choose = neighbours(rows, names, k, similar) if by == "neighbours" else words_model(rows, names, ridge)
        return cls(arms, choose, mean_costs(rows, names), price, generator=generator)

    def chances(self, text: str) -> dict[str, float]:
        """What `choose` says of a prompt: how likely each arm is right.

        Raises `ConfigError` where it says something else, such as an arm, and where it needs a search to choose in.
        """
        said = self._said(text)
        if not self._are_chances(said):
            raise ConfigError(f"{told(self.choose)} gives no chances: it said {told(said)}")
        return {name: float(said[name]) for name in self.arms}

    def pick(self, text: str) -> str:
        """The arm for a prompt's text. Raises `ConfigError` where `choose` needs a search to choose in."""
        return self._named(self._said(text))

    def _said(self, text: str) -> Any:
        """What `choose` says of a prompt's text, outside of a search."""
        args, kwargs = self._arguments(text, {})
        said = self.choose(*args, **kwargs)
        if inspect.isawaitable(said):
            getattr(said, "close", lambda: None)()
            raise ConfigError("choose of Router is async: it can choose in a search, and not outside of one")
        return said

    def sources(self) -> Sequence[Generator | None]:
        return [self.generator if arm is None else arm for arm in self.arms.values()]

    def worst_case(self, sample: Usage) -> Usage | None:
        costs = [worst_case(source, sample) for source in self.sources()]
        deciding = getattr(self.choose, "worst_case", None)
        asked = NO_USAGE if deciding is None else deciding(sample)
        known = [cost for cost in costs if cost is not None]
        if len(known) < len(costs) or asked is None or (deciding is None and self._asks()):
            return None  # nobody knows what is asked
        return most_expensive(known) + asked

    def _asks(self) -> bool:
        return signature_of(_called(self.choose)).asks("run")

    async def search(self, prompt: Prompt, run: Run) -> Sample[Any]:
        with run.child("choose", role=None if getattr(self.choose, "answers", False) else "plan") as deciding:
            name = await self._chosen(prompt, deciding)
        with run.child(f"arm {name}") as inner:
            arm = self.arms[name]
            [sample] = await inner.sample(self.generator if arm is None else arm, prompt)
        return sample

    async def _chosen(self, prompt: Prompt, run: Run) -> str:
        offered = {"run": run, "seed": run.seed, "index": run.index, "params": run.params}
        args, kwargs = self._arguments(prompt, offered)
        try:
            said = self.choose(*args, **kwargs)
            said = await said if inspect.isawaitable(said) else said
        except (ConfigError, BudgetExhausted, UncertainEffect):
            raise
        except Exception as error:
            run.fail(VerifierError(f"choose of Router raised {type(error).__name__}: {error}"))
            said = None
        return self._named(said)

    def _arguments(self, asked: str | Prompt, offered: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """What `choose` is called with."""
        declared = signature_of(_called(self.choose))
        try:
            if declared.whole:
                return declared.bind((Prompt.of(asked),), {}, offered)
            return declared.bind((asked if isinstance(asked, str) else asked.text,), {}, offered)
        except KeyError as error:
            [missing] = error.args
            raise ConfigError(f"choose of Router asks for {missing}, and there is none here") from error

    def _named(self, said: Any) -> str:
        """The arm that was chosen, by what was said."""
        if said is None:
            return self.otherwise or list(self.arms)[-1]
        if isinstance(said, str) and said in self.arms:
            return said
        if not self._are_chances(said):
            raise ConfigError(
                f"choose of Router returns one of {', '.join(self.arms)}, a chance for each of them, or None: "
                f"got {told(said)}"
            )
        worth = {name: said[name] - self.price * self.costs.get(name, 0.0) for name in self.arms}
        return max(worth, key=lambda name: worth[name])

    def _are_chances(self, said: Any) -> bool:
        return isinstance(said, Mapping) and all(_is_chance(said.get(name)) for name in self.arms)


def _called(choose: Callable[..., Any]) -> Callable[..., Any]:
    """What is called: of an object its `__call__`, whose annotations can be resolved where its class stands."""
    return choose if inspect.isroutine(choose) else getattr(choose, "__call__", choose)  # noqa: B004


def _names(choose: Callable[..., Any]) -> Iterable[str]:
    """The arms that it may name, where that is known before it is asked."""
    if isinstance(choose, Asking):
        return choose.described
    return choose.arms if isinstance(choose, Pilots) else ()


def _is_chance(value: object) -> bool:
    return is_number(value) and value == value


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name)
