"""What a world is: a place, the draws that lead on from it, and the least that it costs to get to a right answer."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from searchkit.errors import ConfigError
from searchkit.protocols import ONE_GENERATION, Run
from searchkit.result import Result
from searchkit.types import Budget, Params, Prompt, Sample, Transition, Usage, Verdict
from searchkit.verifiers.predicate import Predicate


@dataclass(frozen=True, slots=True)
class Place:
    """A state of a world; as the value of a sample, an answer or the beginning of one.

    path: the actions that led here. score: what the world's verifier says, within its range; None abstains. complete:
    it is an answer; ended: none goes on from here. worth: what it is worth as the answer, in [0, 1]; right: it is one
    that was looked for. hidden: what only the world knows.
    """

    path: tuple[Any, ...] = ()
    score: float | None = 0.0
    complete: bool = False
    ended: bool = False
    worth: float = 0.0
    right: bool = False
    hidden: Any = None


@dataclass(frozen=True, slots=True)
class Optimum:
    """What the best policy costs until it has drawn a right answer, on average.

    cost: in `unit`. kind: "exact", from a closed form or by dynamic programming, or "tuned", the best of a family of
    plain rules, which a better search may beat. how: by which, in words.
    """

    cost: float
    kind: Literal["exact", "tuned"]
    how: str
    unit: Literal["generations", "generated_tokens"] = "generations"


def told(place: Place) -> float | Verdict:
    """The score that a place carries."""
    return Verdict() if place.score is None else place.score


@dataclass(frozen=True)
class World(ABC):
    """An environment that draws its own actions, so that a search over it needs no generator.

    range: the least and the greatest score. budget: what figures are published for. ``Strategy(world.verifier,
    environment=world)`` is a search by steps; as a generator, ``BestOfN(16, world.verifier, generator=world)``, a
    sample is a whole answer, drawn from the start.

    A world of your own says where it begins, what is drawn, and where that leads; one whose answers can be gone on
    from has a method ``complete(state)`` as well (``return state.complete``, see `Drift`), by which a search knows an
    answer. Cost: one generation a draw, and `tokens` generated tokens.
    """

    range: tuple[float, float] = field(default=(0.0, 1.0), kw_only=True)
    budget: Budget = field(default=Budget(generations=100), kw_only=True)

    def __post_init__(self) -> None:
        low, high = self.range
        if not low < high:
            raise ConfigError(f"range is the least and the greatest score, got {self.range}")

    @abstractmethod
    def begin(self, seed: int) -> Place:
        """Where a search starts. Searches with the same seed meet the same noise."""

    @abstractmethod
    def draw(self, place: Place, rng: random.Random) -> Any:
        """One action in `place`: a number, or a list of them. It tells all that was random, noise of scores too."""

    @abstractmethod
    def after(self, place: Place, action: Any) -> Place:
        """Where `action` leads from `place`."""

    @property
    @abstractmethod
    def optimum(self) -> Optimum:
        """The least expected cost of a right answer."""

    @property
    def opens_at(self) -> float | None:
        """The score from which on an answer is right, whatever it is; None where no score is sure."""
        return self.range[1]

    @property
    def reference(self) -> float:
        """The cost that others are measured by."""
        return self.optimum.cost

    @property
    def verifier(self) -> Predicate:
        """Tells the score of a place, as a plain function would."""
        return Predicate(told, range=self.range)

    def tokens(self, place: Place) -> int:
        """Generated tokens of one draw in `place`."""
        return 1

    def success(self, result: Result[Any]) -> float:
        """What the answer of a search is worth: 0 where it is unfinished or cut off."""
        place = result.answer
        if result.sample.truncated or not isinstance(place, Place) or not place.complete:
            return 0.0
        return place.worth

    def scaled(self, share: float) -> float:
        """A share of the range as a score; what is outside [0, 1] is clipped."""
        low, high = self.range
        return low + (high - low) * min(1.0, max(0.0, share))

    # ---------------------------------------------------------------- as an environment and a generator

    async def start(self, prompt: Prompt, run: Run) -> Place:
        return self.begin(run.seed)

    def prompt(self, state: Place) -> Prompt:
        """The path so far."""
        return Prompt.of(f"{type(self).__name__} {state.path}")

    def step_params(self, run: Run) -> Params | None:
        return None

    def proposer(self, state: Place) -> Draws:
        """What draws in `state`."""
        return Draws(self, state)

    async def step(self, state: Place, action: Sample[Any], run: Run) -> Transition[Place]:
        place = self.after(state, action.value)
        return Transition(place, terminal=place.ended)

    def candidate(self, state: Place) -> Sample[Place]:
        return Sample(state)

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Place]:
        """A path from the start to its first answer."""
        place = await self.start(prompt, run)
        while not place.complete:
            [action] = await run.sample(self.proposer(place), self.prompt(place), start=run.index, partial=True)
            place = self.after(place, action.value)
        return self.candidate(place)


@dataclass(frozen=True)
class Draws:
    """A generator: the actions that `world` draws in `place`."""

    world: World
    place: Place

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        used = Usage(model_calls=1, generated_tokens=self.world.tokens(self.place))

        async def draw() -> Sample[Any]:
            return Sample(self.world.draw(self.place, random.Random(run.seed)), usage=used)

        worst = replace(ONE_GENERATION, generated_tokens=used.generated_tokens)
        name, version = type(self.world).__name__, f"{self.world!r} {self.place!r}"
        return await run.call(name, prompt, draw, params=params, version=version, worst=worst)
