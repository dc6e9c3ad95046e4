"""Clients of SDKs that their agents did not close are collected where they were made, not in a later test."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest


def collect() -> None:
    """What an agent leaves open is the agent's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """Once a module has ended."""
    yield
    collect()
