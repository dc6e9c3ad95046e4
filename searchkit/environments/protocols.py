"""What an environment is, and what it may offer besides: implement `Environment`, and what fits of the others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

from searchkit.errors import ConfigError
from searchkit.kinds import forgotten
from searchkit.protocols import Generator, Run
from searchkit.types import Params, Prompt, Sample, Transition, Verdict

S = TypeVar("S")
R = TypeVar("R", contravariant=True)

if TYPE_CHECKING:
    from abc import ABCMeta as _Meta
else:
    _Meta = type(Protocol)


class _Optional(_Meta):
    """The metaclass of what an environment may offer besides: a quick `isinstance`, as a step asks several times.

    As for any protocol, methods count that the type has, or that were set on the object. Otherwise `isinstance` lists a
    protocol's methods anew each time before Python 3.12, which took a tenth of a step.
    """

    def __instancecheck__(cls, instance: Any) -> bool:
        offered = _offers(cls, type(instance))  # type: ignore[arg-type]  # classes are hashable
        if offered is True:
            return True
        for name in offered:  # noqa: SIM110 (the generator that `all` would take takes as long again)
            if not hasattr(instance, name):
                return False
        return True


@cache
def _offers(protocol: type, kind: type) -> Literal[True] | tuple[str, ...]:
    """True if all objects of `kind` offer what `protocol` asks for, else the methods that an object must have."""
    methods = tuple(name for name in vars(protocol) if not name.startswith("_"))
    return True if issubclass(kind, protocol) else methods


class Environment(Protocol[S]):
    """What a state is, and what an action does to it. States are values: `step` never changes one.

    The generator proposes actions: it is given `prompt(state)` and `step_params`, and each of its samples is an action.
    """

    async def start(self, prompt: Prompt, run: Run) -> S: ...

    def prompt(self, state: S, /) -> Prompt:
        """What the generator sees in `state`."""
        ...

    def step_params(self, run: Run) -> Params | None:
        """Sampling parameters for one action; None takes the caller's."""
        ...

    async def step(self, state: S, action: Sample[Any], run: Run) -> Transition[S]: ...

    def candidate(self, state: S) -> Sample[Any]:
        """The whole path to `state` as a sample, with its steps: for verifiers, and as the answer at the end."""
        ...


@runtime_checkable
class Completing(Protocol[S], metaclass=_Optional):
    """An environment whose generator can write the whole rest of an episode in one sample: cheaper rollouts."""

    def finish_params(self, run: Run) -> Params | None:
        """Sampling parameters for the whole rest of an episode."""
        ...

    async def finish(self, state: S, rest: Sample[Any], run: Run) -> S:
        """The last state of the episode that `rest` completes."""
        ...


@runtime_checkable
class Listing(Protocol[R], metaclass=_Optional):
    """An environment that can list the legal actions: then nobody has to propose them."""

    def actions(self, state: R) -> Sequence[Any] | None:
        """The value of each legal action, in a fixed order; None: the generator proposes in this state."""
        ...


@runtime_checkable
class Proposing(Protocol[R], metaclass=_Optional):
    """An environment that says what proposes the actions: then the strategy needs no generator, and may have none."""

    def proposer(self, state: R) -> Generator:
        """What proposes in `state`."""
        ...


@runtime_checkable
class Instructing(Protocol[R], metaclass=_Optional):
    """An environment that says how the generator is asked in a state: whose parameters a state decides, say."""

    def instructed(self, state: R, generator: Generator | None) -> Generator:
        """What proposes in `state`, by means of `generator`; None is that of the search."""
        ...


@runtime_checkable
class Anytime(Protocol[R], metaclass=_Optional):
    """An environment some of whose states are complete answers although the episode can go on: drafts, workspaces."""

    def complete(self, state: R) -> bool: ...


@runtime_checkable
class Learning(Protocol[S], metaclass=_Optional):
    """An environment that wants to know what was thought of a state: to put feedback into the next prompt."""

    def judged(self, state: S, verdict: Verdict) -> S:
        """The same state, with the verdict on it."""
        ...


@runtime_checkable
class Committing(Protocol[S], metaclass=_Optional):
    """An environment that acts on a real world: searched in without harm, then changed for good by `commit`."""

    async def commit(self, state: S, run: Run) -> Transition[S]:
        """Bring the real world into `state`: the only place where irreversible actions happen."""
        ...


async def taken(environment: Environment[S], state: S, action: Sample[Any], run: Run) -> Transition[S]:
    """Where `action` leads in `environment`. Raises `ConfigError` if it returns no `Transition`."""
    step = await environment.step(state, action, run)
    if not isinstance(step, Transition):
        kind, fix = type(step).__name__, "an `await` is missing" if forgotten(step) else "Transition(state, ...)"
        raise ConfigError(f"step of {type(environment).__name__} must return a Transition, not {kind}: {fix}")
    return step


def is_complete(environment: Environment[S], state: S) -> bool:
    """Whether `state` is a complete answer although the episode can go on."""
    return isinstance(environment, Anytime) and environment.complete(state)
