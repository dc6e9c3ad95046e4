"""Which seed a call is sent with, what an agent's own does, and what is sent where a ceiling is on tokens."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, SearchWarning, solve
from searchkit.agents import Endpoint, async_client
from searchkit.engine.journal import Journal
from searchkit.function import Function
from searchkit.strategies import SelfConsistency
from searchkit.types import Params
from tests.helpers.attempts import CHAT, KEY, asked, attempt, calls, upstream
from tests.helpers.model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def seeds(server: ModelServer) -> list[int]:
    return [body["seed"] for _, body in server.bodies if "seed" in body]


def asking(body: dict[str, Any], times: int = 2) -> Any:
    def agent(endpoint: Endpoint) -> list[Any]:
        return [asked(f"{endpoint.base_url}/chat/completions", body)[1]["choices"] for _ in range(times)]

    return agent


def test_a_seed_comes_from_the_place(server: ModelServer) -> None:
    """Other attempts and other times of asking have others; the search repeated has the same."""
    for _ in range(2):
        attempt(server, asking(CHAT), 3, seed=5)
    first, second = sorted(seeds(server)[:6]), sorted(seeds(server)[6:])
    assert first == second
    assert len(set(first)) == 6
    attempt(server, asking(CHAT), 3, seed=6)
    assert not set(seeds(server)[12:]) & set(first)


def test_an_agents_own_seed_is_hashed_with_the_place(server: ModelServer) -> None:
    """It tells calls apart as the agent meant it, and attempts stay different."""
    attempt(server, asking({**CHAT, "seed": 1}), 2)
    attempt(server, asking({**CHAT, "seed": 2}), 2)
    assert len(set(seeds(server))) == 8
    assert not {1, 2} & set(seeds(server))


def kept(server: ModelServer, body: dict[str, Any], n: int) -> Any:
    """Attempts that send their own seed, one after the other."""

    def agent(question: str, endpoint: Endpoint) -> str:
        return json.dumps(asked(f"{endpoint.base_url}/chat/completions", body)[1]["choices"][0]["message"]["content"])

    function = Function(agent, upstream=upstream(server, keep_seeds=True), threads=1)
    return asyncio.run(solve("How much?", SelfConsistency(n, key=str), generator=function))


def test_kept_seeds_are_sent_unchanged_and_warned_about_once(server: ModelServer) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kept(server, {**CHAT, "seed": 7}, 4)
    assert seeds(server) == [7] * 4
    assert [w.category for w in caught] == [SearchWarning]
    assert "keep_seeds" in str(caught[0].message)


def test_kept_seeds_without_equal_attempts_are_not_warned_about(server: ModelServer) -> None:
    """One attempt may ask the same twice; a call without a seed of its own has one from its place."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept(server, {**CHAT, "seed": 7}, 1)
        kept(server, CHAT, 3)
    assert seeds(server)[0] == 7
    assert len(set(seeds(server))) == 4


def test_the_ambient_client_keeps_seeds_too(server: ModelServer) -> None:
    async def agent(question: str) -> str:
        async with async_client(keep_seeds=True) as http:
            reply = await http.post(f"{server.url}/chat/completions", json={**CHAT, "seed": 7})
            return str(reply.json()["choices"])

    with pytest.warns(SearchWarning, match="keep_seeds"):
        asyncio.run(solve("q", SelfConsistency(3, key=str), generator=Function(agent)))
    assert seeds(server) == [7] * 3


# ---------------------------------------------------------------- what is sent

OPEN = {key: value for key, value in CHAT.items() if key != "max_tokens"}
LIMITS = {"chat/completions": "max_tokens", "completions": "max_tokens", "responses": "max_output_tokens"}
BODIES = {
    "chat/completions": OPEN,
    "completions": {"model": "m", "prompt": "a"},
    "responses": {"model": "m", "input": "a"},
}


def open_ended(server: ModelServer, route: str, budget: Budget, params: Params | None) -> Any:
    def agent(question: str, endpoint: Endpoint) -> str:
        return str(asked(f"{endpoint.base_url}/{route}", BODIES[route])[0])

    function = Function(agent, upstream=upstream(server))
    return asyncio.run(solve("q", SelfConsistency(2, key=str), generator=function, budget=budget, params=params))


