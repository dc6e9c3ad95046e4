"""Prefix reuse in the embedded engine: not a bit changes, every token is accounted for, memory is bounded."""

from __future__ import annotations

import asyncio
import pickle
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from searchkit.calls import Request
from searchkit.errors import ConfigError
from searchkit.generators import Embedded
from searchkit.generators.embedded.backend import _ENGINES
from searchkit.generators.embedded.checkpoint import SHIPPED, load
from searchkit.generators.embedded.decoder import Decoder
from searchkit.generators.embedded.engine import Engine, Generated, Job
from searchkit.generators.embedded.prefixes import PrefixCache
from searchkit.lab.countdown import Countdown
from searchkit.types import Params, Prompt, Sample

PROMPTS = [puzzle.prompt for puzzle in Countdown().puzzles(12, "test", seed=11)]
LINE = Params(max_tokens=24, stop=("\n",), logprobs=0)


async def ask(backend: Embedded, *requests: Request) -> list[Sample[str]]:
    entries = await backend.complete(requests)
    assert all(isinstance(entry, Sample) for entry in entries), entries
    return entries  # type: ignore[return-value]


def told(samples: Sequence[Sample[str]]) -> list[Sample[str]]:
    """Everything that must not depend on other requests: text, ids, log-probabilities, the rest of the usage."""
    return [replace(s, usage=replace(s.usage, cached_tokens=0)) for s in samples]


# --- texts -----------------------------------------------------------------------------------------------------------


async def beam(backend: Embedded, text: str, rng: random.Random | None = None) -> list[Sample[str]]:
    """All samples of a beam search of 3 nodes by 3 children over lines, three levels deep.

    Which nodes go on hangs on the texts alone. With `rng`, requests start at random moments, among others that are
    cancelled.
    """

    async def one(request: Request) -> Sample[str]:
        if rng is not None:
            await asyncio.sleep(rng.random() * 0.02)
            if rng.random() < 0.2:
                stranger = Prompt.of(rng.choice(PROMPTS)).continued("20-13=7:3 7 7\n"[: rng.randrange(14)])
                other = asyncio.ensure_future(backend.complete([Request(stranger, Params(), 5)]))
                asyncio.get_running_loop().call_later(rng.random() * 0.01, other.cancel)
        return (await ask(backend, request))[0]

    nodes, found = [Prompt.of(text)], []
    for level in range(3):
        requests = [Request(node, LINE, 100 * level + i) for node in nodes for i in range(3)]
        samples = await asyncio.gather(*map(one, requests)) if rng else await ask(backend, *requests)
        found += samples
        grown = {r.prompt.prefix + s.text + "\n" for r, s in zip(requests, samples, strict=True)}
        nodes = [Prompt.of(text).continued(prefix) for prefix in sorted(grown, key=lambda p: (p[-2::-1], p))[:3]]
    return found


@pytest.fixture(scope="module")
def searched() -> list[list[Sample[str]]]:
    """Four searches, one after another, without a cache: the texts as they have to be."""

    async def main() -> list[list[Sample[str]]]:
        return [await beam(Embedded(cache=0), text) for text in PROMPTS[:4]]

    return asyncio.run(main())


@pytest.mark.parametrize("backend", [Embedded(), Embedded(cache=1), Embedded(cache=60), Embedded(batch=5, cache=400)])
def test_no_sample_depends_on_the_cache(backend: Embedded, searched: list[list[Sample[str]]]) -> None:
    """Beam searches one by one, all at once, and at random moments: the samples that the model gives without a cache.

    84 requests each; caches that hold everything, a token, half a text, a few texts.
    """

    async def one_by_one() -> list[list[Sample[str]]]:
        return [await beam(backend, text) for text in PROMPTS[:4]]

    async def at_once(rng: random.Random | None = None) -> list[list[Sample[str]]]:
        return await asyncio.gather(*(beam(backend, text, rng) for text in PROMPTS[:4]))

    assert len({s.text for samples in searched for s in samples}) > 30
    for found in (asyncio.run(one_by_one()), asyncio.run(at_once()), asyncio.run(at_once(random.Random(3)))):
        assert [told(samples) for samples in found] == [told(samples) for samples in searched]


def test_a_cache_keeps_no_more_than_it_may() -> None:
    """After a search of more than 20 texts: full to the last token, and not beyond; a cache of 0 holds nothing."""
    for size in (0, 1, 60):
        asyncio.run(beam(Embedded(cache=size), PROMPTS[0]))
        [engine] = [e for (_, rows, _, cache), e in _ENGINES.items() if (rows, cache) == (64, size)]
        assert len(engine._prefixes) <= size
    assert len(engine._prefixes) == 60


