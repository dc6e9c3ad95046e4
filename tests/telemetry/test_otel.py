"""Searches as spans, read back by the SDK's own in-memory exporter: the tree, the times and the tokens of the trace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased
from opentelemetry.trace import StatusCode

from searchkit import (
    Budget,
    CallError,
    ConfigError,
    Model,
    Params,
    Problem,
    Prompt,
    Result,
    Sample,
    Strategy,
    Usage,
    solve,
    solve_many,
    solve_sync,
    start,
)
from searchkit.agents import async_client
from searchkit.environments import TextSteps
from searchkit.experiments import Sweep
from searchkit.generators import OpenAI, Retrying, Simulated
from searchkit.strategies import MCTS, BestOfN, BetaStopping, SelfConsistency, SpawnJoin, TagProtocol
from searchkit.telemetry import OpenTelemetry
from searchkit.testing import Scripted
from searchkit.testing.anytime import Turning
from searchkit.testing.strategies import LengthScore
from searchkit.trace import Span
from searchkit.verifiers import Exact
from tests.helpers.model_server import ModelServer

SUMMED = ("generations", "verifications", "model_calls", "prompt_tokens", "cached_tokens", "generated_tokens", "usd")
SECRET = "sk-secret-0123456789"


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(kept: InMemorySpanExporter) -> Iterator[TracerProvider]:
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(kept))
    yield made
    made.shutdown()


def model() -> Model:
    return Model(Simulated({"42": 0.5, "43": 0.3, "44": 0.2}, tokens=7), Params(max_tokens=20))


def spawning(request: Any) -> str:
    task, so_far = request.prompt.text, request.prompt.prefix
    if task.startswith("Add"):
        return "5" if "2" in task else "9"
    if "</join>" in so_far:
        return "So it is 45."
    return "Two sums. <spawn><task>Add 2 and 3.</task><task>Add 4 and 5.</task></spawn>"


def failing(request: Any) -> str:
    if request.seed % 3 == 0:
        raise CallError(f"no answer: Authorization: Bearer {SECRET}", kind="server")
    return "fine"


SEARCHES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "best of n": lambda: (BestOfN(8, Exact(reference="42")), model()),
    "vote that stops": lambda: (SelfConsistency(24, stop=BetaStopping(0.8), window=4), model()),
    "nested": lambda: (SelfConsistency(3, generator=BestOfN(2, LengthScore())), model()),
    "mcts": lambda: (MCTS(LengthScore(), environment=TextSteps("\n"), iterations=12, in_flight=3), model()),
    "spawn and join": lambda: (SpawnJoin(TagProtocol()), Model(Scripted(spawning), Params(max_tokens=50))),
    "some fail": lambda: (BestOfN(12, LengthScore()), Model(Scripted(failing))),
    "a function": lambda: (BestOfN(3, LengthScore()), lambda question, index: f"{question} {index}"),
    "a model alone": lambda: (model(), None),
}


def search(name: str, listen: Any, **options: Any) -> Result[Any]:
    strategy, generator = SEARCHES[name]()
    return solve_sync("6 * 7 = ?", strategy, generator=generator, listen=listen, **options)


def places(trace: Span) -> dict[str, Span]:
    """All spans of a trace by where they stand."""
    found, stack = {}, [("", trace)]
    while stack:
        at, span = stack.pop()
        found[at] = span
        stack += [(f"{at}.{i}" if at else str(i), child) for i, child in enumerate(span.children)]
    return found


def check_tree(spans: tuple[ReadableSpan, ...], trace: Span) -> None:
    """Every span of the trace is there once, below the same one, with its name, its times and what came of it."""
    by_id = {span.context.span_id: span for span in spans}
    want = places(trace)
    assert sorted(span.attributes["searchkit.at"] for span in spans) == sorted(want)
    zeros = set()
    for span in spans:
        at, said = span.attributes["searchkit.at"], span.attributes
        ours = want[at]
        if at:
            assert by_id[span.parent.span_id].attributes["searchkit.at"] == at.rpartition(".")[0]
            assert (said["searchkit.name"], said["searchkit.index"], said["searchkit.role"]) == (
                ours.name, ours.index, ours.role,
            )  # fmt: skip
            assert said["searchkit.status"] == ours.status or ours.status == "cancelled"  # dropped after its end
            assert (span.status.status_code is StatusCode.ERROR) == (said["searchkit.status"] == "error")
        assert said["searchkit.kind"] == ours.kind
        zeros |= {span.start_time - round(ours.began * 1e9), span.end_time - round(ours.ended * 1e9)} if at else set()
        assert span.start_time <= span.end_time
        assert at == "" or by_id[span.parent.span_id].start_time <= span.start_time
    assert max(zeros) - min(zeros) <= 1000  # nanoseconds: one clock for all


def check_tokens(spans: tuple[ReadableSpan, ...], usage: Usage) -> None:
    """What stands on the spans adds up to what the search was charged, by our names and by those of the conventions."""
    for name in SUMMED:
        found = sum(span.attributes.get(f"searchkit.usage.{name}", 0) for span in spans)
        assert found == pytest.approx(getattr(usage, name)), name
    for name, amount in (("input", usage.prompt_tokens), ("output", usage.generated_tokens)):
        assert sum(span.attributes.get(f"gen_ai.usage.{name}_tokens", 0) for span in spans) == amount


@pytest.mark.parametrize("name", SEARCHES)
def test_the_spans_are_the_trace(name: str, kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    before = time.time_ns()
    result = search(name, OpenTelemetry(provider))
    spans = kept.get_finished_spans()
    check_tree(spans, result.trace)
    check_tokens(spans, result.usage)
    assert len({span.context.trace_id for span in spans}) == 1
    [root] = [span for span in spans if span.parent is None]
    assert before <= root.start_time <= root.end_time <= time.time_ns()
    assert root.attributes["searchkit.stopped"] == result.stopped


def test_an_agents_own_calls(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """They stand below the call of the agent, each a chat with what it asked for, and its server's own count."""
    with ModelServer() as server:

        async def agent(question: str) -> str:
            async with openai.AsyncOpenAI(base_url=server.url, api_key=SECRET, http_client=async_client()) as client:
                said = [{"role": "user", "content": question}]
                for _ in range(3):
                    reply = await client.chat.completions.create(
                        model="gpt-test", messages=said, max_tokens=12, temperature=0.5
                    )
                    said.append({"role": "assistant", "content": reply.choices[0].message.content})
                    said.append({"role": "user", "content": "and then?"})
            return said[-2]["content"]

        listen = OpenTelemetry(provider, content=True)
        result = solve_sync("How much?", BestOfN(2, LengthScore()), generator=agent, listen=listen)
    spans = kept.get_finished_spans()
    check_tree(spans, result.trace)
    check_tokens(spans, result.usage)
    chats = [span for span in spans if span.name == "chat gpt-test"]
    agents = {span.context.span_id for span in spans if span.attributes.get("gen_ai.operation.name") == "invoke_agent"}
    assert len(chats) == 6
    assert len(agents) == 2
    assert {span.parent.span_id for span in chats} == agents
    assert sum(span.attributes["gen_ai.usage.output_tokens"] for span in chats) == server.generated_tokens
    for span in chats:
        assert span.attributes["gen_ai.provider.name"] == "openai"
        assert span.attributes["gen_ai.request.max_tokens"] == 12
        assert span.attributes["gen_ai.request.temperature"] == 0.5
        assert json.loads(span.attributes["gen_ai.input.messages"])[0]["parts"][0]["content"] == "How much?"
    assert SECRET not in str([dict(span.attributes) for span in spans])


