"""Ambient clients where they are misused, and what they do with options, proxies and errors."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from searchkit import CallError, ConfigError, Sample, SearchWarning, solve
from searchkit import search as wrapped
from searchkit.agents import Endpoint, async_client, client
from searchkit.agents.upstream import http_module
from searchkit.function import Function
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate
from tests.helpers.attempts import CHAT, KEY, calls, upstream
from tests.helpers.model_server import ModelServer
from tests.helpers.servers import until


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def search(agent: Callable[..., Any], n: int = 1, strategy: Any = None, **options: Any) -> Any:
    return asyncio.run(
        solve("How much?", strategy or SelfConsistency(n, key=str), generator=Function(agent), **options)
    )


def posted(http: Any, server: ModelServer, content: str = "How much?") -> Any:
    body = {**CHAT, "messages": [{"role": "user", "content": content}]}
    return http.post(f"{server.url}/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})


@pytest.mark.parametrize("name", ["httpx", "httpx2", ""])
def test_clients_of_both_libraries(server: ModelServer, name: str) -> None:
    module = pytest.importorskip(name, reason=f"{name} is not installed") if name else None

    async def agent(question: str) -> str:
        async with async_client(module=module) as http:
            assert isinstance(http, (module or http_module()).AsyncClient)
            return str((await posted(http, server)).json()["usage"]["total_tokens"])

    def blocking(question: str) -> str:
        with client(module=module) as http:
            assert isinstance(http, (module or http_module()).Client)
            return str(posted(http, server).json()["usage"]["total_tokens"])

    for each in (agent, blocking):
        result = search(each, 2)
        assert int(result.answer) > 0
        assert result.usage.model_calls == 2
    assert server.calls == 4


def test_a_synchronous_client_in_a_coroutine_is_told_so(server: ModelServer) -> None:
    """At once, in words that reach the result; nothing is sent, nothing tried again."""

    async def agent(question: str) -> str:
        with openai.OpenAI(base_url=server.url, api_key=KEY, http_client=client()) as api:
            return str(api.chat.completions.create(**CHAT))  # type: ignore[call-overload]

    with pytest.raises(CallError, match=r"use searchkit\.agents\.async_client\(\), or make the agent a plain def"):
        search(agent)
    assert server.calls == 0


def test_a_call_without_an_attempt_goes_straight_and_is_warned_about_once(server: ModelServer) -> None:
    with client() as http, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            assert posted(http, server).status_code == 200
        assert http.get(f"{server.url}/models").status_code == 200

    async def straight() -> int:
        async with async_client() as http:
            reply = await http.post(f"{server.url}/chat/completions", json={**CHAT, "stream": True})
            return str(reply.text).count("data:")

    with pytest.warns(SearchWarning, match=r"uncounted.*copy_context"):
        assert asyncio.run(straight()) > 3
    assert [str(w.message)[:48] for w in caught if issubclass(w.category, SearchWarning)] == [
        "a model call was made through searchkit's HTTP c"
    ]
    assert server.calls == 4


def in_a_fork(asked: Callable[[], str]) -> str:
    """What `asked` says in a forked process, which has our memory but none of our threads."""
    fork = multiprocessing.get_context("fork")
    said = fork.SimpleQueue()

    def child() -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            said.put(asked())
            said.put([str(one.message) for one in caught if issubclass(one.category, SearchWarning)])

    process = fork.Process(target=child, daemon=True)
    process.start()
    process.join(30)
    if process.is_alive():
        process.kill()
        return "hangs"
    answer, (warning,) = said.get(), said.get()
    return f"{answer} and {warning}"


@pytest.mark.parametrize("kind", ["client", "async_client", "nested"])
@pytest.mark.parametrize("agent_is", ["plain", "coroutine"])
def test_a_forked_process_has_no_attempt(server: ModelServer, kind: str, agent_is: str) -> None:
    """It inherits the context variable, but the loop behind it runs elsewhere."""
    doors = [client(), client()]
    with pytest.warns(SearchWarning):
        assert posted(doors[0], server).status_code == 200  # whose connection the fork must not use

    def by_client() -> str:
        return "+".join(str(posted(http, server).status_code) for http in doors * 2)

    async def by_async_client() -> str:
        async with async_client() as http:
            return str((await posted(http, server)).status_code)

    inner = wrapped(SelfConsistency(1))(lambda question: str(posted(doors[0], server).status_code))
    asked = {
        "client": by_client,
        "async_client": lambda: asyncio.run(by_async_client()),
        "nested": lambda: f"{inner('q')} of a search" if posted(doors[1], server) else "",
    }[kind]

    def plain(question: str) -> str:
        return in_a_fork(asked)

    async def coroutine(question: str) -> str:
        return in_a_fork(asked)

    result = search(plain if agent_is == "plain" else coroutine)
    answer = {"client": "200+200+200+200", "async_client": "200", "nested": "200 of a search"}[kind]
    assert result.answer.startswith(f"{answer} and a model call was made")
    assert not calls(result.trace)
    for http in doors:
        http.close()


@pytest.mark.parametrize("options", [{"timeout": 5.0}, {"headers": {"x-a": "b"}}, {"follow_redirects": True}])
@pytest.mark.parametrize(
    "extra", [{}, {"verify": False, "trust_env": False, "limits": http_module().Limits(max_connections=1)}]
)
def test_options_are_those_of_a_client(server: ModelServer, options: dict[str, Any], extra: dict[str, Any]) -> None:
    def agent(question: str) -> str:
        hook = list[Any]()
        with client(**options, **extra, event_hooks={"request": [hook.append]}) as http:
            posted(http, server)
        return str(len(hook))

    result = search(agent)
    assert result.answer == "1"
    assert result.usage.model_calls == server.calls == 1


@pytest.mark.parametrize("door", [client, async_client])
@pytest.mark.parametrize("option", ["transport", "mounts"])
def test_what_would_lead_past_the_search_is_refused(door: Callable[..., Any], option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option}= would lead calls past"):
        door(**{option: None})


def test_a_proxy_leads_no_call_past_the_search(server: ModelServer) -> None:
    """The proxy, which here is the server itself, gets the request; the search has counted it."""

    def agent(question: str) -> str:
        with client(proxy=server.root) as http:
            return str(http.post("http://models.invalid/v1/chat/completions", json=CHAT).status_code)

    result = search(agent)
    assert result.answer == "200"
    assert result.usage.model_calls == server.calls == len(calls(result.trace)) == 1


def test_a_proxy_of_the_environment_is_used_and_counted(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.root)

    def agent(question: str) -> str:
        with client() as http:
            return str(http.post("http://models.invalid/v1/chat/completions", json=CHAT).status_code)

    result = search(agent)
    assert result.answer == "200"
    assert result.usage.model_calls == server.calls == 1


def test_the_attempts_of_a_search_share_connections(server: ModelServer) -> None:
    """Though each makes a client of its own."""
    seen = set[int]()

    async def agent(question: str, run: Any) -> str:
        async with async_client() as http:
            await posted(http, server)
        seen.update(key for key in run._search.resources)
        return "done"

    search(agent, 8)
    assert len(seen) == 2  # the run's threads, and one HTTP client


def test_a_task_that_outlives_its_attempt() -> None:
    """Its call in flight is cancelled, not the task itself; that and later calls are answered 410."""
    with ModelServer(60.0, slow="slowly") as server:
        found = list[Any]()

        async def lingering(go_on: asyncio.Event) -> None:
            async with async_client() as http:
                found.append((await posted(http, server, "slowly")).status_code)
                found.append((await posted(http, server)).status_code)
                go_on.set()

        tasks, events = list[Any](), list[asyncio.Event]()

        async def agent(question: str, index: int) -> str:
            if index == 0:
                events.append(asyncio.Event())
                tasks.append(asyncio.create_task(lingering(events[0])))
                while not server.in_flight:  # noqa: ASYNC110 - another thread counts it
                    await asyncio.sleep(0.001)
            else:
                await events[0].wait()
            return "done"

        result = search(agent, strategy=BestOfN(2, Predicate(lambda _: 0.0), window=1))
        assert found == [410, 410]
        until(lambda: server.in_flight == 0)
        assert server.calls == server.aborted == 1
        assert len(calls(result.trace)) == 1


@pytest.mark.filterwarnings("ignore:.*2 of 3 attempts failed")
@pytest.mark.parametrize("by_run", [False, True])
def test_a_worker_that_attempts_share_goes_on_and_says_what_is_wrong(by_run: bool) -> None:
    """It is of the attempt that started it. Once that has ended the others are told so, and nobody waits for ever."""
    with ModelServer(0.1) as server:
        workers, queues = list[asyncio.Task[None]](), list[asyncio.Queue[Any]]()

        async def work(http: Any, queue: asyncio.Queue[Any], run: Any) -> None:
            while True:
                text, done = await queue.get()
                try:
                    done.set_result(await asked(http, run, text))
                except Exception as error:
                    done.set_exception(error)

        async def asked(http: Any, run: Any, text: str) -> str:
            if by_run:

                async def perform(seed: int, most: int | None) -> Sample[str]:
                    return Sample(str((await straight.post(f"{server.url}/chat/completions", json=CHAT)).status_code))

                return str((await run.relay("m", text, perform, limit=9)).value)
            reply = await posted(http, server, text)
            return str(reply.status_code if reply.is_success else reply.json()["error"]["message"])

        async def agent(question: str, index: int, run: Any) -> str:
            if not workers:
                queues.append(asyncio.Queue())
                workers.append(asyncio.create_task(work(http, queues[0], run)))
            said = list[str]()
            for turn in range(1 + index):
                done = asyncio.get_running_loop().create_future()
                queues[0].put_nowait((f"{index} {turn}", done))
                async with asyncio.timeout(30):
                    said.append(await done)
            return " ".join(said)

        async def main() -> Any:
            nonlocal http, straight
            async with async_client() as http, http_module().AsyncClient() as straight:
                result = await solve("q", BestOfN(3, Predicate(lambda _: 0.0)), generator=Function(agent))
                assert not workers[0].done()
                workers[0].cancel()
                return result

        http, straight = None, None
        result = asyncio.run(main())
        said = [c.sample.text for c in result.candidates] + [str(error) for error in result.errors]
        assert said[0] == "200"
        assert len(said) == 3
        assert all("start one in each attempt" in one for one in said[1:])


def test_a_thread_that_outlives_its_search() -> None:
    """The search's own loop is closed by then."""
    with ModelServer(60.0, slow="slowly") as server:
        found, over, ended = list[Any](), threading.Event(), threading.Event()

        def lingering() -> None:
            with client() as http:
                found.append(posted(http, server, "slowly"))
                over.wait(30)
                found.append(posted(http, server))

            async def elsewhere() -> None:
                async with async_client() as http:
                    found.append(await posted(http, server))

            asyncio.run(elsewhere())
            ended.set()

        def agent(question: str) -> str:
            import contextvars

            threading.Thread(target=contextvars.copy_context().run, args=[lingering], daemon=True).start()
            until(lambda: server.in_flight == 1)
            return "done"

        search(agent)
        over.set()
        assert ended.wait(30)
        assert [reply.status_code for reply in found] == [410, 410, 410]
        assert all("has ended" in reply.json()["error"]["message"] for reply in found)
        until(lambda: server.in_flight == 0)
        assert server.calls == server.aborted == 1


