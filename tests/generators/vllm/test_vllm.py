"""The real vLLM on the CPU, in this process and behind `vllm serve`, against the embedded engine and transformers.

It needs an environment of its own: see tools/vllm_cpu_env.sh. A few minutes on two cores, most of it vLLM starting.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from searchkit import Model, solve
from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators import VLLM, Embedded, OpenAI, Transformers
from searchkit.generators.embedded.checkpoint import SHIPPED
from searchkit.lab.checker import CHECKER, problem
from searchkit.lab.countdown import Countdown, Puzzle, check, replay, solutions
from searchkit.lab.environment import CountdownSteps
from searchkit.protocols import Backend
from searchkit.strategies import BeamSearch, BestOfN
from searchkit.testing import BackendTests
from searchkit.types import Image, Message, Params, Prompt, Sample
from searchkit.verifiers import Predicate
from tests.generators.vllm.agreement import agreement
from tests.generators.vllm.server import Metric, here, over_http, served

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("ignore"),  # of vLLM and what it imports
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="needs vLLM: tools/vllm_cpu_env.sh DIR"),
]

# The CPU's blocks are 128 tokens by default, as many as the model's whole context: nothing would ever be cached.
OPTIONS = {"dtype": "float32", "block_size": 32, "max_num_seqs": 2, "kv_cache_memory_bytes": 2**28}
PUZZLE = Puzzle((10, 10, 19, 19), 100)  # its prompt and a greedy step are 33 tokens: one full block and the last token
MORE = Params(max_tokens=60)  # enough for any solution
PROMPTS = [puzzle.prompt for puzzle in Countdown().puzzles(100, "test", seed=5)]
ROUTES = ["in process", "chat", "completions"]


def vllm() -> VLLM:
    return VLLM(str(SHIPPED), **OPTIONS, enforce_eager=True)


@dataclass(frozen=True)
class Route:
    """A way to the engine: a backend, and the metrics at its end."""

    backend: Backend
    metric: Metric


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    flags = [part for key, value in OPTIONS.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    with served(str(SHIPPED), log, *flags, "--enforce-eager", "--enable-prompt-tokens-details") as base_url:
        yield base_url


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    yield
    asyncio.run(vllm().close())


@pytest.fixture(params=ROUTES)
def route(request: pytest.FixtureRequest) -> Route:
    if request.param == "in process":
        return Route(vllm(), here)
    base_url = request.getfixturevalue("url")
    return Route(OpenAI(base_url, "countdown", route=request.param), over_http(base_url))


def complete(backend: Backend, *requests: Request) -> list[Sample[str]]:
    entries = asyncio.run(backend.complete(requests))
    errors = [entry for entry in entries if isinstance(entry, CallError)]
    assert not errors, errors[0]
    return [entry for entry in entries if isinstance(entry, Sample)]


class TestLaws(BackendTests):
    """The laws of every backend."""

    prompt = "3 7 13 20>24\n"

    def backend(self) -> VLLM:
        return vllm()


class TestLawsOverHTTP(BackendTests):
    """The laws of every backend, behind a real server."""

    prompt = "3 7 13 20>24\n"
    url = ""

    @pytest.fixture(autouse=True)
    def _served(self, url: str) -> None:
        type(self).url = url

    def backend(self) -> OpenAI:
        return OpenAI(self.url, "countdown")


def copied(parent: Path) -> Path:
    """A folder with the shipped checkpoint that a test may change."""
    folder = parent / "countdown"
    folder.mkdir()
    for file in SHIPPED.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


# --- the same texts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["embedded", "transformers", "chat", "completions"])
def test_greedy_texts_and_logprobs_agree(name: str, request: pytest.FixtureRequest) -> None:
    """100 greedy texts equal those of the other engines, or first differ where two logits are within 1e-4; the
    log-probabilities of equal tokens agree to 1e-3."""
    if name == "embedded":
        other: Backend = Embedded()
    elif name == "transformers":
        import torch

        torch.set_num_threads(1)  # a model this small only waits for further threads
        other = Transformers(str(SHIPPED))
    else:
        other = OpenAI(request.getfixturevalue("url"), "countdown", route=name)  # type: ignore[arg-type]
    found = agreement(vllm(), other, PROMPTS)
    assert found.texts == 100
    assert found.equal + len(found.gaps) == 100
    assert all(gap < 1e-4 for gap in found.gaps)
    assert found.worst < 1e-3
    assert found.tokens > 3000


@pytest.mark.parametrize(
    "params",
    [
        Params(0.0),
        Params(0.0, max_tokens=7, logprobs=2),
        Params(0.0, stop=("\n",), logprobs=0),
        Params(0.0, stop=("7", "17", "4:")),
        Params(1.0, top_k=1),
        Params(1.0, top_p=1e-6),
        Params(1.0, min_p=0.999),
    ],
    ids=["to the end", "length", "stop", "stops that overlap", "top_k", "top_p", "min_p"],
)
def test_samples_equal_those_of_the_embedded_engine(params: Params) -> None:
    """Text, message, finish, stop, token ids and usage of greedy samples, with and without a prefix."""
    requests = [Request(Prompt.of(text).continued("1" * (i % 2)), params, i) for i, text in enumerate(PROMPTS[:12])]
    greedy = replace(params, temperature=0.0)
    theirs = complete(Embedded(), *(replace(request, params=greedy) for request in requests))
    for a, b in zip(complete(vllm(), *requests), theirs, strict=True):
        assert blind(a) == blind(b)
        assert [t.text for t in a.logprobs or ()] == [t.text for t in b.logprobs or ()]
        assert [[t for t, _ in x.top] for x in a.logprobs or ()] == [[t for t, _ in x.top] for x in b.logprobs or ()]
        assert (a.logprobs is None) == (b.logprobs is None)


def blind(sample: Sample[str]) -> Sample[str]:
    """Without what depends on the engine's rounding or on earlier requests."""
    return replace(sample, logprobs=None, usage=replace(sample.usage, cached_tokens=0))


