"""FunctionEnvironment: one function of your own as environment, generator and verifier."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.calls import CallError
from searchkit.codec import Codec
from searchkit.environments.episode import outcome
from searchkit.environments.protocols import is_complete
from searchkit.errors import ConfigError
from searchkit.function import Function, label
from searchkit.protocols import Run
from searchkit.types import Params, Problem, Prompt, Sample, Transition, Verdict


@dataclass(frozen=True, slots=True)
class Grown:
    """What the function returned, with the task. At the start: value None, which no function has returned."""

    prompt: Prompt
    value: Any = None
    score: float | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class Rated(Sample[Any]):
    """A sample with the score that the function gave it."""

    score: float | None = None


@dataclass(frozen=True)
class OwnScore:
    """The verifier that repeats the score that a `FunctionEnvironment` was given. Abstains where there is none."""

    range: tuple[float, float] = (0.0, 1.0)
    key: str = "own score"
    joint: bool = False

    def bind(self, problem: Problem) -> OwnScore:
        return self

    async def verify(self, prompt: Prompt, samples: Sequence[Sample[Any]], run: Run) -> list[Verdict]:
        return [Verdict(sample.score if isinstance(sample, Rated) else None) for sample in samples]


@dataclass(frozen=True)
class FunctionEnvironment:
    """A whole search space in one function: ``fn(parent) -> (state, score or None, done)``, sync or async.

    `fn` draws the next state itself, from whatever model or program it likes, so nobody else proposes. It is given the
    value of the state to go on from, None at the start, and `prompt`, `seed`, `index`, `run` and `params` where it
    declares parameters of these names. A state with a score is a complete answer although the search may go on from
    it; one that is done is an answer too, and none goes on from there. (state, least score, True) is a dead end. What
    it returns as ``Sample((state, score, done), usage=...)`` says what the call cost. States are values: `fn` must not
    change the one that it is given. Equal returns for one parent are one child.

    - fn: the function.
    - range: the least and the greatest score; higher is better. A score outside makes that call a failed one.
    - name: the identity in journals, with `version`: as of `Function`.
    - version: a new one forgets what an old one returned.
    - codec: stores states that are not JSON in a journal.
    - threads: a synchronous `fn` runs in one, at most so many at once in a search.

    `verifier` repeats the score that `fn` gave: ``BestFirst(world.verifier, environment=world)``. Any other verifier
    does, too; it is asked for the states that `fn` did not finish with a score. As a generator, ``BestOfN(8,
    world.verifier, generator=world)``, a sample is a path from the start to its first answer.

    Cost: one generation and one model call a new state. A look at its score counts as a verification.
    """

    fn: Callable[..., Any]
    range: tuple[float, float] = (0.0, 1.0)
    name: str = ""
    version: str = ""
    codec: Codec | None = None
    threads: int = 32

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise ConfigError(f"FunctionEnvironment needs a callable, fn(parent), got {self.fn!r}")
        if not isinstance(self.range, tuple) or len(self.range) != 2 or not self.range[0] < self.range[1]:
            raise ConfigError(f"range is the least and the greatest score, got {self.range}")
        if self.codec is not None and not isinstance(self.codec, Codec):
            raise ConfigError(f"codec must be Codec(dump, load) for states, or None, got {self.codec!r}")

    @property
    def verifier(self) -> OwnScore:
        """Reads the scores of `fn`."""
        return OwnScore(self.range)

    async def start(self, prompt: Prompt, run: Run) -> Grown:
        return Grown(prompt)

    def prompt(self, state: Grown) -> Prompt:
        """The task: what `fn` is asked is the state itself."""
        return state.prompt

    def step_params(self, run: Run) -> Params | None:
        return None

    def proposer(self, state: Grown) -> Function:
        """The function, called with `state`."""
        return self._function(state.value, state.prompt)

    async def step(self, state: Grown, action: Sample[Any], run: Run) -> Transition[Grown]:
        value, score, done = self._read(action.value)
        return Transition(Grown(state.prompt, value, score, done), reward=score if done else None, terminal=done)

    def candidate(self, state: Grown) -> Rated:
        """The state's value with its score; an empty text at the start."""
        return Rated("" if state.value is None else state.value, score=state.score)

    def complete(self, state: Grown) -> bool:
        return state.score is not None

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        """A path from the start to its first answer: a state with a score, or one that is done."""
        state = await self.start(prompt, run)
        while not (state.done or is_complete(self, state)):
            proposer = self.proposer(state)
            [action] = await run.sample(proposer, prompt, params=params, start=run.index, partial=True)
            state = (await self.step(state, action, run)).state
        return self.candidate(state)

    def _function(self, parent: Any, prompt: Prompt | None) -> Function:
        given = {"prompt": prompt} if "prompt" in _further(self.fn) else {}
        codec = Codec(self._dump, self._load)  # a tuple is not JSON
        return Function(self.fn, False, self.name, self.version, codec, self.threads, (parent,), given)

    def _dump(self, told: Any) -> list[Any]:
        state, score, done = self._read(told)
        return [self.codec.dump(state) if self.codec else state, score, done]

    def _load(self, stored: list[Any]) -> tuple[Any, float | None, bool]:
        state, score, done = stored
        return self.codec.load(state) if self.codec else state, score, done

    def _read(self, told: Any) -> tuple[Any, float | None, bool]:
        """What `fn` returned, checked."""
        state, score, done = outcome(told, label(self.fn), "(state, score or None, done)")
        if isinstance(score, (bool, str)) or type(done).__name__ not in ("bool", "bool_"):  # NumPy's, too
            raise CallError(
                f"{label(self.fn)} must return (state, score or None, done), a number and True or False, got "
                f"{(score, done)!r:.80} after the state"
            )
        if score is not None and not self.range[0] <= score <= self.range[1]:
            raise CallError(
                f"{label(self.fn)} returned the score {score}, outside of {self.range[0]} to {self.range[1]}: declare "
                "the right ones with FunctionEnvironment(fn, range=(low, high))"
            )
        return state, score, done


def _further(fn: Callable[..., Any]) -> list[str]:
    """The names of the parameters of `fn` after the first, which takes the parent whatever it is called."""
    try:
        return list(inspect.signature(fn).parameters)[1:]
    except (TypeError, ValueError):  # some builtins have none
        return []
