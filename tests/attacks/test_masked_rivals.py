"""K26: a rival that the server masked (-Infinity, -9999, a float's least value) says nothing about confidence."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import math
from typing import Any

import pytest

from searchkit import Params, Sample, solve_sync
from searchkit.generators import Recorded
from searchkit.strategies import BestOfN
from searchkit.types import ConfidenceFloor, Token, Usage
from searchkit.verifiers import DeepConf, LogProb, SelfCertainty
from tests.attacks.hostile import ask, case, completion, events, http

pytestmark = pytest.mark.filterwarnings("ignore::searchkit.errors.SearchWarning")  # an abstention may be told
PROMPT = "What is 2 + 2?"
RIVALS = (("4", -0.1), ("5", -2.5))

# sgl-project/sglang#4097, vllm-project/vllm#4149 and #11073 (-inf and -9999); the least values of the types of engines.
MASKS = [
    case("minus-infinity", -math.inf),
    case("vllm-sentinel", -9999.0),
    case("vllm-sentinel-integer", -9999),
    case("float16", -65504.0),
    case("bfloat16", -3.3895313892515355e38),
    case("float32", -3.4028234663852886e38),
    case("float64", -1.7976931348623157e308),
    case("minus-1e4", -1e4),
    case("minus-1e9", -1e9),
    case("minus-1e10", -1e10),
    case("minus-1e30", -1e30),
    case("minus-2-to-the-15", -32768.0),
    case("minus-2-to-the-31", -2147483648),
    case("nan", math.nan),
]


def scored(verifier: Any, *samples: Sample[str]) -> list[float | None]:
    """The scores that a search gives to these recorded samples."""
    result = solve_sync(PROMPT, BestOfN(len(samples), verifier), generator=Recorded({PROMPT: list(samples)}))
    return [candidate.score for candidate in result.candidates]


def text(value: str, *tops: tuple[tuple[str, float], ...]) -> Sample[str]:
    tokens = tuple(Token("4", top[0][1] if top else -0.1, top) for top in tops)
    return Sample(value, logprobs=tokens, usage=Usage(model_calls=1, generated_tokens=len(tokens)))


VERIFIERS = [
    case("deepconf", DeepConf(window=1)),
    case("certainty", SelfCertainty(100)),
    case("wide", DeepConf(window=2)),
]


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("mask", MASKS)
def test_a_masked_rival_changes_no_score(verifier: Any, mask: float) -> None:
    """With the masked rival the score is what it is without, or the verifier abstains."""
    [with_it] = scored(verifier, text("a", RIVALS, (*RIVALS, ("6", mask))))
    [without] = scored(verifier, text("a", RIVALS, RIVALS))
    assert with_it is None or with_it == pytest.approx(without)


@pytest.mark.parametrize("mask", MASKS)
def test_a_masked_rival_does_not_win(mask: float) -> None:
    """A text with a masked rival, otherwise less sure, is not chosen before a sure one."""
    sure = text("sure", (("4", -0.01), ("5", -6.0)))
    masked = text("masked", (("4", -0.7), ("5", -0.8), ("6", mask)))
    for order in ([sure, masked], [masked, sure]):
        result = solve_sync(PROMPT, BestOfN(2, DeepConf(window=1)), generator=Recorded({PROMPT: order}))
        assert result.answer == "sure"


@pytest.mark.parametrize("mask", MASKS)
def test_a_token_whose_rivals_are_all_masked_has_no_confidence(mask: float) -> None:
    """Nothing is known of such a token: the others decide, or the verifier abstains; the score is finite."""
    [score] = scored(DeepConf(window=1), text("a", RIVALS, (("4", mask), ("5", mask))))
    [alone] = scored(DeepConf(window=1), text("a", RIVALS))
    assert score is None or score == pytest.approx(alone)


@pytest.mark.parametrize("mask", MASKS)
def test_a_masked_token_does_not_sink_a_text(mask: float) -> None:
    """The sampled token itself with the sentinel (vllm-project/vllm#11073): the mean is finite and of a possible size."""
    tokens = (Token("4", -0.1, RIVALS), Token(".", mask, RIVALS))
    [score] = scored(LogProb(), Sample("a", logprobs=tokens, usage=Usage(model_calls=1, generated_tokens=2)))
    assert score is None or -1000 < score <= 0


def entry(token: str, logprob: float, *rivals: tuple[str, float]) -> dict[str, Any]:
    tops = [{"token": t, "logprob": p} for t, p in ((token, logprob), *rivals)]
    return {"token": token, "logprob": logprob, "top_logprobs": tops}


@pytest.mark.parametrize("mask", MASKS)
def test_masked_rivals_over_http(mask: float) -> None:
    """The answer that carries them is read."""
    body = completion(logprobs={"content": [entry("4", -0.1, ("5", mask))]})
    found = ask(http(body), Params(max_tokens=16, logprobs=2))
    assert isinstance(found, Sample), found
    [score] = scored(DeepConf(window=1), found)
    assert score is None or 0 <= score < 50


@pytest.mark.parametrize("mask", MASKS)
def test_masked_rivals_hide_no_doubt_from_a_floor(mask: float) -> None:
    """An unsure text, streamed, falls below its floor although a rival is masked."""
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": "4"}, "finish_reason": None, "logprobs": {"content": [entry("4", -0.7, ("5", -0.8), ("6", mask))]}}]}
        for _ in range(8)
    ]  # fmt: skip
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    params = Params(max_tokens=16, logprobs=3, floor=ConfidenceFloor(2, 5.0))
    found = ask(http(events(*chunks, last), kind="text/event-stream"), params)
    assert isinstance(found, Sample), found
    assert found.finish == "length"