def test_a_beam_search_takes_its_prompts_from_the_cache() -> None:
    """With room for all, less than a third of the prompt tokens sent are computed; without a cache, more than half."""

    def computed(backend: Embedded) -> float:
        samples = [sample for text in PROMPTS for sample in asyncio.run(beam(backend, text))]
        return 1 - sum(s.usage.cached_tokens for s in samples) / sum(s.usage.prompt_tokens for s in samples)

    assert computed(Embedded(cache=20_000)) < 1 / 3
    assert computed(Embedded(cache=0)) > 1 / 2  # equal prompts that join together are read once even so


# --- bits ------------------------------------------------------------------------------------------------------------


def run(engine: Engine, *jobs: Job) -> list[Generated]:
    engine.submit(jobs)
    return [job.future.result(timeout=60) for job in jobs]


def test_continued_at_any_token_a_text_has_the_same_bits() -> None:
    """Six texts cut at every token: the rest has the tokens and the logits of the text in one go, cached or not."""
    checkpoint = load(SHIPPED)
    cold, warm = (Engine(checkpoint, rows=16, threads=1, cache=cache) for cache in (0, 5000))
    for seed, text in enumerate(PROMPTS[:6]):
        prompt = (checkpoint.begin, *checkpoint.tokenizer.encode(text))

        def job(cut: int) -> Job:
            return Job(prompt, seed, Params(logprobs=0), 100 - cut, prefix=tuple(whole.tokens[:cut]))  # noqa: B023

        [whole] = run(warm, Job(prompt, seed, Params(logprobs=0), 100))
        assert whole.logits is not None
        cuts = range(len(whole.tokens))
        for engine in (cold, warm):
            for cut, rest in zip(cuts, run(engine, *map(job, cuts)), strict=True):
                assert rest.logits is not None
                assert (rest.tokens, rest.finish) == (whole.tokens[cut:], whole.finish)
                assert rest.logits.tobytes() == whole.logits[cut:].tobytes()
                if engine is warm:
                    assert rest.cached == len(prompt) + max(cut - 1, 0)
    for engine in (cold, warm):
        engine.close()


def test_where_a_prompt_ends_makes_a_difference() -> None:
    """The same tokens with the border elsewhere are computed in another way, so nothing is taken over."""
    backend = Embedded(cache=3000)

    def cached(messages: str, prefix: str) -> int:
        request = Request(Prompt.of(messages).continued(prefix), Params(max_tokens=5), 0)
        return asyncio.run(ask(backend, request))[0].usage.cached_tokens

    assert cached("3 7 13 20>24\n", "20-13=7:3 7 7\n") == 0
    assert cached("3 7 13 20>24\n2", "0-13=7:3 7 7\n") == 0
    assert cached("3 7 13 20>24\n20-13=7:3 7 7\n", "") == 0
    assert cached("3 7 13 20>24\n", "20-13=7:3 7 7\n") == 27
    assert cached("3 7 13 20>24\n", "20-13=8") == 20


# --- accounts --------------------------------------------------------------------------------------------------------


def requests_of_many_kinds(seed: int) -> list[Request]:
    """300 requests on four prompts, whose prefixes begin alike."""
    rng = random.Random(seed)
    texts = [f"{rng.randint(1, 20)}-{rng.randint(1, 9)}=7:3 7 7\n7/7=1:1 3\n" for _ in range(3)]
    return [
        Request(
            Prompt.of(rng.choice(PROMPTS[:4])).continued(rng.choice(["", rng.choice(texts)[: rng.randrange(24)]])),
            Params(max_tokens=rng.choice([1, 2, 15]), stop=rng.choice([(), ("\n",)])),
            i,
        )
        for i in range(300)
    ]


def test_cached_tokens_are_those_computed_before() -> None:
    """300 requests in a row: each finds the longest beginning that an earlier one with its prompt has computed."""
    backend = Embedded(cache=10_000, threads=1)
    encode, known = load(SHIPPED).tokenizer.encode, set()
    for request in requests_of_many_kinds(0):
        [sample] = asyncio.run(ask(backend, request))
        prompt, prefix = (1, *encode(request.prompt.text)), tuple(encode(request.prompt.prefix))
        most = range(max(len(prefix) - 1, 0), -1, -1)
        expected = next((len(prompt) + n for n in most if (prompt, prefix[:n]) in known), 0)
        assert sample.usage.cached_tokens == expected
        assert sample.usage.prompt_tokens == len(prompt) + len(prefix)
        fed = (*prefix, *(sample.token_ids or ())[:-1])
        known |= {(prompt, fed[:n]) for n in range(len(fed) + 1)}


