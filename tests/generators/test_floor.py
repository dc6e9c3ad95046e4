"""A text ends at the very token at which its confidence falls, whoever writes it; who cannot do that refuses."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchkit import Model, solve_sync
from searchkit.calls import Request
from searchkit.codec import digest
from searchkit.confidence import Fall, least
from searchkit.errors import CapabilityError, ConfigError
from searchkit.function import Function
from searchkit.generators import Cached, Embedded, Limited, Recorded, Retrying, Simulated
from searchkit.generators.embedded.checkpoint import SHIPPED
from searchkit.lab.countdown import Countdown
from searchkit.protocols import Backend
from searchkit.testing import Counting, Scripted
from searchkit.types import ConfidenceFloor, Params, Prompt, Sample, Token
from searchkit.verifiers import DeepConf

PROMPTS = [puzzle.prompt for puzzle in Countdown().puzzles(6, "dev", seed=3)]
FLOOR = ConfidenceFloor(2, 1.0)


def drawn(
    floor: ConfidenceFloor | None, k: int = 5, backend: Backend | None = None, **params: Any
) -> list[Sample[str]]:
    """Four texts of each prompt, all in one call."""
    made = Params(max_tokens=64, logprobs=k, floor=floor, **params)
    requests = [Request(Prompt.of(text), made, seed) for text in PROMPTS for seed in range(4)]
    return [told(entry) for entry in asyncio.run((backend or Embedded()).complete(requests))]


def told(entry: Any) -> Sample[str]:
    """Without what depends on earlier requests."""
    assert isinstance(entry, Sample), entry
    return replace(entry, usage=replace(entry.usage, cached_tokens=0))


def rows(sample: Sample[str]) -> tuple[Token, ...]:
    assert sample.logprobs is not None
    return sample.logprobs


def test_where_a_text_falls() -> None:
    """The first end of a window whose mean, by NumPy, is below the bar; a bar of -inf is below nothing."""
    rng = random.Random(0)
    for _ in range(200):
        sure = np.array([rng.expovariate(0.2) for _ in range(rng.randrange(1, 30))])
        window, bar = rng.randrange(1, 8), rng.uniform(1, 8)
        means = [sure[end - window : end].mean() for end in range(window, len(sure) + 1)]
        expected = {b: [window + i for i, mean in enumerate(means) if mean < b][:1] for b in (bar, math.inf, -math.inf)}
        assert not expected[-math.inf]
        for b, first in expected.items():
            fall = Fall(ConfidenceFloor(window, b))
            fell = (end for end, value in enumerate(sure, start=1) if fall.at([-value - 1, -value + 1]))
            assert [*fell][:1] == first


def test_the_score_is_that_of_the_verifier() -> None:
    """`least` is `DeepConf.score` to the last bit, for windows shorter and longer than the text; of NaN
    and of what is masked nothing is known, and it does not count."""
    rng = random.Random(1)
    values = [-math.inf, -20000.0, 0.0, -1e-9, -3.0, *(-rng.expovariate(0.3) for _ in range(40))]
    for _ in range(300):
        tokens = [Token("", 0.0, tuple(("", rng.choice(values)) for _ in range(rng.randrange(1, 6))))
                  for _ in range(rng.randrange(1, 20))]  # fmt: skip
        window = rng.randrange(1, 25)
        assert least(tokens, window) == DeepConf(window).score(tokens)
    assert least([], 4) is None
    for masked in (math.nan, -math.inf, -9999.0):
        unknown = Token("", 0.0, (("", masked),))
        assert least([unknown], 4) is None
        assert least([unknown, *tokens], 4) == least(tokens, 4)
        assert not Fall(ConfidenceFloor(1, 99.0)).at([masked])


@pytest.mark.parametrize("k", [1, 5])
def test_the_embedded_model_stops_at_the_exact_token(k: int) -> None:
    """Against whole texts of the same seeds: nothing changes before the fall, and the text ends where it is.

    The bars are the scores of some of the texts themselves, where the last bit decides, and values between them.
    """
    wholes, fallen = drawn(None, k), 0
    scores = sorted({DeepConf(8).score(rows(whole)) for whole in wholes})
    for bar in (scores[0], scores[4], scores[-1], (scores[2] + scores[3]) / 2):
        for whole, sample in zip(wholes, drawn(ConfidenceFloor(8, bar), k), strict=True):
            tokens = rows(whole)
            ends = [e for e in range(8, len(tokens) + 1) if DeepConf(8).score(tokens[:e]) < bar]
            if ends:
                fallen += 1
                assert (sample.finish, sample.stop_reason) == ("length", ConfidenceFloor.FELL)
                assert sample.usage.generated_tokens == ends[0]
                assert rows(sample) == tokens[: ends[0]]
                assert whole.text.startswith(sample.text)
            else:
                assert sample == whole
    assert 24 < fallen < 4 * 24 - 10


def test_the_last_token_counts_too() -> None:
    """A window that is full only with the end token falls there: the text is whole, and does not vote all the same."""
    [whole, *_] = drawn(None)
    size = len(rows(whole))
    assert whole.finish == "stop"
    fell = drawn(ConfidenceFloor(size, math.inf))[0]
    assert (fell.text, fell.token_ids, fell.finish, fell.stop_reason) == (
        whole.text, whole.token_ids, "length", ConfidenceFloor.FELL,
    )  # fmt: skip
    assert drawn(ConfidenceFloor(size + 1, math.inf))[0] == whole  # shorter than a window: never


def test_neighbours_are_left_alone() -> None:
    """In one batch, requests without a floor give what they give alone, and each floor holds for its own row."""
    floors = [None, ConfidenceFloor(4, math.inf), ConfidenceFloor(9, math.inf), None, ConfidenceFloor(4, -math.inf)]
    requests = [Request(Prompt.of(PROMPTS[i % 6]), Params(max_tokens=40, logprobs=3, floor=floors[i % 5]), i)
                for i in range(30)]  # fmt: skip
    plain = [replace(r, params=replace(r.params, floor=None)) for r in requests]
    wholes = asyncio.run(Embedded(batch=7).complete(plain))
    for i, entry in enumerate(asyncio.run(Embedded(batch=7).complete(requests))):
        cut = {1: 4, 2: 9}.get(i % 5)
        assert told(entry).usage.generated_tokens == cut if cut else told(entry) == told(wholes[i])


@pytest.mark.slow
def test_transformers_stops_at_the_same_token() -> None:
    """The second engine on the same checkpoint: a window that falls at once, and one that never does."""
    transformers = pytest.importorskip("searchkit.generators.transformers")
    pytest.importorskip("torch")
    params, floors = (
        Params(max_tokens=10, logprobs=5),
        (None, ConfidenceFloor(4, math.inf), ConfidenceFloor(4, -math.inf)),
    )
    requests = [Request(Prompt.of(PROMPTS[0]), replace(params, floor=floor), 0) for floor in floors]
    whole, cut, never = [told(e) for e in asyncio.run(transformers.Transformers(str(SHIPPED)).complete(requests))]
    assert whole == never
    assert (cut.finish, cut.stop_reason, cut.usage.generated_tokens) == ("length", ConfidenceFloor.FELL, 4)
    assert rows(cut) == rows(whole)[:4]
    embedded = [told(entry) for entry in asyncio.run(Embedded().complete(requests))]
    assert [(s.text, s.finish, s.stop_reason) for s in embedded] == [
        (s.text, s.finish, s.stop_reason) for s in (whole, cut, never)
    ]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: ConfidenceFloor(0, 1.0), "window must be >= 1"),
        (lambda: ConfidenceFloor(4, math.nan), "must be a number"),
        (lambda: Params(floor=FLOOR), "logprobs=20"),
        (lambda: Params(floor=FLOOR, logprobs=0), "logprobs=20"),
    ],
)
def test_impossible_floors_are_refused(make: Callable[[], Any], reason: str) -> None:
    """At construction, with the fix."""
    with pytest.raises(ConfigError, match=reason):
        make()


def silent(request: Request) -> str:
    return "4"


@pytest.mark.parametrize(
    "wrap",
    [lambda b: b, Limited, Retrying, lambda b: Retrying(Limited(b))],
    ids=["bare", "limited", "retrying", "both"],
)
@pytest.mark.parametrize("backend", [Simulated({"4": 1.0}), Scripted(silent)], ids=["simulated", "scripted"])
def test_who_cannot_stop_refuses_before_the_first_call(wrap: Callable[[Backend], Backend], backend: Backend) -> None:
    """However it is wrapped, and whether the floor is the model's own or the caller's."""
    counting = Counting(backend)
    model = Model(wrap(counting), Params(logprobs=2, floor=FLOOR))
    with pytest.raises(CapabilityError, match="use Embedded, Transformers or OpenAI"):
        solve_sync("q", model)
    assert counting.calls == 0


def answer(prompt: str) -> str:
    raise AssertionError("called in spite of a floor")


@pytest.mark.parametrize("source", [Function(answer), Recorded({"q": ["4"]})], ids=["function", "recorded"])
def test_generators_without_a_backend_refuse_too(source: Any) -> None:
    """A callable and recorded samples cannot be stopped: they are not asked."""

    class Asking:
        async def generate(self, prompt: Prompt, run: Any, *, params: Params | None = None) -> Sample[Any]:
            sample: Sample[Any] = await source.generate(prompt, run, params=Params(logprobs=2, floor=FLOOR))
            return sample

    with pytest.raises(CapabilityError):
        solve_sync("q", Asking())


def test_a_generator_of_ones_own_cannot_forget_to_ask() -> None:
    """It need not know of floors: what sends the request does."""
    counting = Counting(Simulated({"4": 1.0}))

    class Own:
        async def generate(self, prompt: Prompt, run: Any, *, params: Params | None = None) -> Sample[Any]:
            sample: Sample[Any] = await run.complete(
                counting, Request(prompt, Params(logprobs=2, floor=FLOOR), run.seed)
            )
            return sample

    with pytest.raises(CapabilityError, match="use Embedded, Transformers or OpenAI"):
        solve_sync("q", Own())
    assert counting.calls == 0


def test_wrappers_pass_it_on(tmp_path: Path) -> None:
    """Through a cache, a limit and retries the floor reaches the embedded model; the cache knows floors apart."""
    counting = Counting(Embedded())
    backend = Cached(Retrying(Limited(counting)), tmp_path / "cache.db")
    texts: list[Sequence[str]] = []
    for floor in (None, ConfidenceFloor(4, math.inf), ConfidenceFloor(9, math.inf), None, ConfidenceFloor(4, math.inf)):
        samples = drawn(floor, backend=backend)
        texts.append([sample.text for sample in samples])
        if floor is not None:
            assert {sample.usage.generated_tokens for sample in samples} == {floor.window}
    assert counting.calls == 3 * 6  # samples are found by their index, which is 0 here, not by their seed
    assert texts[0] == texts[3]
    assert texts[1] == texts[4]


def test_a_floor_is_part_of_what_is_asked() -> None:
    """Other windows and bars are other requests; without one the digest is what it was before there were floors."""
    prompt, floors = (
        Prompt.of("q"),
        [None, FLOOR, ConfidenceFloor(3, 1.0), ConfidenceFloor(2, 1.5), ConfidenceFloor(2, -math.inf)],
    )
    assert len({digest(prompt, Params(logprobs=1, floor=floor)) for floor in floors}) == 5
    assert digest(prompt, Params(max_tokens=8)).hex() == "f34e4e034b5b54a18519244786ef67b7"
