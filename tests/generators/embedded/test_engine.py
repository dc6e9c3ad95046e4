"""The embedded engine against transformers, against exact probabilities, and against itself in other company."""

from __future__ import annotations

import asyncio
import json
import math
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchkit.calls import CallError, Request
from searchkit.generators import Embedded
from searchkit.generators.embedded.backend import _ENGINES
from searchkit.generators.embedded.checkpoint import SHIPPED, load
from searchkit.generators.embedded.decoder import Decoder
from searchkit.generators.embedded.engine import Engine, Job
from searchkit.lab.countdown import Countdown
from searchkit.testing import BackendTests
from searchkit.types import Image, Message, Params, Prompt, Sample

PROMPTS = [puzzle.prompt for puzzle in Countdown().puzzles(64, "test", seed=7)]


def request(text: str, seed: int = 0, *, prefix: str = "", **params: object) -> Request:
    return Request(Prompt.of(text).continued(prefix), Params(**params), seed)  # type: ignore[arg-type]


def complete(*requests: Request, backend: Embedded | None = None) -> list[Sample[str]]:
    """All requests in one call; every one must succeed. Without `cached_tokens`, which tells of earlier requests."""
    entries = asyncio.run((backend or Embedded()).complete(requests))
    return [told(entry) for entry in entries]


def told(entry: Sample[str] | CallError) -> Sample[str]:
    assert isinstance(entry, Sample), entry
    return replace(entry, usage=replace(entry.usage, cached_tokens=0))


def mixed(seed: int) -> Request:
    """One of many kinds of request: other prompts, temperatures, filters, stops, lengths, prefixes."""
    rng = random.Random(seed)
    return request(
        rng.choice(PROMPTS),
        seed,
        prefix=rng.choice(["", "", "1", "20-1"]),
        temperature=rng.choice([0.0, 0.7, 1.0, 1.3]),
        top_k=rng.choice([0, 0, 3]),
        top_p=rng.choice([1.0, 0.9]),
        min_p=rng.choice([0.0, 0.05]),
        max_tokens=rng.choice([5, 20, 60, None]),
        stop=rng.choice([(), (), ("\n",)]),
        logprobs=rng.choice([None, None, 2]),
    )


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the shipped checkpoint without an end token: its texts end with max_tokens or the context."""
    folder = tmp_path_factory.mktemp("endless") / "countdown"
    shutil.copytree(SHIPPED, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"eos_token_id": None}))
    return folder


class TestLaws(BackendTests):
    """The laws of every backend."""

    prompt = "3 7 13 20>24\n"

    def backend(self) -> Embedded:
        return Embedded()


# --- the graph -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def oracle() -> Any:
    """The shipped checkpoint in transformers."""
    torch = pytest.importorskip("torch", reason="the oracle is PyTorch: pip install 'searchkit[transformers]'")
    transformers = pytest.importorskip("transformers", reason="the oracle: pip install 'searchkit[transformers]'")
    torch.set_num_threads(1)  # a model this small only waits for further threads
    return transformers.AutoModelForCausalLM.from_pretrained(str(SHIPPED), dtype=torch.float32)


@pytest.mark.slow
def test_logits_match_transformers(oracle: Any) -> None:
    """Prefill and eleven decode steps of a ragged batch, with rows copied, agree with transformers within 1e-4."""
    import torch

    checkpoint = load(SHIPPED)
    decoder = Decoder(checkpoint, rows=8, threads=1)
    rng = np.random.default_rng(1)
    texts = [[1, *rng.integers(3, checkpoint.layout.vocabulary, n).tolist()] for n in (1, 2, 14, 30, 90, 116, 9)]
    decoder.prefill(list(enumerate(texts)))
    decoder.copy(3, 7)
    texts.append(list(texts[3]))
    starts, found = [len(ids) for ids in texts], [decoder.logits.copy()]
    for _ in range(11):
        tokens = rng.integers(3, checkpoint.layout.vocabulary, len(texts))
        decoder.step(tokens)
        found.append(decoder.logits.copy())
        for ids, token in zip(texts, tokens.tolist(), strict=True):
            ids.append(token)
    for row, (start, ids) in enumerate(zip(starts, texts, strict=True)):
        with torch.no_grad():
            wanted = oracle(torch.tensor([ids])).logits[0, start - 1 :].numpy()
        assert np.abs(np.array(found)[:, row] - wanted).max() < 1e-4


@pytest.mark.slow
def test_greedy_text_matches_transformers(oracle: Any) -> None:
    """At temperature 0 the text is what transformers' own greedy `generate` writes."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(SHIPPED))
    ours = complete(*(request(text, temperature=0.0) for text in PROMPTS[:5]))
    for text, sample in zip(PROMPTS[:5], ours, strict=True):
        ids = tokenizer(text, return_tensors="pt")
        found = oracle.generate(**ids, do_sample=False, max_length=128)[0, ids.input_ids.shape[1] :]
        assert sample.text == tokenizer.decode(found, skip_special_tokens=True)
        assert list(sample.token_ids or ()) == found.tolist()