def test_sampling_follows_the_probabilities(route: Route) -> None:
    """First tokens at temperature 2 are distributed as the exact probabilities say (chi-square, 99.99 %)."""
    prompt, n = Prompt.of(TestLaws.prompt), 1000
    [exact] = complete(Embedded(), Request(prompt, Params(0.0, max_tokens=1, logprobs=5), 0))
    assert exact.logprobs is not None
    weights = {text: math.exp(p / 2) for text, p in exact.logprobs[0].top}
    drawn = complete(route.backend, *(Request(prompt, Params(2.0, max_tokens=1, top_k=5), i) for i in range(n)))
    seen = Counter(sample.text for sample in drawn)
    expected = {text: n * w / sum(weights.values()) for text, w in weights.items()}
    assert seen.keys() <= expected.keys()
    assert sum((seen[t] - e) ** 2 / e for t, e in expected.items()) < 23.5  # 4 degrees of freedom


def test_the_same_seed_gives_the_same_text(route: Route) -> None:
    """At temperature 1, alone: equal seeds give equal texts, other seeds other texts."""
    texts = [complete(route.backend, Request(Prompt.of(PUZZLE.prompt), MORE, s))[0].text for s in (4, 4, 5, 6, 7)]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 4


# --- steps -----------------------------------------------------------------------------------------------------------


def test_a_step_is_continued_from_the_cache(route: Route) -> None:
    """The second step of a path reads the first one's block from the cache, and goes on with the text."""
    start, params = Prompt.of(PUZZLE.prompt), Params(0.0, stop=("\n",))
    [first] = complete(route.backend, Request(start, params, 0))
    assert (first.finish, first.stop_reason) == ("stop", "\n")
    [second] = complete(route.backend, Request(start.continued(first.text + "\n"), params, 1))
    [whole] = complete(Embedded(), Request(start, Params(0.0), 0))
    assert whole.text.startswith(f"{first.text}\n{second.text}\n")
    assert second.usage.cached_tokens == 32


def test_prefix_ids_are_sent_as_they_are() -> None:
    """A prefix in token ids gives what the same prefix in text does, from the same blocks of the cache."""
    start = Prompt.of(PUZZLE.prompt)
    [first] = complete(vllm(), Request(start, Params(0.0, stop=("\n",)), 0))
    by_ids, by_text = replace(start, prefix_ids=first.token_ids), start.continued(first.text + "\n")
    a, b = complete(vllm(), *(Request(prompt, Params(seed), 3) for prompt, seed in ((by_ids, 0.0), (by_text, 0.0))))
    assert a == b
    assert a.usage.cached_tokens == 32


def test_best_of_n_and_its_calls(route: Route) -> None:
    """Sixteen samples are sixteen requests at the engine; the answer is right."""
    before = route.metric("vllm:request_success_total")
    strategy = BestOfN(16, CHECKER)
    result = asyncio.run(solve(problem(PUZZLE), strategy, generator=Model(route.backend, MORE)))
    assert result.usage.model_calls == result.usage.generations == len(result.candidates) == 16
    assert until(lambda: route.metric("vllm:request_success_total") - before, 16) == 16
    assert check(PUZZLE, result.answer) == ""


