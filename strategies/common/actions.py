"""The actions that may be taken in a state: listed by the environment, else proposed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.environments.protocols import Environment, Instructing, Listing, Proposing
from searchkit.errors import ConfigError
from searchkit.protocols import Generator, Run
from searchkit.strategies.common.siblings import shown
from searchkit.tool_calls import identity
from searchkit.types import Params, Sample


@dataclass(slots=True)
class Proposal:
    """An action, and how many of the samples proposed it. Equal identities are the same action."""

    identity: Hashable
    action: Sample[Any]
    count: int


def listed(environment: Environment[Any], state: Any) -> list[Any] | None:
    """The values of all legal actions; None if the generator must propose."""
    actions = environment.actions(state) if isinstance(environment, Listing) else None
    return None if actions is None else list(actions)


def proposer(environment: Environment[Any], generator: Generator | None, state: Any) -> Generator | None:
    """Who proposes in `state`: the environment's own generator, if it has one, else the strategy's, as it is asked."""
    if isinstance(environment, Instructing):
        return environment.instructed(state, generator)
    if not isinstance(environment, Proposing):
        return generator
    if generator is not None:
        raise ConfigError(
            f"{type(environment).__name__} proposes the actions itself: leave out the strategy's generator, {generator}"
        )
    return environment.proposer(state)


async def one(
    environment: Environment[Any],
    generator: Generator | None,
    state: Any,
    run: Run,
    start: int = 0,
    tried: Sequence[str] = (),
) -> Sample[Any] | None:
    """A single action: what the generator proposes, or any of those listed, by chance; None where there is none.

    tried: actions that the generator is shown, to take another.
    """
    legal = listed(environment, state)
    if legal is not None:
        return Sample(run.rng.choice(legal)) if legal else None
    place, params = shown(environment.prompt(state), tried), environment.step_params(run)
    source = proposer(environment, generator, state)
    return (await run.sample(source, place, params=params, start=start, partial=True))[0]


async def propose(
    environment: Environment[Any],
    generator: Generator | None,
    state: Any,
    width: int,
    drawn: int,
    run: Run,
    tried: Sequence[str] | None = None,
) -> tuple[list[Proposal], bool]:
    """What `width` samples propose, equal ones merged, the more frequent first, of equals the first drawn.

    drawn: how many samples were drawn in this state before. tried: actions that the generator is shown, to take
    others; None: it is never shown any. The second value is True if no other action exists: they were listed, and
    nobody was asked; or the generator would say the same again, and a single sample was drawn.
    """
    legal, alone = listed(environment, state), False
    if legal is not None:
        samples = [Sample(value) for value in legal]
    else:
        place, params = shown(environment.prompt(state), tried or ()), environment.step_params(run)
        source = proposer(environment, generator, state)
        alone = deterministic(source, params)
        samples = await run.sample(source, place, 1 if alone else width, params=params, start=drawn, partial=True)
    equals: dict[Hashable, list[Sample[Any]]] = {}
    for sample in samples:
        equals.setdefault(identity(sample), []).append(sample)
    ranked = sorted(equals.items(), key=lambda item: -len(item[1]))
    return [Proposal(which, same[0], len(same)) for which, same in ranked], legal is not None or (
        alone and tried is None
    )


def deterministic(generator: Generator | None, params: Params | None) -> bool:
    """Whether all samples of one prompt are equal: at temperature 0, or where the generator says so itself, by an
    attribute `deterministic`."""
    return (params is not None and params.temperature == 0) or getattr(generator, "deterministic", False) is True