def test_rows_are_computed_one_by_one_where_batching_would_change_bits() -> None:
    """Where kernels give other bits in a batch, the decoder notices, and its logits are still those of a row alone."""
    checkpoint = load(SHIPPED)
    unpacked = [("session.disable_prepacking", "1")]
    full, alone = (Decoder(checkpoint, rows, 1, unpacked) for rows in (16, 1))
    texts = [[1, *np.random.default_rng(r).integers(3, 22, 5 + r).tolist()] for r in range(16)]
    full.prefill(list(enumerate(texts)))
    for _ in range(3):
        full.step(np.arange(3, 19))
    for row, ids in enumerate(texts):
        alone.prefill([(0, ids)])
        for _ in range(3):
            alone.step(np.array([3 + row]))
        assert full.logits[row].tobytes() == alone.logits[0].tobytes()


# --- company ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_text_does_not_depend_on_the_batch() -> None:
    """120 mixed requests: alone, 64 at once, in a batch of 7 rows, and in shuffled company: equal samples."""
    requests = [mixed(seed) for seed in range(120)]
    alone = [complete(r)[0] for r in requests]
    assert complete(*requests[:64]) == alone[:64]
    assert complete(*requests) == alone
    order = random.Random(0).sample(range(120), 120)
    for backend in (Embedded(), Embedded(batch=7)):
        shuffled = complete(*(requests[i] for i in order), backend=backend)
        assert shuffled == [alone[i] for i in order]
    assert len({sample.text for sample in alone}) > 60


def test_threads_do_not_change_the_text() -> None:
    """One thread and three sharing the rows write the same 60 samples."""
    requests = [mixed(seed) for seed in range(60)]
    one, three = (complete(*requests, backend=Embedded(threads=threads)) for threads in (1, 3))
    assert one == three


def test_requests_join_and_leave_at_any_time() -> None:
    """Requests that start at random moments, from two event loops in two threads, get the text they get alone."""
    requests = [mixed(seed) for seed in range(120)]
    expected = complete(*requests)
    found: dict[int, Sample[str]] = {}

    async def one(i: int) -> None:
        await asyncio.sleep(random.Random(i).random() * 0.1)
        found[i] = told((await Embedded().complete([requests[i]]))[0])

    async def many(part: range) -> None:
        await asyncio.gather(*map(one, part))

    threads = [threading.Thread(target=asyncio.run, args=(many(range(k, 120, 2)),)) for k in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(120)] == expected


def test_equal_prompts_share_their_reading() -> None:
    """64 samples of one prompt at once are the 64 samples taken one after another, and differ among themselves."""
    requests = [request(PROMPTS[0], seed) for seed in range(64)]
    together = complete(*requests)
    assert together == [complete(r)[0] for r in requests]
    assert len({sample.text for sample in together}) > 10


def test_a_cancelled_call_frees_its_row(endless: Path) -> None:
    """Two rows, both taken by long requests: cancelling them lets a third finish, and nothing stays behind."""
    backend = Embedded(endless, batch=2)

    async def scenario() -> Sample[str] | CallError:
        await backend.complete([request(PROMPTS[0], max_tokens=1)])
        long = [asyncio.create_task(backend.complete([request(text, i)])) for i, text in enumerate(PROMPTS * 6)]
        await asyncio.sleep(0.02)
        for task in long:
            task.cancel()
        await asyncio.gather(*long, return_exceptions=True)
        return (await backend.complete([request(PROMPTS[0], max_tokens=3)]))[0]

    async def patient() -> Sample[str] | CallError:
        return await asyncio.wait_for(scenario(), timeout=30)

    sample = asyncio.run(patient())
    assert isinstance(sample, Sample)
    assert sample.usage.generated_tokens == 3
    engine = next(engine for (_, rows, *_), engine in _ENGINES.items() if rows == 2)
    assert engine.active == 0


