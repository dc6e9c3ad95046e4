"""Mistakes in a configuration, named before anything is paid for."""

from __future__ import annotations

from typing import Any

from searchkit import mistakes
from searchkit.errors import ConfigError
from searchkit.kinds import is_number, told


def check_verifier(owner: str, verifier: Any, threshold: float | None = None) -> None:
    """Raises `ConfigError` unless `verifier` scores each sample by itself, and `threshold` is a score of its."""
    mistakes.check_verifier(owner, verifier)
    if verifier.joint:
        raise ConfigError(f"a joint verifier ranks finished samples: {owner} needs one that scores each")
    low, high = verifier.range
    if threshold is None:
        return
    if not is_number(threshold) or not low <= threshold <= high:
        raise ConfigError(f"the threshold {told(threshold)} is outside the verifier's range [{low}, {high}]")


def check_method(what: str, value: Any, method: str, example: str) -> None:
    """Raises `ConfigError` unless `value` is an object with `method`."""
    if isinstance(value, type) or not callable(getattr(value, method, None)):
        raise ConfigError(f"{what} is an object such as {example}, got {told(value)}")
