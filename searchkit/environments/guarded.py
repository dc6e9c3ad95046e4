"""Guarded: irreversible actions are refused in a search, or put off until its result is committed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from searchkit.calls import CallError
from searchkit.environments.protocols import (
    Anytime,
    Committing,
    Environment,
    Instructing,
    Learning,
    Listing,
    Proposing,
)
from searchkit.errors import BudgetExhausted, ConfigError, StaleBranch
from searchkit.protocols import Generator, Run
from searchkit.tool_calls import label, meant
from searchkit.types import Message, Params, Prompt, Sample, StepSpan, Text, Transition, Verdict

EFFECTS = ("pure", "reversible", "irreversible")


@dataclass(frozen=True, slots=True)
class Held:
    """A state of the environment inside, and an irreversible action that a search did not do in it."""

    state: Any
    action: Sample[Any]
    guard: Guarded
    done: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """An answer that ends with an irreversible action: what the environment inside answers, and what is still to do."""

    answer: Any
    pending: Any


@dataclass(frozen=True)
class Guarded:
    """`environment`, whose irreversible actions a search never executes.

    effect: effect(state, action), given a state of `environment` and a sample, says "pure", "reversible" (done in the
    search, undone by replaying or restoring) or "irreversible". Decide by what the environment will do with the sample,
    with the same parsing, not by how its text looks. Where `effect` raises the step has failed, and nothing was done.

    irreversible: "refuse": such a step ends the episode with the reward `least` (give the verifier's least score) and
    says why. "defer": it ends the episode, not executed; the verifier judges a `Planned` answer, and only `commit` does
    it, once: with a journal, its intent and its result are written down, a resumed search returns the recorded result,
    and an intent without a result raises `UncertainEffect`. Where a spent budget or a passing failure
    (`CallError.transient`) came before it was begun, a resumed search tries again. There the episode ends: replayed,
    its actions would be done again; go on from a new `start`.

    The optional protocols of `environment` show through, except `Completing`: the rest of an episode in one sample
    could not be checked action by action.
    """

    environment: Environment[Any]
    effect: Callable[[Any, Sample[Any]], str]
    irreversible: Literal["refuse", "defer"] = "refuse"
    least: float = 0.0

    def __post_init__(self) -> None:
        if not callable(self.effect):
            raise ConfigError(f"effect must be a callable, effect(state, action), got {self.effect!r}")
        if self.irreversible not in ("refuse", "defer"):
            raise ConfigError(f'irreversible is "refuse" or "defer", got {self.irreversible!r}')
        inner = self.environment
        if self.irreversible == "defer" and not isinstance(inner, Committing):
            raise ConfigError(f"{type(inner).__name__} has no commit(), which a deferred action needs: use 'refuse'")
        if self.irreversible == "defer" and getattr(inner, "defers", False):
            raise ConfigError(f"{type(inner).__name__} puts off what is irreversible itself: leave out the guard")
        shown = (
            (Listing, "actions"), (Proposing, "proposer"), (Instructing, "instructed"), (Anytime, "complete"),
            (Learning, "judged"), (Committing, "commit"),
        )  # fmt: skip
        for protocol, name in shown:  # set on the object, so that it has just the methods that the one inside has
            if isinstance(inner, protocol):
                object.__setattr__(self, name, getattr(self, f"_{name}"))

    async def start(self, prompt: Prompt, run: Run) -> Any:
        return await self.environment.start(prompt, run)

    def prompt(self, state: Any) -> Prompt:
        return self.environment.prompt(state.state if self._holds(state) else state)

    def step_params(self, run: Run) -> Params | None:
        return self.environment.step_params(run)

    async def step(self, state: Any, action: Sample[Any], run: Run) -> Transition[Any]:
        if self._holds(state):
            raise ConfigError("the episode ended with an irreversible action: commit it, and start anew")
        effect = self.effect(state, action)
        if effect not in EFFECTS:
            raise ConfigError(f"effect must return one of {EFFECTS}, got {effect!r}")
        if effect != "irreversible":
            return await self.environment.step(state, action, run)
        refused = self.irreversible == "refuse"
        why = "refused: this action is irreversible" if refused else "not done yet: this action is irreversible"
        return Transition(Held(state, action, self), why, self.least if refused else None, True)

    def candidate(self, state: Any) -> Sample[Any]:
        """What the environment inside says; where an action is pending, a `Planned` with a step for it."""
        if not self._holds(state):
            return self.environment.candidate(state)
        before = self.environment.candidate(state.state)
        if self.irreversible == "refuse":
            return before
        gap = "" if before.text.endswith("\n") or not before.text else "\n"
        told = f"{before.text}{gap}pending: {label(state.action)}\n"
        message, steps = (
            Message("assistant", (Text(told),)),
            (*before.step_spans, StepSpan(len(before.text), len(told))),
        )
        return replace(before, value=Planned(before.value, meant(state.action)), message=message, step_spans=steps)

    def _holds(self, state: Any) -> bool:
        """Whether this guard, and not one inside, kept an action from being done."""
        return isinstance(state, Held) and state.guard == self

    # ---------------------------------------------------------------- optional protocols

    def _actions(self, state: Any) -> Sequence[Any] | None:
        inner: Any = self.environment
        found: Sequence[Any] | None = () if self._holds(state) else inner.actions(state)
        return found

    def _proposer(self, state: Any) -> Generator:
        inner: Any = self.environment
        found: Generator = inner.proposer(state.state if self._holds(state) else state)
        return found

    def _instructed(self, state: Any, generator: Generator | None) -> Generator:
        inner: Any = self.environment
        found: Generator = inner.instructed(state.state if self._holds(state) else state, generator)
        return found

    def _complete(self, state: Any) -> bool:
        inner: Any = self.environment
        return not self._holds(state) and bool(inner.complete(state))

    def _judged(self, state: Any, verdict: Verdict) -> Any:
        inner: Any = self.environment
        if self._holds(state):
            return replace(state, state=inner.judged(state.state, verdict))
        return inner.judged(state, verdict)

    async def _commit(self, state: Any, run: Run) -> Transition[Any]:
        """Bring the real world into `state`; where an action is pending, do it then, for the first and only time.

        Raises what the environment inside raises, `StaleBranch` too, before anything irreversible is done.
        """
        inner: Any = self.environment
        if not self._holds(state):
            committed: Transition[Any] = await inner.commit(state, run)
            return committed
        if self.irreversible == "refuse":
            raise ConfigError("this action was refused because it is irreversible: nothing is left to commit")
        if state.done:
            raise ConfigError("this action was done already, and cannot be done twice")
        passing: Exception | None = None

        async def perform(child: Run) -> str:
            nonlocal passing
            try:
                before = (await inner.commit(state.state, child)).state
            except Exception as error:  # the action was not begun, and that is certain: a resumed search may know
                again = isinstance(error, BudgetExhausted) or (isinstance(error, CallError) and error.transient)
                passing = error if again else None
                return json.dumps({"failed": str(error), "stale": isinstance(error, StaleBranch), "again": again})
            act = getattr(inner, "act", inner.step)  # where a step would be taken beside the world, for a search
            step = await act(before, state.action, child)
            return json.dumps({"observation": step.observation, "reward": step.reward})

        with run.child("commit", role="plan") as committing:
            while True:
                with committing.child("attempt") as attempt:
                    told = json.loads(await committing.once(f"do {label(state.action)}", partial(perform, attempt)))
                if passing is not None:  # just now; what an earlier process was told to try again is tried again here
                    raise passing
                if not told.get("again"):
                    break
        if "failed" in told:
            raise (StaleBranch if told["stale"] else CallError)(f"nothing was done: {told['failed']}")
        return Transition(replace(state, done=True), told["observation"], told["reward"], True)