def test_a_cancelled_job_stops_at_the_next_step(endless: Path) -> None:
    """After `cancel` the engine takes at most a step or two more, not the hundred that were asked for."""
    engine = Engine(load(endless), rows=1, threads=1, cache=0)
    long, short = (Job((1, 9, 21, 9, 3), seed, Params(), limit) for seed, limit in ((1, 100), (2, 1)))
    engine.submit([long])
    while not long.tokens:
        time.sleep(0)
    long.future.cancel()
    engine.submit([short])
    assert len(short.future.result(timeout=30).tokens) == 1
    assert len(long.tokens) < 100
    engine.close()


def test_a_failing_step_fails_its_requests_and_no_later_ones(endless: Path) -> None:
    """Tokens that the model does not have break a step, in whichever thread: all get the error, the engine goes on."""
    engine = Engine(load(endless), rows=32, threads=2, cache=0)
    for bad in (0, 19):
        jobs = [Job((1, 9, 999 if i == bad else 3 + i % 19, i % 19), i, Params(), 5) for i in range(20)]
        engine.submit(jobs)
        assert all(job.future.exception(timeout=30) for job in jobs)
        good = Job((1, 9, 21, 9, 3), 4, Params(), 5)
        engine.submit([good])
        assert len(good.future.result(timeout=30).tokens) == 5
    engine.close()


def test_closing_an_engine_cancels_what_waits(endless: Path) -> None:
    """After `close` nothing hangs: requests in flight and later ones are cancelled."""
    engine = Engine(load(endless), rows=1, threads=1, cache=0)
    jobs = [Job((1, 9, 21, 9, 3), seed, Params(), 100) for seed in range(50)]
    engine.submit(jobs)
    engine.close()
    late = Job((1, 9), 0, Params(), 1)
    engine.submit([late])
    assert jobs[-1].future.cancelled()
    assert late.future.cancelled()


def test_the_process_exits_while_the_model_is_generating(endless: Path) -> None:
    """A script that ends in the middle of a request exits at once, with status 0 and nothing on stderr."""
    code = f"""
import asyncio, pathlib
from searchkit.calls import Request
from searchkit.generators import Embedded
from searchkit.types import Params, Prompt
async def main():
    backend = Embedded({str(endless)!r})
    await backend.complete([Request(Prompt.of("1 2>3"), Params(max_tokens=1), 0)])
    asyncio.create_task(backend.complete([Request(Prompt.of("1 2>3"), Params(), i) for i in range(500)]))
    await asyncio.sleep(0.01)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


# --- what a request means --------------------------------------------------------------------------------------------


def test_stop_strings_span_tokens_and_are_cut_off() -> None:
    """The text ends before the stop string, the longest of those that end together; its tokens are paid for."""
    free = complete(request(PROMPTS[2], 5))[0]
    at = free.text.index("\n")
    long, short = free.text[at - 3 : at + 1], free.text[at - 1 : at + 1]
    cut = complete(request(PROMPTS[2], 5, stop=(short, long)))[0]
    assert (cut.text, cut.stop_reason, cut.finish) == (free.text[: at - 3], long, "stop")
    assert cut.usage.generated_tokens == len(cut.token_ids or ()) == at + 1
    assert (free.stop_reason, free.finish) == (None, "stop")
    assert free.usage.generated_tokens == len(free.text) + 1  # the end token
    assert complete(request(PROMPTS[2], 5, stop="never"))[0] == free  # letters the model does not have


def test_lengths_and_usage(endless: Path) -> None:
    """max_tokens and the end of the context both finish with "length"; a token that ends the text finishes "stop"."""
    free = complete(request(PROMPTS[2], 5))[0]
    n = free.usage.generated_tokens
    assert complete(request(PROMPTS[2], 5, max_tokens=n))[0] == free
    short = complete(request(PROMPTS[2], 5, max_tokens=n - 1))[0]
    assert (short.text, short.finish, short.truncated) == (free.text, "length", True)
    full = complete(request(PROMPTS[2], 5), backend=Embedded(endless))[0]
    assert full.finish == "length"
    assert full.usage.prompt_tokens == len(PROMPTS[2]) + 1
    assert full.usage.total_tokens == full.usage.longest_context == 128
    assert (full.usage.model_calls, full.usage.generations) == (1, 0)


def test_logprobs_are_those_of_the_model() -> None:
    """Each token's log-probability is of the unscaled distribution, and the rivals come best first."""
    sample = complete(request(PROMPTS[3], 1, temperature=0.0, logprobs=3))[0]
    assert sample.logprobs is not None
    assert "".join(token.text for token in sample.logprobs) == sample.text
    for token in sample.logprobs:
        assert token.top[0] == (token.text, token.logprob)
        assert [p for _, p in token.top] == sorted((p for _, p in token.top), reverse=True)
        assert sum(math.exp(p) for _, p in token.top) <= 1 + 1e-9
    hot = complete(request(PROMPTS[3], 1, temperature=0.0, logprobs=0, top_k=1, max_tokens=1))[0].logprobs
    assert hot is not None
    assert (hot[0].logprob, hot[0].top) == (sample.logprobs[0].logprob, ())