@pytest.mark.parametrize("cache", [0, 50, 10_000])
def test_what_is_not_cached_is_computed_once(cache: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever company, the tokens that go through the model are those not cached and those generated but the last.

    Counted at the model's two doors, over 300 requests in batches of up to 64.
    """
    counts: list[int] = []
    prefill, step = Decoder.prefill, Decoder.step

    def counted_prefill(self: Decoder, texts: Sequence[tuple[int, Sequence[int]]]) -> None:
        counts.extend(len(ids) for _, ids in texts)
        prefill(self, texts)

    def counted_step(self: Decoder, tokens: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        counts.append(len(tokens))
        step(self, tokens)

    backend = Embedded(cache=cache, threads=2)
    asyncio.run(beam(backend, PROMPTS[0]))
    monkeypatch.setattr(Decoder, "prefill", counted_prefill)
    monkeypatch.setattr(Decoder, "step", counted_step)
    usages = [sample.usage for sample in asyncio.run(ask(backend, *requests_of_many_kinds(1)))]
    assert sum(counts) == sum(u.prompt_tokens - u.cached_tokens + u.generated_tokens - 1 for u in usages)
    assert (sum(u.cached_tokens for u in usages) > 4000) == (cache > 1000)


def test_configuration() -> None:
    """A negative cache is refused; its size is part of what pickles and compares."""
    with pytest.raises(ConfigError, match="cache must be >= 0"):
        Embedded(cache=-1)
    assert pickle.loads(pickle.dumps(Embedded(cache=7))) == Embedded(cache=7) != Embedded()


# --- the cache against a table ---------------------------------------------------------------------------------------

Text = tuple[tuple[int, ...], tuple[int, ...]]  # (prompt, what of the whole text stands up to this token)


class Table:
    """What a cache of `size` tokens has to hold, by brute force: every beginning of every text, with its last use."""

    def __init__(self, size: int) -> None:
        self.size, self.clock = size, 0
        self.used: dict[Text, tuple[int, int]] = {}
        self.logits: set[tuple[int, ...]] = set()

    def use(self, texts: Sequence[Text]) -> None:
        self.clock += 1
        self.used |= {text: (self.clock, -len(text[1])) for text in texts}

    def find(self, prompt: tuple[int, ...], rest: tuple[int, ...]) -> int:
        texts = [text for text in beginnings(prompt, rest[:-1]) if text in self.used]
        if len(texts) < len(prompt) or (not rest and prompt not in self.logits):
            return 0
        self.use(texts)
        return len(texts)

    def keep(self, prompt: tuple[int, ...], rest: tuple[int, ...]) -> None:
        if len(prompt) > self.size:
            return
        self.use(beginnings(prompt, rest)[: self.size])
        if not rest:
            self.logits.add(prompt)
        for text in sorted(self.used, key=self.used.__getitem__)[: max(0, len(self.used) - self.size)]:
            del self.used[text]
            if text[0] == text[1]:
                self.logits.discard(text[0])


def beginnings(prompt: tuple[int, ...], rest: tuple[int, ...]) -> list[Text]:
    whole = prompt + rest
    return [(prompt, whole[:n]) for n in range(1, len(whole) + 1)]


@pytest.mark.parametrize("size", [0, 1, 4, 12, 40, 1000])
def test_the_cache_holds_what_the_table_says(size: int) -> None:
    """1,500 texts kept and looked up at random: lengths found, values copied, and what was dropped, as by brute force.

    Each token's keys and values are a number of its own, so that a wrong slot shows.
    """
    decoder = Decoder(load(SHIPPED), rows=2, threads=1)
    cache, table, rng = PrefixCache(decoder, size), Table(size), random.Random(size)
    numbers: dict[Text, int] = {}
    found = []
    for _ in range(1500):
        prompt, rest = (tuple(rng.choices((5, 6), k=rng.randint(*span))) for span in ((1, 3), (0, 6)))
        texts = beginnings(prompt, rest)
        values = np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.float32)
        if rng.random() < 0.5:
            decoder.cache[:, 0, :, : len(texts)] = values[:, None]
            decoder.logits[0], decoder.lengths[0] = values[-1], len(texts)
            cache.keep(0, prompt, rest)
            table.keep(prompt, rest)
        else:
            decoder.cache[:, 1], decoder.lengths[1] = -1, 99
            n = cache.fork(1, prompt, rest)
            assert n == table.find(prompt, rest)
            assert decoder.lengths[1] == (n or 99)
            assert (decoder.cache[:, 1, :, :n] == values[:n, None]).all()
            assert (decoder.cache[:, 1, :, n:] == -1).all()
            if n and not rest:
                assert (decoder.logits[1] == values[-1]).all()
            found.append(n)
        assert len(cache) == len(table.used) <= size
    assert (max(found) > 0) == (size > 0)