# Tokens that could be no other, as a grammar forces them: certain, and every rival masked.
FORCED = [
    case(name, logprob, rivals)
    for name, logprob, rivals in [
        ("zero", 0.0, (-9999.0, -9999.0)),
        ("minus-zero", -0.0, (-9999.0,)),
        ("an-integer", 0, (-9999, -9999)),
        ("rounded", -1.1920929e-07, (-9999.0, -9999.0)),
        ("rounded-above", 1.1920929e-07, (-9999.0,)),
        ("minus-infinity", 0.0, (-math.inf, -math.inf)),
        ("least-float32", 0.0, (-3.4028234663852886e38,) * 2),
        ("least-float16", 0.0, (-65504.0, -65504.0)),
        ("minus-1e9", 0.0, (-1e9,)),
        ("minus-1001", 0.0, (-1001.0,)),
        ("null", 0.0, (None, None)),
        ("null-and-mask", 0.0, (None, -9999.0)),
        ("mixed", 0.0, (-math.inf, -9999.0, -1e30)),
        ("nineteen", 0.0, (-9999.0,) * 19),
        ("nan", 0.0, (math.nan, math.nan)),
        ("a-text", 0.0, ("-inf", "-inf")),
    ]
]


def forced(logprob: float, rivals: tuple[Any, ...]) -> dict[str, Any]:
    return entry("{", logprob, *((f"r{i}", p) for i, p in enumerate(rivals)))


@pytest.mark.parametrize(("logprob", "rivals"), FORCED)
def test_a_forced_token_is_no_doubt_for_a_score(logprob: float, rivals: tuple[Any, ...]) -> None:
    """A sure text with forced tokens scores as it does without them, and is chosen before an unsure one."""
    sure, unsure = entry("4", -0.01, ("5", -6.0)), entry("9", -0.7, ("8", -0.8))
    params = Params(max_tokens=16, logprobs=3)
    bodies = [
        completion("{4", logprobs={"content": [forced(logprob, rivals), sure]}),
        completion("99", logprobs={"content": [unsure] * 2}),
    ]
    first, second = (ask(http(body), params) for body in bodies)
    result = solve_sync(PROMPT, BestOfN(2, DeepConf(window=1)), generator=Recorded({PROMPT: [first, second]}))
    assert result.answer == "{4"
    assert [c.score for c in result.candidates] == pytest.approx([3.005, 0.75])


@pytest.mark.parametrize(("logprob", "rivals"), FORCED)
def test_a_forced_token_ends_no_text(logprob: float, rivals: tuple[Any, ...]) -> None:
    """Streamed, with a floor above 0: the text goes on."""
    tokens = [forced(logprob, rivals), entry("4", -0.01, ("5", -6.0)), forced(logprob, rivals)]
    chunks = [
        {
            "choices": [
                {"index": 0, "delta": {"content": t["token"]}, "finish_reason": None, "logprobs": {"content": [t]}}
            ]
        }
        for t in tokens
    ]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    params = Params(max_tokens=16, logprobs=3, floor=ConfidenceFloor(1, 1.0))
    found = ask(http(events(*chunks, last), kind="text/event-stream"), params)
    assert isinstance(found, Sample), found
    assert (found.text, found.finish) == ("{4{", "stop")
