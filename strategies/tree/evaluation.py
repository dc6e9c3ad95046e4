"""Evaluation of a tree search: what is a node worth that is expanded now? One object a way."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from searchkit.environments.protocols import Anytime, Completing, Environment, is_complete
from searchkit.mistakes import check_counts
from searchkit.protocols import Generator, Run
from searchkit.strategies.common.transition import Stepper, finish
from searchkit.types import Prompt, Scored, Verdict


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A state's value (None: unknown), the verdict on it, itself as an answer, and the answers of its rollouts."""

    value: float | None = None
    verdict: Verdict | None = None
    itself: Scored | None = None
    rollouts: tuple[Scored, ...] = ()


class Evaluation(ABC):
    """Where the value comes from that is backed up from a node."""

    @abstractmethod
    def wants(self, environment: Environment[Any], state: Any, known: bool) -> bool:
        """Whether anything would be learned of `state`. known: the verifier has scored it already."""

    @abstractmethod
    async def evaluate(
        self, prompt: Prompt, state: Any, known: bool, stepper: Stepper, generator: Generator | None, run: Run
    ) -> Evaluated:
        """What `state` is worth."""

    def of_child(self, environment: Environment[Any], state: Any) -> bool:
        """Whether the verifier scores a new child in `state`, which is no end, at once."""
        return False

    def draws(self, environment: Environment[Any]) -> int:
        """The most samples that one evaluation takes."""
        return 0

    def checks(self, environment: Environment[Any]) -> int:
        """The most verifications that one evaluation takes."""
        return 1


@dataclass(frozen=True)
class Value(Evaluation):
    """The verifier's score of the path to the node. Cost: one verification, none of a state without a draft."""

    def wants(self, environment: Environment[Any], state: Any, known: bool) -> bool:
        blank = isinstance(environment, Anytime) and not is_complete(environment, state)
        return not known and not blank

    async def evaluate(
        self, prompt: Prompt, state: Any, known: bool, stepper: Stepper, generator: Generator | None, run: Run
    ) -> Evaluated:
        own, itself = await _own(prompt, state, known, stepper, run)
        return Evaluated(own.score, own.verdict, itself)


@dataclass(frozen=True)
class Unjudged(Evaluation):
    """Nothing: only answers are judged. For a path on which every verdict would take a step from the budget."""

    def wants(self, environment: Environment[Any], state: Any, known: bool) -> bool:
        return False

    async def evaluate(
        self, prompt: Prompt, state: Any, known: bool, stepper: Stepper, generator: Generator | None, run: Run
    ) -> Evaluated:
        return Evaluated()

    def of_child(self, environment: Environment[Any], state: Any) -> bool:
        """An answer that may be gone on from ends the path all the same."""
        return is_complete(environment, state)


@dataclass(frozen=True)
class Children(Value):
    """The verifier's score of each new child, backed up from there. Cost: one verification a child."""

    def wants(self, environment: Environment[Any], state: Any, known: bool) -> bool:
        """Only the first state: each other one was a child."""
        return not known and is_complete(environment, state)

    def of_child(self, environment: Environment[Any], state: Any) -> bool:
        return True


@dataclass(frozen=True)
class Rollout(Evaluation):
    """The mean score of `n` ways, each of at most `horizon` steps, in which the episode goes on from the node to its
    end: in a single sample where the environment can (`Completing`).

    Cost: `n` verifications, and `n` samples or, step by step, `n` * `horizon`.
    """

    n: int = 1
    horizon: int = 40

    def __post_init__(self) -> None:
        check_counts(self, n=1, horizon=1)

    def wants(self, environment: Environment[Any], state: Any, known: bool) -> bool:
        return True

    async def evaluate(
        self, prompt: Prompt, state: Any, known: bool, stepper: Stepper, generator: Generator | None, run: Run
    ) -> Evaluated:
        itself = None
        if not known and is_complete(stepper.environment, state):
            _, itself = await _own(prompt, state, known, stepper, run)
        outcomes = await run.map(
            lambda _, child: finish(prompt, state, self.horizon, stepper, generator, child), range(self.n)
        )
        ends = run.survivors(outcomes)
        scores = [end.score for end in ends if end.score is not None]
        answers = tuple(end.scored for end in ends if end.answer)
        verdict = None if itself is None else itself.verdict
        return Evaluated(math.fsum(scores) / len(scores) if scores else None, verdict, itself, answers)

    def draws(self, environment: Environment[Any]) -> int:
        return self.n * (1 if isinstance(environment, Completing) else self.horizon)

    def checks(self, environment: Environment[Any]) -> int:
        """The state itself is judged, too, where it may be an answer."""
        return self.n + isinstance(environment, Anytime)


async def _own(prompt: Prompt, state: Any, known: bool, stepper: Stepper, run: Run) -> tuple[Scored, Scored | None]:
    """The verdict on a state; and the state as an answer, if it is one that was not known before."""
    answer = is_complete(stepper.environment, state)
    [own] = await run.score(stepper.verifier, prompt, [stepper.environment.candidate(state)], partial=not answer)
    return own, own if answer and not known else None
