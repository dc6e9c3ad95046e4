"""The transformers backend against the embedded engine, on the checkpoint that both can read."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import pickle
import threading
from dataclasses import replace
from typing import Any

import pytest

from searchkit.calls import CallError, Request
from searchkit.errors import ConfigError
from searchkit.generators import Embedded, Transformers
from searchkit.generators.embedded.checkpoint import SHIPPED
from searchkit.lab.countdown import Countdown
from searchkit.testing import BackendTests
from searchkit.types import Image, Message, Params, Prompt, Sample

PROMPTS = [puzzle.prompt for puzzle in Countdown().puzzles(4, "test", seed=11)]


@pytest.fixture(scope="module", autouse=True)
def _torch() -> None:
    torch = pytest.importorskip(
        "torch", reason="the backend under test needs it: pip install 'searchkit[transformers]'"
    )
    pytest.importorskip("transformers", reason="the backend under test: pip install 'searchkit[transformers]'")
    torch.set_num_threads(1)  # a model this small only waits for further threads


def complete(backend: Any, *requests: Request) -> list[Sample[str]]:
    entries = asyncio.run(backend.complete(requests))
    assert all(isinstance(entry, Sample) for entry in entries), entries
    return entries


class TestLaws(BackendTests):
    """The laws of every backend."""

    prompt = "3 7 13 20>24\n"

    def backend(self) -> Transformers:
        return Transformers(str(SHIPPED))


@pytest.mark.parametrize(
    "params",
    [
        Params(max_tokens=40),
        Params(temperature=0.0, max_tokens=40, logprobs=2),
        Params(temperature=1.4, top_k=4, max_tokens=25),
        Params(temperature=1.2, top_p=0.8, min_p=0.02, max_tokens=25),
        Params(stop=("\n", ":1"), logprobs=0),
        Params(),
    ],
    ids=["plain", "greedy", "top_k", "nucleus", "stop", "to the end"],
)
def test_same_samples_as_the_embedded_engine(params: Params) -> None:
    """Two engines, one checkpoint: equal text, token ids, finish, usage, and log-probabilities to 1e-4."""
    requests = [Request(Prompt.of(text).continued("1" * (i % 2)), params, i) for i, text in enumerate(PROMPTS)]
    theirs, ours = complete(Transformers(str(SHIPPED)), *requests), complete(Embedded(), *requests)
    for a, b in zip(theirs, ours, strict=True):
        b = replace(b, usage=replace(b.usage, cached_tokens=0))
        assert replace(a, logprobs=None) == replace(b, logprobs=None)
        assert (a.logprobs is None) == (b.logprobs is None)
        for x, y in zip(a.logprobs or (), b.logprobs or (), strict=True):
            assert x.text == y.text
            assert math.isclose(x.logprob, y.logprob, abs_tol=1e-4)
            assert [t for t, _ in x.top] == [t for t, _ in y.top]


def test_a_prefix_in_ids_is_continued() -> None:
    """`prefix_ids` and the same prefix as text give the same rest."""
    whole = complete(Transformers(str(SHIPPED)), Request(Prompt.of(PROMPTS[0]), Params(), 3))[0]
    by_ids = Prompt(Prompt.of(PROMPTS[0]).messages, prefix_ids=(whole.token_ids or ())[:6])
    by_text = Prompt.of(PROMPTS[0]).continued(whole.text[:6])
    for prompt in (by_ids, by_text):
        rest = complete(Transformers(str(SHIPPED)), Request(prompt, Params(), 3))[0]
        assert whole.text[:6] + rest.text == whole.text


def test_loaded_objects_serve_as_well_as_names() -> None:
    """A loaded model with its tokenizer writes what the named one does; without a chat template, texts are joined."""
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(str(SHIPPED))
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(SHIPPED))
    tokenizer.chat_template = None
    backend, named = Transformers(model, tokenizer, device="cpu"), Transformers(str(SHIPPED))
    sent = Request(Prompt.of(PROMPTS[1]), Params(max_tokens=20), 8)
    assert complete(backend, sent) == complete(named, sent)
    assert backend.name == named.name


@pytest.mark.parametrize("name", ["cache", "past_key_values"])
def test_the_cache_may_have_either_of_its_two_names(name: str) -> None:
    """Models of older and newer transformers, told apart by the signature of `forward`, write the same text."""
    import transformers

    class Named(transformers.LlamaForCausalLM):
        """The model with its cache called `name`, whatever the version at hand calls it."""

    theirs = Transformers(str(SHIPPED))._loaded().cache

    def forward(self: Any, input_ids: Any, use_cache: bool, known: Any) -> Any:
        out = transformers.LlamaForCausalLM.forward(self, input_ids=input_ids, use_cache=use_cache, **{theirs: known})
        return _Out({"logits": out.logits, name: out[theirs]})

    written: dict[str, Any] = {
        "cache": lambda self, input_ids, use_cache, cache: forward(self, input_ids, use_cache, cache),
        "past_key_values": lambda self, input_ids, use_cache, past_key_values: forward(
            self, input_ids, use_cache, past_key_values
        ),
    }
    Named.forward = written[name]
    model, tokenizer = Named.from_pretrained(str(SHIPPED)), transformers.AutoTokenizer.from_pretrained(str(SHIPPED))
    request = Request(Prompt.of(PROMPTS[0]), Params(max_tokens=20), 3)
    [found] = asyncio.run(Transformers(model, tokenizer).complete([request]))
    [wanted] = asyncio.run(Transformers(str(SHIPPED)).complete([request]))
    assert isinstance(found, Sample)
    assert isinstance(wanted, Sample)
    assert found.text == wanted.text


class _Out(dict[str, Any]):
    @property
    def logits(self) -> Any:
        return self["logits"]


def test_cancelling_stops_the_worker_and_frees_the_model() -> None:
    """Fifty long requests are cancelled after the first tokens: the model stops, and the next call is answered."""
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(str(SHIPPED))
    backend = Transformers(model, transformers.AutoTokenizer.from_pretrained(str(SHIPPED)))
    tokens, started = [], threading.Event()

    def count(*_: Any) -> None:
        tokens.append(1)
        started.set()

    model.register_forward_hook(count)

    async def scenario() -> list[Sample[str] | CallError]:
        long = asyncio.create_task(backend.complete([Request(Prompt.of(PROMPTS[0]), Params(), i) for i in range(50)]))
        assert await asyncio.to_thread(started.wait, 60)
        long.cancel()
        assert isinstance((await asyncio.gather(long, return_exceptions=True))[0], asyncio.CancelledError)
        return await backend.complete([Request(Prompt.of(PROMPTS[0]), Params(max_tokens=1), 0)])

    assert isinstance(asyncio.run(scenario())[0], Sample)
    assert len(tokens) < 50


def test_bad_requests_are_entries() -> None:
    """Images, tools and endless prompts are refused one by one, each with a sentence."""
    prompts = {
        "without tools and images": Prompt((Message("user", (Image("https://example.org/a.png"),)),)),
        "use a server": Prompt(Prompt.of(PROMPTS[0]).messages, tools=("{}",)),
        "shorten the prompt": Prompt.of("1 " * 70),
    }
    requests = [Request(prompt, Params(), 0) for prompt in prompts.values()]
    entries = asyncio.run(Transformers(str(SHIPPED)).complete(requests))
    for clue, sent, entry in zip(prompts, requests, entries, strict=True):
        assert isinstance(entry, CallError)
        assert clue in str(entry)
        assert (entry.kind, entry.request) == ("bad_request", sent)


def test_impossible_configurations_are_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model object without tokenizer, a folder without model, and missing packages: each error names the fix."""
    with pytest.raises(ConfigError, match="needs its tokenizer"):
        Transformers(object())
    with pytest.raises(ConfigError, match="cannot load"):
        _ = Transformers(str(tmp_path)).name
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'searchkit\[transformers\]'"):
        Transformers("any")


def test_configuration_pickles_and_prints() -> None:
    """A named model is configuration only."""
    backend = Transformers("some/model", device="cpu")
    assert pickle.loads(pickle.dumps(backend)) == backend
    assert eval(repr(backend)) == backend
