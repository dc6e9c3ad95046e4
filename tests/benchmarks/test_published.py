"""The published results that recordings give back exactly, by the library's own estimators."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks import published
from searchkit.experiments.estimators.replaying import Adaptive, replay
from searchkit.strategies.sampling.stopping import BetaStopping, EarlyStopping

if not published.DATA.is_dir():
    pytest.skip("the recorded generations are not in ../shared/data", allow_module_level=True)

# In percent. The two majorities with ties split, by hand: of the 9 puzzles that the right answer leads, one is tied
# between three answers and one between two; of the 93 problems, three are tied between two of which two came first.
VALUES = {
    "game24_direct_mean": 7.34,
    "game24_direct_best_of_100": 33,
    "game24_cot_mean": 4.03,
    "game24_cot_best_of_100": 49,
    "game24_cot_majority": 9,
    "game24_cot_majority_ties_split": 8 + 1 / 2 + 1 / 3,
    "game24_tot_any_of_5": 69,
    "game24_tot_mean": 23.8,
    "qwen_math_mean": 91,
    "qwen_math_majority": 93,
    "qwen_math_majority_ties_split": 92.5,
    "qwen_math_reward": 94,
    "qwen_math_weighted": 94,
    "qwen_math_any_of_8": 96,
    "gsm8k_6b_finetuning": 100 * 286 / 1319,
    "gsm8k_6b_verification": 100 * 515 / 1319,
    "gsm8k_6b_difference": 100 * 229 / 1319,
    "gsm8k_175b_finetuning": 100 * 458 / 1319,
    "gsm8k_175b_verification": 100 * 742 / 1319,
    "gsm8k_175b_difference": 100 * 284 / 1319,
}


@pytest.fixture(scope="module")
def figures():
    return published.figures(published.DATA)


@pytest.mark.slow
def test_values_are_exact(figures):
    """Every figure, to the last sample."""
    assert {name: figure.value for name, figure in figures.items()} == pytest.approx(VALUES)


@pytest.mark.slow
def test_what_was_published_is_met(figures):
    """Within the rounding of the sources, which print one decimal at most."""
    known = {name: figure for name, figure in figures.items() if figure.published is not None}
    assert known.keys() == published.PUBLISHED.keys()
    assert all(abs(figure.value - figure.published) <= 0.05 for figure in known.values())


@pytest.mark.slow
def test_intervals_say_what_so_few_problems_can(figures):
    """Each holds its value; a share of n problems has about twice 1.96 standard errors of width; pairing narrows."""
    for name, figure in figures.items():
        assert figure.low < figure.value < figure.high, name
        if figure.value == round(figure.value):  # counts of 100 problems
            share = figure.value / 100
            assert figure.high - figure.low == pytest.approx(2 * 196 * (share * (1 - share) / 100) ** 0.5, abs=3), name
    for size in ("6b", "175b"):
        tuned, verified, gap = (figures[f"gsm8k_{size}_{n}"] for n in ("finetuning", "verification", "difference"))
        assert gap.value == pytest.approx(verified.value - tuned.value)
        assert gap.low > 0
        assert gap.high - gap.low < (tuned.high - tuned.low) + (verified.high - verified.low)


def test_stopping_early_on_recorded_solutions():
    """Qwen2.5-Math's 8 solutions: stopping rules save samples and keep the accuracy of the vote within its noise.

    A rule that never stops, replayed on shuffled orders, is the exact vote with ties split.
    """
    pool = published.qwen_math(published.DATA)
    never, beta, windows = (
        replay(pool, Adaptive(r), [8], trials=100) for r in (BetaStopping(2.0), BetaStopping(), EarlyStopping(4))
    )
    assert never.mean[0] == pytest.approx(pool.curve("maj@k", [8]).mean[0], abs=0.01)
    assert never.samples == (8.0,)
    for rule in (beta, windows):
        assert 4 <= rule.samples[0] < 6
        assert rule.mean[0] == pytest.approx(never.mean[0], abs=0.02)


@pytest.mark.slow
def test_the_table_shows_every_figure(figures):
    """A line each, with its interval and what was published."""
    head, *rows = published.table(figures).splitlines()
    assert head.split() == ["value", "95", "%", "interval", "published"]
    assert [row.split()[0] for row in rows] == list(VALUES)
    direct = figures["game24_direct_mean"]
    assert rows[0].split() == ["game24_direct_mean", "7.34", f"[{direct.low:.1f},", f"{direct.high:.1f}]", "7.3"]


def test_the_command_names_what_is_missing(tmp_path):
    """In a folder without recordings it says which file it wants, and how to name another folder."""
    command = [sys.executable, published.__file__, "--json", "--data", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "naive_standard" in ran.stderr
    assert "with --data" in ran.stderr