def test_beam_search_and_its_calls(route: Route) -> None:
    """A beam over Countdown's steps finds the target; later steps begin in the cache; each is one request."""
    complete(
        route.backend, Request(Prompt.of(PUZZLE.prompt).continued("1"), MORE, 0)
    )  # asks a server for prefixes once
    before = route.metric("vllm:request_success_total")
    beam = BeamSearch(16, 4, Predicate(open_still), CountdownSteps())
    result = asyncio.run(solve(problem(PUZZLE), beam, generator=Model(route.backend, MORE)))
    assert result.usage.model_calls == result.usage.generations > 16
    assert until(lambda: route.metric("vllm:request_success_total") - before, result.usage.model_calls) == (
        result.usage.model_calls
    )
    assert result.usage.cached_tokens > 0
    assert check(PUZZLE, result.answer) == ""


def open_still(prompt: Prompt, text: str) -> bool:
    """Whether the target can still be reached."""
    here = Puzzle.parse(prompt.text)
    return bool(solutions(Puzzle(replay(here, text).remaining, here.target)))


def test_cancelling_a_best_of_64_frees_the_engine(route: Route) -> None:
    """Cancelled while two requests run and others wait, the engine has none of either within ten seconds.

    A server may not answer for seconds, in which it writes all texts: then there was nothing to cancel, and the next
    search is tried.
    """
    model = Model(route.backend, Params(2.0, max_tokens=100))  # so hot that the model hardly finds an end

    async def cancelled() -> bool:
        search = asyncio.create_task(solve(problem(PUZZLE), BestOfN(64, CHECKER), generator=model))
        while not await asyncio.to_thread(route.metric, "vllm:num_requests_waiting"):
            if search.done():
                return False
            await asyncio.sleep(0.002)
        search.cancel()
        await asyncio.wait([search])
        return search.cancelled()

    for _ in range(20):
        before = finished(route)
        stopped = asyncio.run(cancelled())
        assert until(lambda: busy(route), 0, 10.0) == 0
        if stopped and finished(route) - before < 64:
            break
    else:
        pytest.fail("no search of twenty could be cancelled before the engine had written all of its texts")
    assert complete(route.backend, Request(Prompt.of(PUZZLE.prompt), Params(max_tokens=1), 0))


def busy(route: Route) -> float:
    return route.metric("vllm:num_requests_running") + route.metric("vllm:num_requests_waiting")


def finished(route: Route) -> float:
    """Requests that wrote their text to its end."""
    return sum(route.metric("vllm:request_success_total", reason) for reason in ("stop", "length"))


def until(read: Any, wanted: float, seconds: float = 2.0) -> float:
    """What `read` gives as soon as it is `wanted`, else what it gives at the end: metrics come a moment late."""
    deadline = time.monotonic() + seconds
    while (found := read()) != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    return float(found)


def test_the_probe_sees_what_the_server_does(url: str) -> None:
    """What vLLM documents is what the probe finds, on both routes; of stops it can tell nothing, because this model
    hardly ever writes one of the characters that the probe stops at."""
    for route in ("chat", "completions"):
        found = asyncio.run(OpenAI(url, "countdown", route=route).probe())
        assert all((found.n, found.seed, found.logprobs, found.prefix, found.cached_tokens))


# --- failures and configuration --------------------------------------------------------------------------------------


def test_bad_requests_are_entries() -> None:
    """What the engine cannot do is refused one by one, each with a sentence, and the engine lives on."""
    start, image = Prompt.of(PUZZLE.prompt), Image("https://example.org/a.png")
    bad = {
        "without tools and images": Request(Prompt((Message("user", (image,)),)), Params(), 0),
        "vllm serve": Request(replace(start, tools=("{}",)), Params(), 0),
        "shorten the prompt": Request(Prompt.of("1 " * 70), Params(), 0),
        "token ids in 0..21": Request(replace(start, prefix_ids=(22,)), Params(), 0),
        "max allowed": Request(start, Params(logprobs=21), 0),
    }  # fmt: skip
    entries = asyncio.run(vllm().complete([*bad.values(), Request(start, Params(max_tokens=1), 0)]))
    assert isinstance(entries.pop(), Sample)
    for (clue, sent), entry in zip(bad.items(), entries, strict=True):
        assert isinstance(entry, CallError)
        assert clue in str(entry)
        assert (entry.kind, entry.request) == ("bad_request", sent)


