"""Rivals and tokens that a server masked: they say nothing of a model's doubt, whatever number stands for them."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.confidence import MASKED, Fall, Watch, confidence, known, least
from searchkit.types import ConfidenceFloor, Token
from searchkit.verifiers import DeepConf, LogProb, SelfCertainty

MASKS = [-math.inf, math.nan, -9999.0, -9999.5, -10_000.0, -10_012.3, -65504.0, -32768.0, -(2.0**31), -1e5, -1e6, -1e9, -1e10,
         -1e30, -3.4028234663852886e38, -1.7976931348623157e308, -1001.0, MASKED, -5000.0, -99999.0]  # fmt: skip
REAL = [0.0, -0.1, -20.0, -100.0, -150.0, -500.0, -999.0]  # a logit bias of -100 among them


def rivals(*logs: float) -> Token:
    return Token("x", logs[0], tuple((f"t{i}", log) for i, log in enumerate(logs)))


@pytest.mark.parametrize("mask", MASKS)
def test_a_mask_is_as_good_as_not_listed(mask: float) -> None:
    """In every score, wherever it stands in the list, alone or many times."""
    plain = (rivals(-0.1, -2.5), rivals(-0.7, -0.8, -3.0))
    for verifier in (
        DeepConf(1),
        DeepConf(2),
        DeepConf(1, "mean"),
        DeepConf(2, "tail"),
        DeepConf(1, "bottom"),
        SelfCertainty(50),
    ):
        wanted = verifier.score(plain)
        for logs in ((-0.1, -2.5, mask), (mask, -0.1, -2.5), (mask, -0.1, mask, -2.5, mask, mask)):
            assert verifier.score((rivals(*logs), plain[1])) == wanted
    assert known([mask, -1.0, mask]) == [-1.0]


@pytest.mark.parametrize("mask", MASKS)
def test_a_token_of_which_all_is_masked_does_not_count(mask: float) -> None:
    odd, plain = rivals(mask, mask), (rivals(-0.1, -2.5), rivals(-0.7, -0.8))
    assert confidence([mask]) is None
    assert least((odd, *plain, odd), 1) == least(plain, 1)
    assert DeepConf(1).score((odd, *plain)) == DeepConf(1).score(plain)
    assert SelfCertainty(9).score((odd, *plain)) == SelfCertainty(9).score(plain)
    for verifier in (DeepConf(1), SelfCertainty(9)):
        assert verifier.score((odd, odd)) is None
    assert least((odd,), 3) is None


@pytest.mark.parametrize("mask", MASKS)
def test_a_masked_token_leaves_its_text_without_a_likelihood(mask: float) -> None:
    for mode in ("mean", "sum", "min"):
        assert LogProb(mode).score((Token("a", -0.1), Token("b", mask))) is None
        assert LogProb(mode, probability=True).score((Token("b", mask),)) is None


@pytest.mark.parametrize("log", REAL)
def test_what_a_model_can_say_counts(log: float) -> None:
    assert known([log]) == [log]
    assert confidence([log]) == -log
    assert LogProb().score((Token("a", log),)) == min(log, 0.0)


@given(
    st.lists(st.lists(st.sampled_from([*MASKS, *REAL]) | st.floats(-40, 0), min_size=1, max_size=5), max_size=20),
    st.integers(1, 9),
)
def test_a_floor_and_a_score_agree(tokens: list[list[float]], window: int) -> None:
    """Masks or not, the least full window is where the first fall would be."""
    drawn = [rivals(*logs) for logs in tokens]
    watch, groups = Watch(window), list[float]()
    for logs in tokens:
        found = watch.add(logs)
        groups += [] if found is None else [found]
    score = DeepConf(window).score(drawn) if drawn else None
    assert score == least(drawn, window)
    if groups:
        assert min(groups) == score
        fall = Fall(ConfidenceFloor(window, min(groups)))
        assert not any(fall.at(logs) for logs in tokens)


def test_masks_hide_no_doubt() -> None:
    """An unsure text with masks among its rivals falls where it falls without them."""
    rng = random.Random(3)
    for _ in range(100):
        plain = [[-rng.expovariate(0.5) for _ in range(3)] for _ in range(20)]
        masked = [rng.sample([*logs, *rng.choices(MASKS, k=3)], 6) for logs in plain]
        bar = rng.uniform(1, 4)
        falls = [[i for i, logs in enumerate(rows) if fall.at(logs)][:1]
                 for rows, fall in ((rows, Fall(ConfidenceFloor(4, bar))) for rows in (plain, masked))]  # fmt: skip
        assert falls[0] == falls[1]
