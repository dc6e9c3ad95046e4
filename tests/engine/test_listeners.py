"""Who listens to a search, and what it may do to it: nothing, however it fails."""

from __future__ import annotations

import asyncio
import functools
import warnings
from pathlib import Path
from typing import Any

import pytest

from searchkit import (
    Budget,
    ConfigError,
    Model,
    Problem,
    Prompt,
    SearchWarning,
    run_sync,
    solve_many,
    solve_sync,
    start,
)
from searchkit.events import Answered, Asked, Began, Ended, Event, Found, Opened, Over
from searchkit.experiments import Sweep
from searchkit.generators import Simulated
from searchkit.strategies import BestOfN
from searchkit.verifiers import Exact

RIGHT = Exact(reference="42")
MODEL = Model(Simulated({"42": 0.3, "43": 0.7}, latency=0.001))


@pytest.mark.parametrize("error", [asyncio.CancelledError, asyncio.InvalidStateError, StopIteration, RecursionError])
def test_a_listener_that_fails_in_any_way_ends_no_search(error: type[BaseException]) -> None:
    """Also by a cancellation that is not the search's, as from a future that it looked at."""

    def fails(event: Event) -> None:
        if isinstance(event, Found):
            raise error

    with pytest.warns(SearchWarning, match="a listener failed"):
        result = solve_sync("q", BestOfN(4, RIGHT), generator=MODEL, listen=fails)
    assert (result.stopped, len(result.candidates)) == ("done", 4)


@pytest.mark.parametrize("kind", [Opened, Began, Asked, Answered, Ended, Found])
def test_where_warnings_are_errors_the_search_is_whole_and_then_it_is_raised(kind: type[Event]) -> None:
    """The warning is not that of the call that was told of: all spans have ended as they did, and once."""
    failed, told = list[Event](), list[Event]()

    def fails(event: Event) -> None:
        if isinstance(event, kind):
            failed.append(event)
            raise ZeroDivisionError

    async def main() -> None:
        search = start("q", BestOfN(3, RIGHT), generator=MODEL, listen=fails)
        search._search.feed.add(told.append)
        with pytest.raises(SearchWarning, match=r"a listener failed.*ZeroDivisionError"):
            await search
        assert search.done
        ends = [event for event in told if isinstance(event, Ended)]
        if kind is not Opened:  # raised before anything is paid for
            assert search.usage.model_calls == 3
            assert {end.status for end in ends} == {"ok"}
        assert sum(end.usage.model_calls for end in ends) == search.usage.model_calls
        assert sum(isinstance(event, Began) for event in told) == len(ends)
        assert isinstance(told[-1], Over)

    with warnings.catch_warnings():
        warnings.simplefilter("error", SearchWarning)
        asyncio.run(main())
    assert len(failed) == 1


async def _asynchronous(event: Event) -> None: ...


class _Asynchronous:
    async def __call__(self, event: Event) -> None: ...

    async def method(self, event: Event) -> None: ...

    async def generated(self, event: Event) -> Any:
        yield event


@pytest.mark.parametrize(
    "listen",
    [
        _asynchronous,
        _Asynchronous(),
        _Asynchronous().method,
        _Asynchronous().generated,
        functools.partial(_asynchronous),
        functools.partial(functools.partial(_Asynchronous())),
    ],
    ids=["function", "object", "method", "generator", "partial", "partials"],
)
def test_an_asynchronous_listener_is_refused(listen: Any) -> None:
    """It would be called, and nothing that it says would be done."""
    with pytest.raises(ConfigError, match="listen= is called and not awaited"):
        solve_sync("q", BestOfN(2, RIGHT), generator=MODEL, listen=listen)
    with pytest.raises(ConfigError, match="finished= is called and not awaited"):
        run_sync(solve_many(["q"], BestOfN(2, RIGHT), generator=MODEL, finished=listen))


def test_a_listener_that_fails_in_one_of_many_searches_is_told_of_none_any_more() -> None:
    """And warned of once."""
    heard = list[Event]()

    def fails(event: Event) -> None:
        heard.append(event)
        if len(heard) == 5:
            raise ZeroDivisionError

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        outcomes = run_sync(solve_many(["a", "b", "c"], BestOfN(3, RIGHT), generator=MODEL, listen=fails))
    assert [len(outcome.unwrap().candidates) for outcome in outcomes] == [3, 3, 3]
    assert (len(heard), [str(one.message).split(":")[0] for one in warned]) == (
        5,
        ["a listener failed, and is told nothing more"],
    )


def test_a_listener_that_fails_changes_no_row_of_a_sweep(tmp_path: Path) -> None:
    """A row of a search that failed is made of what it had paid for, by events."""
    problems = [Problem(name, Prompt.of(name), reference="42") for name in "xyz"]
    endpoint = Model(Simulated({"42": 1.0}, failures=0.999))
    strategies = {"two": BestOfN(2, RIGHT)}

    def rows(name: str, listen: Any) -> list[Any]:
        sweep = Sweep(problems, strategies, [Budget(generations=8)], truth=Exact(), endpoints=[endpoint])
        return [
            (row.error, row.model_calls, row.prompt_tokens) for row in sweep.run(tmp_path / name, listen=listen).rows
        ]

    def fails(event: Event) -> None:
        raise ZeroDivisionError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)
        plain, told = rows("plain", None), rows("told", fails)
    assert plain == told
    assert all(error and calls == 2 for error, calls, _ in plain)
