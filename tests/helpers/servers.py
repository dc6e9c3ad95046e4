"""What the tests of the loopback server share: one server of each profile, and waiting for what it notices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from searchkit.testing.server import PROFILES, Server


@pytest.fixture(params=sorted(PROFILES))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running server, once for each profile."""
    with Server(request.param) as running:
        yield running


def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`; fail after 10 seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the server did not notice"
        time.sleep(0.001)
