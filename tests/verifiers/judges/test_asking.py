"""What is asked of a model by a judge, how often and with what: mistakes are named before anything is paid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from searchkit import ConfigError
from searchkit.strategies import Refine
from searchkit.verifiers import (
    Critic,
    Debate,
    Distinguish,
    DualAgreement,
    FactCheck,
    Judge,
    ListwiseJudge,
    MutualConsistency,
    PairwiseJudge,
    Predicate,
    PYes,
    Reproduces,
    UniversalConsistency,
)

LEAST: Mapping[Any, Mapping[str, int]] = {
    Critic: {"retries": 0},
    FactCheck: {"questions": 1, "retries": 0},
    Judge: {"samples": 1, "retries": 0},
    PairwiseJudge: {"retries": 0},
    PYes: {"chains": 0, "retries": 0},
    ListwiseJudge: {"window": 2, "permutations": 1, "retries": 0},
    Debate: {"rounds": 1, "retries": 0},
    UniversalConsistency: {"retries": 0},
    MutualConsistency: {"masks": 1},
    DualAgreement: {"samples": 1},
    Distinguish: {"top": 2, "rounds": 1},
    Reproduces: {"samples": 1},
}
NEEDED: Mapping[Any, Mapping[str, Any]] = {Debate: {"judge": Judge()}, Reproduces: {"base": "x = 1"}}


@pytest.mark.parametrize("judge", LEAST, ids=lambda judge: judge.__name__)
def test_counts_are_whole_numbers(judge: Any) -> None:
    """A float, a flag or a text would fail after the first call was paid, or count as another number."""
    needed = NEEDED.get(judge, {})
    for name, least in LEAST[judge].items():
        for wrong in (least - 1, least + 0.5, float(least), True, "2", None, [], math.nan, math.inf):
            with pytest.raises(ConfigError, match=rf"{judge.__name__} needs {name} >= {least}"):
                judge(**needed, **{name: wrong})
        assert getattr(judge(**needed, **{name: least}), name) == least


@pytest.mark.parametrize("judge", LEAST, ids=lambda judge: judge.__name__)
def test_parameters_and_templates_are_what_they_should_be(judge: Any) -> None:
    needed = NEEDED.get(judge, {})
    with pytest.raises(ConfigError, match="params= are Params"):
        judge(**needed, params={"temperature": 0.0})
    for wrong in (3, [], b"{answer}"):
        if "template" in judge.__dataclass_fields__:
            with pytest.raises(ConfigError, match="a template is a text"):
                judge(**needed, template=wrong)


@pytest.mark.parametrize("wrong", [True, [], "0.5", b"1", math.nan, 2], ids=repr)
def test_a_threshold_is_a_number_within_the_range(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="threshold"):
        Refine(1, Predicate(len, range=(0, 1)), "last", threshold=wrong)
