"""The x axes of a curve: samples, and each measure of compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from searchkit.errors import ConfigError

if TYPE_CHECKING:
    from searchkit.experiments.estimators.curves import Curve

Name = Literal["samples", "tokens", "total", "sequential", "seconds", "usd"]


@dataclass(frozen=True)
class Axis:
    """label: its title in a figure. places: where a curve's points lie, () if the curve does not know."""

    label: str
    places: Callable[[Curve], Sequence[float]]


def flops(parameters: float) -> Axis:
    """Floating-point operations, 2 a parameter and token read or written (`Compute.flops`). parameters: > 0, active."""
    if not parameters > 0:
        raise ConfigError(f"parameters is how many the model has, above 0, got {parameters}")
    return Axis(f"FLOPs per problem, {parameters:.3g} parameters", lambda curve: curve.compute.flops(parameters))


def cost(prompt: float, generated: float) -> Axis:
    """Money at the prices of a million tokens that are read and that are written; >= 0, not both 0."""
    if not (prompt >= 0 and generated >= 0 and prompt + generated > 0):
        raise ConfigError(f"prices must be >= 0 and not both 0, got {prompt} and {generated}")
    return Axis("price per problem", lambda curve: curve.compute.cost(prompt, generated))


_NAMED: dict[Name, Axis] = {
    "samples": Axis("samples per problem", lambda curve: curve.ks),
    "tokens": Axis("generated tokens per problem", lambda curve: curve.compute.generated),
    "total": Axis("tokens read and generated per problem", lambda curve: curve.compute.total),
    "sequential": Axis("generated tokens in sequence per problem", lambda curve: curve.compute.sequential),
    "seconds": Axis("seconds per problem", lambda curve: curve.compute.seconds),
    "usd": Axis("dollars per problem", lambda curve: curve.compute.usd),
}


def axis(x: Name | Axis) -> Axis:
    """The axis of that name; an `Axis` is one already."""
    if isinstance(x, Axis):
        return x
    if x not in _NAMED:
        raise ConfigError(f"x is one of {', '.join(get_args(Name))}, flops(parameters) or cost(...), got {x!r}")
    return _NAMED[x]


def knows(curve: Curve, x: Axis) -> bool:
    """Whether the curve's points have places on this axis, which is logarithmic."""
    places = x.places(curve)
    return bool(places) and all(place > 0 for place in places)