def test_a_prefix_continues_the_same_text() -> None:
    """Cut anywhere and continued with the same seed, as text or as ids, 20 samples come out as if never interrupted."""
    for seed in range(20):
        whole = complete(request(PROMPTS[seed], seed))[0]
        at = seed % max(1, len(whole.text))
        rest = complete(request(PROMPTS[seed], seed, prefix=whole.text[:at], max_tokens=99))[0]
        assert whole.text[:at] + rest.text == whole.text
        by_ids = Prompt(Prompt.of(PROMPTS[seed]).messages, prefix_ids=(whole.token_ids or ())[:at])
        assert complete(Request(by_ids, Params(), seed))[0].text == rest.text


def test_bad_requests_are_entries_that_say_what_to_do() -> None:
    """Unknown characters, pictures, tools, foreign ids and endless prompts fail alone: others are answered."""
    picture = Prompt((Message("user", (Image("https://example.org/a.png"),)),))
    bad = {
        "cannot read 'x'": Prompt.of("x + 1"),
        "'ß'": Prompt.of(PROMPTS[0]).continued("ß"),
        "images": picture,
        "tools": Prompt(Prompt.of(PROMPTS[0]).messages, tools=("{}",)),
        "prefix_ids": Prompt(Prompt.of(PROMPTS[0]).messages, prefix_ids=(99,)),
        "shorten the prompt": Prompt.of("1 " * 70),
    }
    requests = [Request(prompt, Params(), 0) for prompt in bad.values()]
    entries = asyncio.run(Embedded().complete([*requests, request(PROMPTS[0])]))
    assert isinstance(entries[-1], Sample)
    for clue, sent, entry in zip(bad, requests, entries, strict=False):
        assert isinstance(entry, CallError)
        assert clue in str(entry)
        assert (entry.kind, entry.transient, entry.request) == ("bad_request", False, sent)


def test_first_token_of_the_model_follows_its_own_logprobs() -> None:
    """2,000 requests with different seeds choose their first token as often as the reported probabilities say."""
    top = complete(request(PROMPTS[1], max_tokens=1, logprobs=22))[0].logprobs[0].top  # type: ignore[index]
    exact = {text: math.exp(logprob) for text, logprob in top}
    assert math.isclose(
        sum(math.exp(logprob) for _, logprob in top), 1.0, abs_tol=1e-9
    )  # special tokens have the same text, ''
    found = Counter(s.text for s in complete(*(request(PROMPTS[1], seed, max_tokens=1) for seed in range(2000))))
    likely = [text for text, p in exact.items() if p > 0.005]
    counts = np.array([found[text] for text in likely] + [2000 - sum(found[text] for text in likely)])
    p = np.array([exact[text] for text in likely] + [1 - sum(exact[text] for text in likely)])
    chi_square = (((counts - 2000 * p) ** 2) / (2000 * p)).sum()
    assert chi_square < 3 * len(p) + 20