def test_an_agent_with_a_loop_of_its_own(server: ModelServer) -> None:
    """A plain function that runs asyncio in its thread; a call that it gives up is cut off at the server."""
    server.latency, server.slow = 60.0, "slowly"

    async def inside() -> str:
        async with async_client() as http:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await posted(http, server, "slowly")
            return str((await posted(http, server)).status_code)

    result = search(lambda question: asyncio.run(inside()))
    assert result.answer == "200"
    until(lambda: server.in_flight == 0)
    assert (server.calls, server.aborted) == (2, 1)
    assert [span.status for span in calls(result.trace)] == ["cancelled", "ok"]


def test_both_doors_at_once_count_once(server: ModelServer) -> None:
    def agent(question: str, endpoint: Endpoint) -> str:
        with openai.OpenAI(base_url=endpoint.base_url, api_key=endpoint.api_key, http_client=client()) as api:
            return str(api.chat.completions.create(**CHAT).choices[0].message.content)  # type: ignore[call-overload]

    result = asyncio.run(solve("q", SelfConsistency(2, key=str), generator=Function(agent, upstream=upstream(server))))
    assert server.calls == result.usage.model_calls == len(calls(result.trace)) == 2


@pytest.mark.parametrize("options", [{}, {"trust_env": False}])
@pytest.mark.parametrize("before", ["", "me:secret@"])
def test_where_nothing_answers_is_named_with_its_port(options: dict[str, Any], before: str) -> None:
    with ModelServer() as gone:
        pass
    host = gone.root.removeprefix("http://")

    async def agent(question: str) -> str:
        async with async_client(**options) as http:
            await http.post(f"http://{before}{host}/v1/chat/completions", json=CHAT)
        return "never"

    with pytest.raises(CallError, match=f"nothing answers at {host}: "):
        search(agent)


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_servers_refusal_reaches_the_agent_and_names_no_key(status: int) -> None:
    with ModelServer(refusal=(status, "no: {key}")) as server:

        def agent(question: str) -> str:
            with openai.OpenAI(base_url=server.url, api_key=KEY, http_client=client(), max_retries=0) as api:
                return str(api.chat.completions.create(**CHAT))  # type: ignore[call-overload]

        with pytest.raises(CallError, match=f"Error code: {status}.*no: Bearer .api key.") as caught:
            search(agent)
    assert KEY not in str(caught.value)
    assert server.calls == 1


@pytest.mark.parametrize("key", [KEY + "\n", f"{KEY}\x00", KEY + "ключ"])
def test_a_key_that_no_header_can_hold_is_not_quoted(server: ModelServer, key: str) -> None:
    def agent(question: str, endpoint: Endpoint) -> str:
        with client() as http:
            return str(http.post(f"{endpoint.base_url}/chat/completions", json=CHAT).text)

    function = Function(agent, upstream=type(upstream(server))(server.url, key))
    result = asyncio.run(solve("q", SelfConsistency(1), generator=function))
    assert "cannot be sent" in result.answer
    assert KEY not in repr(result) + result.trace.render()
    assert server.calls == 0