@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize("params", [None, Params(max_tokens=11)])
@pytest.mark.parametrize("budget", [Budget(), Budget(model_calls=9, generations=9)])
def test_without_a_ceiling_on_tokens_no_limit_is_sent(
    server: ModelServer, route: str, params: Params | None, budget: Budget
) -> None:
    result = open_ended(server, route, budget, params)
    sent = [{key: value for key, value in body.items() if key != "seed"} for _, body in server.bodies]
    assert sent == [BODIES[route]] * 2
    assert not any("max_tokens=" in span.text for span in calls(result.trace))


@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize("budget", [Budget(generated_tokens=100), Budget(total_tokens=100)])
def test_under_a_ceiling_the_limit_is_that_of_the_attempts_params(
    server: ModelServer, route: str, budget: Budget
) -> None:
    result = open_ended(server, route, budget, Params(max_tokens=11))
    assert [body[LIMITS[route]] for _, body in server.bodies] == [11, 11]
    assert all("max_tokens=11 of the budget" in span.text for span in calls(result.trace))


@pytest.mark.parametrize("route", BODIES)
def test_under_a_ceiling_without_params_the_limit_is_what_is_left(server: ModelServer, route: str) -> None:
    """Of the attempt's own share: half each."""
    open_ended(server, route, Budget(generated_tokens=100), None)
    assert [body[LIMITS[route]] for _, body in server.bodies] == [50, 50]


def test_a_limit_of_the_agents_own_stays(server: ModelServer) -> None:
    attempt(server, asking(CHAT, 1), budget=Budget(generated_tokens=100))
    assert [body["max_tokens"] for _, body in server.bodies] == [9]


# ---------------------------------------------------------------- embeddings


@pytest.mark.parametrize("texts", ["one two three", ["one", "two three"], ["", "a b"]])
def test_embeddings_are_model_calls_with_their_prompt_tokens(server: ModelServer, texts: Any) -> None:
    def agent(endpoint: Endpoint) -> Any:
        return asked(f"{endpoint.base_url}/embeddings", {"model": "e", "input": texts})

    result = attempt(server, agent, 2)
    status, said = json.loads(result.answer)
    assert status == 200
    assert said["data"][0]["embedding"][0] == 0.5
    assert server.calls == result.usage.model_calls == len(calls(result.trace)) == 2
    assert (result.usage.prompt_tokens, result.usage.generated_tokens) == (server.prompt_tokens, 0)
    assert result.usage.generations == 2
    assert all("seed" not in body for _, body in server.bodies)


@pytest.mark.parametrize("budget", [Budget(model_calls=3), Budget(total_tokens=30)])
def test_ceilings_bind_embeddings(server: ModelServer, budget: Budget) -> None:
    found = list[int]()

    def agent(endpoint: Endpoint) -> None:
        for number in range(9):
            body = {"model": "e", "input": f"one two three {number}"}
            found.append(asked(f"{endpoint.base_url}/embeddings", body)[0])

    attempt(server, agent, budget=budget)
    assert set(found) == {200, 402}
    assert server.calls == found.count(200) <= (budget.model_calls or 9)
    assert server.prompt_tokens <= (budget.total_tokens or 99)


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize("status", [0, 401, 500])
def test_keys_appear_nowhere(tmp_path: Path, status: int) -> None:
    """Neither the real one nor that of the endpoint: not in the result, its trace, errors, or the journal's file."""
    path, own = tmp_path / "journal.sqlite", list[str]()
    with ModelServer(refusal=(status, "bad key {key}") if status else None) as server, Journal(path) as journal:

        def agent(endpoint: Endpoint) -> str:
            own.append(endpoint.api_key)
            code, said = asked(
                f"{endpoint.base_url}/chat/completions", authorization=f"Bearer {endpoint.api_key}", x_api_key=KEY
            )
            if code != 200:
                raise ValueError(said)
            return str(said["choices"])

        try:
            result = attempt(server, agent, 2, journal=journal)
            seen = repr(result) + result.trace.render() + json.dumps(result.trace.dumped()) + str(result.errors)
        except Exception as error:
            seen = f"{error!r} {error.__cause__!r} {error.__cause__}"
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for key in (KEY, *own):
        assert key not in seen
        assert key.encode() not in stored
