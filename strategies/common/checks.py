"""Mistakes in a configuration, named before anything is paid for."""

from __future__ import annotations

from typing import Any

from searchkit import mistakes
from searchkit.errors import ConfigError
from searchkit.kinds import is_whole, told


def check_counts(owner: object, **least: int) -> None:
    """Raises `ConfigError` unless each of these fields of `owner` is a whole number, and at least so much."""
    for name, bound in least.items():
        value = getattr(owner, name)
        if not is_whole(value) or value < bound:
            raise ConfigError(f"{type(owner).__name__} needs {name} >= {bound}, a whole number, got {value!r}")


def check_verifier(owner: str, verifier: Any, threshold: float | None = None) -> None:
    """Raises `ConfigError` unless `verifier` scores each sample by itself, and `threshold` is a score of its."""
    mistakes.check_verifier(owner, verifier)
    if verifier.joint:
        raise ConfigError(f"a joint verifier ranks finished samples: {owner} needs one that scores each")
    low, high = verifier.range
    if threshold is None:
        return
    if isinstance(threshold, str) or not low <= threshold <= high:
        raise ConfigError(f"the threshold {threshold!r} is outside the verifier's range [{low}, {high}]")


def check_method(what: str, value: Any, method: str, example: str) -> None:
    """Raises `ConfigError` unless `value` is an object with `method`."""
    if isinstance(value, type) or not callable(getattr(value, method, None)):
        raise ConfigError(f"{what} is an object such as {example}, got {told(value)}")