def test_impossible_configurations_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model, a mode that would change the meaning of log-probabilities, no package: each error names the fix."""
    with pytest.raises(ConfigError, match="hub name or a folder"):
        VLLM("")
    with pytest.raises(ConfigError, match="leave logprobs_mode out"):
        VLLM(str(SHIPPED), logprobs_mode="processed_logprobs")
    with pytest.raises(ConfigError, match=r"cannot open .* 'no_such_option'"):
        asyncio.run(VLLM(str(SHIPPED), no_such_option=1).complete([Request(Prompt.of("1"), Params(), 0)]))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'searchkit\[vllm\]'"):
        VLLM("any")


def test_the_name_tells_weights_and_options_apart(tmp_path: Path) -> None:
    """Other files and options that change texts give other names; speed options do not."""
    folder = copied(tmp_path)
    copy = VLLM(str(folder), dtype="float32")
    name = copy.name
    assert name == VLLM(str(SHIPPED), dtype="float32", block_size=64, max_num_seqs=3).name
    assert VLLM(str(SHIPPED), dtype="bfloat16").name != name
    (folder / "README.md").write_text("another")
    assert copy.name == name
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert copy.name != name


def test_a_hub_name_stands_for_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch is looked up, in the local cache where the hub cannot be reached; a commit is taken as it is."""
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--someone--countdown"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    (cached / "snapshots").mkdir()
    (cached / "snapshots" / commit).symlink_to(SHIPPED)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert VLLM("someone/countdown").name == f"vllm/someone/countdown@{commit[:12]}"
    assert VLLM("other/model", revision="f" * 40).name == "vllm/other/model@ffffffffffff"
    with pytest.raises(ConfigError, match="name a folder, or pass revision= with a commit"):
        _ = VLLM("someone/unknown").name


def test_configuration_pickles_and_prints() -> None:
    """The backend is configuration only; no engine is needed for any of this."""
    backend = VLLM("some/model", revision="main", hf_overrides={"rope_theta": 1.0})
    assert pickle.loads(pickle.dumps(backend)) == backend == eval(repr(backend))
    assert len({backend, VLLM("some/model")}) == 2


# --- the end of an engine: last, because the next test would have to start another -----------------------------------


def test_an_engine_that_dies_is_replaced_and_a_closed_one_too() -> None:
    """Its process is killed: calls in flight fail as "server", the next call starts another engine. Closing it fails
    calls in flight too."""
    import psutil

    backend = vllm()
    requests = [Request(Prompt.of(PUZZLE.prompt), Params(), i) for i in range(64)]

    async def ended(by: Any) -> list[Sample[str] | CallError]:
        await backend.complete(requests[:1])
        calls = asyncio.create_task(backend.complete(requests))
        while not here("vllm:num_requests_waiting"):
            assert not calls.done()
            await asyncio.sleep(0.002)
        await by()
        return await calls

    async def kill() -> None:
        [core] = [
            p for p in psutil.Process().children() if "EngineCore" in p.name() or "EngineCore" in str(p.cmdline())
        ]
        core.send_signal(signal.SIGKILL)

    for by in (kill, backend.close):
        errors = [entry for entry in asyncio.run(ended(by)) if isinstance(entry, CallError)]
        assert errors
        assert {error.kind for error in errors} == {"server"}


def test_a_program_ends_without_closing(tmp_path: Path) -> None:
    """A script that leaves its engine open ends by itself, and takes the engine's processes with it.

    Its tokenizer has no chat template: the texts are joined, and the tokenizer puts its begin token in front.
    """
    folder, script = copied(tmp_path), tmp_path / "script.py"
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    script.write_text(f"""
from searchkit import Model, Params, solve_sync
from searchkit.generators import VLLM
from searchkit.strategies import SelfConsistency

if __name__ == "__main__":
    model = Model(VLLM({str(folder)!r}, **{OPTIONS!r}, enforce_eager=True), Params(0.0))
    result = solve_sync({PUZZLE.prompt!r}, SelfConsistency(2), generator=model)
    print(repr([scored.sample.text for scored in result.candidates]))
""")
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    out, err = process.communicate(timeout=400)
    [greedy] = complete(Embedded(), Request(Prompt.of(PUZZLE.prompt), Params(0.0), 0))
    assert process.returncode == 0, err[-2000:]
    assert out.decode().splitlines()[-1] == repr([greedy.text, greedy.text])
    assert until(lambda: len(group(process.pid)), 0, 10) == 0


def group(leader: int) -> list[int]:
    """The living processes of a process group."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