def test_many_searches_stand_below_what_is_around_them(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    listen = OpenTelemetry(provider)
    problems = [Problem(f"p{i}", Prompt.of(f"{i} + 1 = ?")) for i in range(5)]
    with listen.around("all of them"):
        outcomes = asyncio.run(solve_many(problems, SelfConsistency(3), generator=model(), listen=listen))
    spans = kept.get_finished_spans()
    [around] = [span for span in spans if span.name == "all of them"]
    roots = [span for span in spans if span.name == "search"]
    assert {span.parent.span_id for span in roots} == {around.context.span_id}
    assert {span.attributes["searchkit.problem.id"] for span in roots} == {problem.id for problem in problems}
    total = sum((outcome.unwrap().usage for outcome in outcomes), Usage())
    check_tokens(spans, total)


def test_a_sweep(kept: InMemorySpanExporter, provider: TracerProvider, tmp_path: Any) -> None:
    """One span for the sweep, one search below it for each row, and the tokens of all rows together."""
    problems = [Problem(f"p{i}", Prompt.of(f"{i} + 40 = ?"), reference="42") for i in range(3)]
    sweep = Sweep(problems, {"vote": SelfConsistency(4)}, seeds=(0, 1), truth=Exact(), endpoints=[model()])
    listen = OpenTelemetry(provider)
    with listen.around("sweep"):
        results = sweep.run(tmp_path / "out", listen=listen)
    spans = kept.get_finished_spans()
    [around] = [span for span in spans if span.name == "sweep"]
    roots = [span for span in spans if span.name == "search"]
    assert len(roots) == len(results.rows) == 6
    assert {span.parent.span_id for span in roots} == {around.context.span_id}
    tokens = sum(span.attributes.get("gen_ai.usage.output_tokens", 0) for span in spans)
    assert tokens == sum(row.generated_tokens for row in results.rows)


@dataclass
class Flaky:
    """A backend whose first attempt at each request fails, and has cost something."""

    name: str = "flaky"
    seen: set[int] = field(default_factory=set)

    async def complete(self, requests: Any) -> list[Any]:
        return [self._one(request) for request in requests]

    def _one(self, request: Any) -> Any:
        if request.seed not in self.seen:
            self.seen.add(request.seed)
            return CallError("busy", kind="server", usage=Usage(model_calls=1, prompt_tokens=11))
        return Sample("42", usage=Usage(model_calls=1, prompt_tokens=11, generated_tokens=3))


def test_attempts_that_failed_are_counted(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """A call's span has the tokens of all its attempts, and says how many failed."""
    asked = Model(Retrying(Flaky(), base=0.0), Params(max_tokens=9))
    result = solve_sync("?", SelfConsistency(4), generator=asked, listen=OpenTelemetry(provider))
    assert result.usage.prompt_tokens == 4 * 22
    spans = kept.get_finished_spans()
    check_tokens(spans, result.usage)
    chats = [span for span in spans if span.name == "chat flaky"]
    assert [span.attributes["searchkit.retried.model_calls"] for span in chats] == [1] * 4


def test_the_calls_of_other_apis(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """Of Anthropic's client, and embeddings: told by their operation and their provider."""
    with ModelServer() as server:

        async def agent(question: str) -> str:
            said = [{"role": "user", "content": [{"type": "text", "text": question}]}]
            async with async_client() as http:
                client = anthropic.AsyncAnthropic(base_url=server.root, api_key=SECRET, http_client=http)
                reply = await client.messages.create(model="claude-test", max_tokens=12, messages=said)
                other = openai.AsyncOpenAI(base_url=server.url, api_key=SECRET, http_client=http)
                await other.embeddings.create(model="embed-test", input=[question])
            return reply.content[0].text

        listen = OpenTelemetry(provider, content=True)
        result = solve_sync("How much?", SelfConsistency(1), generator=agent, listen=listen)
    spans = kept.get_finished_spans()
    check_tree(spans, result.trace)
    check_tokens(spans, result.usage)
    by_name = {span.name: span.attributes for span in spans}
    assert by_name["chat claude-test"]["gen_ai.provider.name"] == "anthropic"
    assert by_name["chat claude-test"]["gen_ai.request.max_tokens"] == 12
    assert "How much?" in by_name["chat claude-test"]["gen_ai.input.messages"]
    assert by_name["embeddings embed-test"]["gen_ai.operation.name"] == "embeddings"


def test_what_is_done_once_is_a_tool(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """What it saw is content."""

    @dataclass(frozen=True)
    class Paying(Strategy):
        async def search(self, prompt: Prompt, run: Any) -> Sample[Any]:
            async def pay() -> str:
                return "receipt 7"

            return Sample(await run.once("pay", pay))

    for content in (False, True):
        solve_sync("Pay.", Paying(), listen=OpenTelemetry(provider, content=content))
    silent, told = (span.attributes for span in kept.get_finished_spans() if span.name == "execute_tool pay")
    assert silent["gen_ai.tool.name"] == "pay"
    assert "gen_ai.tool.call.result" not in silent
    assert told["gen_ai.tool.call.result"] == "receipt 7"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pay('4111 1111', 7)", "pay"),
        ("do move north", "do"),
        ("do add(a=1)", "do add"),
        ("do say it (now)", "do"),
        ("commit", "commit"),
    ],
)
def test_what_a_tool_is_given_is_no_part_of_its_name(
    name: str, told: str, kept: InMemorySpanExporter, provider: TracerProvider
) -> None:
    """That of a span is searched by, and leaves the house always."""

    @dataclass(frozen=True)
    class Doing(Strategy):
        async def search(self, prompt: Prompt, run: Any) -> Sample[Any]:
            async def done() -> str:
                return "seen"

            return Sample(await run.once(name, done))

    solve_sync("Do it.", Doing(), listen=OpenTelemetry(provider))
    [tool] = [span for span in kept.get_finished_spans() if span.name.startswith("execute_tool")]
    assert tool.name == f"execute_tool {told}"
    assert tool.attributes["gen_ai.tool.name"] == tool.attributes["searchkit.name"] == told


def test_names_are_those_of_the_conventions(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """Every name that begins with gen_ai. is one that the SDK's own list of the conventions knows."""
    gen_ai_attributes = pytest.importorskip("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    known = {getattr(gen_ai_attributes, name) for name in dir(gen_ai_attributes) if name.startswith("GEN_AI")}
    for name in SEARCHES:
        search(name, OpenTelemetry(provider, content=True))
    used = {name for span in kept.get_finished_spans() for name in span.attributes if name.startswith("gen_ai.")}
    assert used <= known
    assert {"gen_ai.operation.name", "gen_ai.request.model", "gen_ai.usage.input_tokens"} <= used


def test_what_a_server_is_asked_for(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """Through wrappers: the server's own name of the model, where it is, and all that was sent besides."""
    with ModelServer() as server:
        backend = Retrying(OpenAI(server.url, "gpt-test", api_key=SECRET))
        asked = Model(backend, Params(temperature=0.3, top_p=0.9, max_tokens=30))
        solve_sync("Tell me.", asked, listen=OpenTelemetry(provider))
        port = int(server.url.rpartition(":")[2].split("/")[0])
    [chat] = [span for span in kept.get_finished_spans() if span.name == "chat gpt-test"]
    said = chat.attributes
    assert said["gen_ai.provider.name"] == "openai"
    assert (said["server.address"], said["server.port"]) == ("127.0.0.1", port)
    assert (said["gen_ai.request.temperature"], said["gen_ai.request.top_p"]) == (0.3, 0.9)
    assert said["gen_ai.request.max_tokens"] == 30
    assert isinstance(said["gen_ai.request.seed"], int)
    assert said["gen_ai.response.finish_reasons"] == ("stop",)


def texts(spans: tuple[ReadableSpan, ...]) -> str:
    """All that leaves the house."""
    return "\n".join(span.to_json() for span in spans)


def test_content_stays_in_the_house_unless_asked_for(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    prompt = "a prompt of ours that nobody else may read"
    told = Model(Scripted(lambda request: "an answer of ours"))
    solve_sync(prompt, SelfConsistency(2), generator=told, listen=OpenTelemetry(provider))
    silent = texts(kept.get_finished_spans())
    assert "of ours" not in silent
    kept.clear()
    solve_sync(prompt, SelfConsistency(2), generator=told, listen=OpenTelemetry(provider, content=True))
    [one, _] = [span for span in kept.get_finished_spans() if span.name.startswith("chat")]
    assert json.loads(one.attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": prompt}]}
    ]
    [answer] = json.loads(one.attributes["gen_ai.output.messages"])
    assert answer["role"] == "assistant"
    assert answer["finish_reason"] == "stop"
    assert answer["parts"] == [{"type": "text", "content": "an answer of ours"}]


HOSTILE = ["\ud800 alone", "nul \0 and \x1b[31m", "x" * 100_000, "é" * 10, "\u202eturned", '{"a": "b"}', "\n\n"]


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_a_model_says_can_be_sent(said: str, kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """Valid UTF-8 of bounded length, in every attribute."""
    told = Model(Scripted(lambda request: said))
    solve_sync(f"say {said}", SelfConsistency(1, key=str), generator=told, listen=OpenTelemetry(provider, content=True))
    for span in kept.get_finished_spans():
        for value in span.attributes.values():
            if isinstance(value, str):
                assert len(value.encode()) < 300_000
                json.dumps(value)


def test_keys_are_taken_out_of_errors(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    search("some fail", OpenTelemetry(provider, content=True))
    spans = kept.get_finished_spans()
    failed = [span for span in spans if span.status.status_code is StatusCode.ERROR]
    assert failed
    assert all("no answer" in (span.status.description or "") for span in failed)
    assert {span.attributes["error.type"] for span in failed} == {"CallError"}
    assert SECRET not in texts(spans)


def test_a_search_that_raises_is_a_span_that_says_so(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    def wrong(question: str) -> str:
        raise ValueError("nothing works")

    with pytest.raises(CallError):
        solve_sync("?", SelfConsistency(2), generator=wrong, listen=OpenTelemetry(provider))
    spans = kept.get_finished_spans()
    [root] = [span for span in spans if span.parent is None]
    assert root.status.status_code is StatusCode.ERROR
    assert "nothing works" in root.status.description
    assert root.attributes["error.type"] == "CallError"
    assert len(spans) > 2


def test_the_sampler_decides_about_whole_searches(kept: InMemorySpanExporter) -> None:
    """Of a search that is left out there is nothing, of the others everything."""
    halving = TracerProvider(sampler=TraceIdRatioBased(0.5), shutdown_on_exit=False)
    halving.add_span_processor(SimpleSpanProcessor(kept))
    listen = OpenTelemetry(halving)
    results = [search("best of n", listen, seed=seed) for seed in range(40)]
    spans = kept.get_finished_spans()
    roots = [span for span in spans if span.parent is None]
    assert 5 < len(roots) < 35  # 40 throws of a coin: outside in one of a million runs
    assert len(spans) == len(roots) * len(places(results[0].trace))


def test_nothing_is_made_of_what_is_never_sampled(kept: InMemorySpanExporter) -> None:
    never = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    never.add_span_processor(SimpleSpanProcessor(kept))
    assert search("mcts", OpenTelemetry(never)).answer is not None
    assert kept.get_finished_spans() == ()


def test_a_search_is_a_child_of_the_span_around_it(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """That of a request which a server answers, say; also from another thread, as in `solve_sync`."""
    with provider.get_tracer("service").start_as_current_span("request") as request:
        search("best of n", OpenTelemetry(provider))
    roots = [span for span in kept.get_finished_spans() if span.name == "search"]
    assert [span.parent.span_id for span in roots] == [request.get_span_context().span_id]


def test_two_searches_at_once_need_two_listeners(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """Both end, the listener says what is wrong, and one after another is fine."""
    listen = OpenTelemetry(provider)

    async def both() -> None:
        slow = lambda question: asyncio.sleep(0.01, "42")  # noqa: E731
        await asyncio.gather(*(solve("?", SelfConsistency(1), generator=slow, listen=listen) for _ in range(2)))

    with pytest.warns(Warning, match="give each an OpenTelemetry of its own"):
        asyncio.run(both())
    search("best of n", listen)
    search("best of n", listen)


@pytest.mark.slow
def test_a_large_trace_comes_whole_through_a_batch_processor(kept: InMemorySpanExporter) -> None:
    """Spans are handed on as they end, so that a queue of the SDK's usual length does not run over."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(kept))
    result = solve_sync("?", SelfConsistency(1100), generator=model(), listen=OpenTelemetry(provider))
    provider.shutdown()
    assert len(kept.get_finished_spans()) == len(places(result.trace)) > 2048


def test_a_replayed_search_says_so(kept: InMemorySpanExporter, provider: TracerProvider, tmp_path: Any) -> None:
    """The same tree and tokens, with every call marked."""
    first = search("best of n", None, journal=tmp_path / "run.db")
    again = search("best of n", OpenTelemetry(provider), journal=tmp_path / "run.db")
    spans = kept.get_finished_spans()
    check_tree(spans, again.trace)
    check_tokens(spans, first.usage)
    chats = [span for span in spans if span.name.startswith("chat")]
    assert len(chats) == 8
    assert all(span.attributes["searchkit.replayed"] for span in chats)


def test_a_stopped_search_leaves_no_span_open(kept: InMemorySpanExporter, provider: TracerProvider) -> None:
    """Cancelled calls are no errors; all that has begun has ended."""
    budget = Budget(seconds=0.05)

    async def slow(question: str) -> str:
        await asyncio.sleep(30)
        return "never"

    with contextlib.suppress(Exception):
        solve_sync("?", SelfConsistency(4), generator=slow, budget=budget, listen=OpenTelemetry(provider))
    spans = kept.get_finished_spans()
    ids = {span.context.span_id for span in spans}
    assert all(span.parent is None or span.parent.span_id in ids for span in spans)
    assert len(spans) >= 10


@pytest.mark.parametrize("name", ["best of n", "nested", "mcts", "spawn and join"])
def test_stopped_in_the_middle_the_spans_are_those_of_the_trace(name: str) -> None:
    """After any number of turns of the loop: the same tree, and the tokens that were charged."""

    async def stopped(turns: int) -> bool:
        kept, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(kept))
        strategy, generator = SEARCHES[name]()
        slow = replace(generator, backend=Turning(generator.backend, turns))
        going = start("6 * 7 = ?", strategy, generator=slow, listen=OpenTelemetry(provider))
        for _ in range(turns):
            await asyncio.sleep(0)
        going.stop()
        await asyncio.wait([asyncio.ensure_future(going)])
        spans = kept.get_finished_spans()
        provider.shutdown()
        check_tokens(spans, going.usage)
        if going.best() is None:
            return False
        result = await going
        check_tree(spans, result.trace)
        return result.stopped == "cancelled"

    assert sum(asyncio.run(stopped(turns)) for turns in (6, 12, 15, 20)) > 0


@pytest.mark.slow
def test_the_package_is_imported_by_those_who_want_it() -> None:
    """`import searchkit` costs nothing more, and without the package the error names the fix."""
    code = (
        "import sys, searchkit, searchkit.telemetry\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)\n"
        "sys.modules['opentelemetry'] = None\n"
        "try:\n    searchkit.telemetry.OpenTelemetry()\n"
        "except searchkit.ConfigError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'searchkit[otel]'" in done.stdout


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="TracerProvider"):
        OpenTelemetry("http://collector:4318")  # type: ignore[arg-type]
