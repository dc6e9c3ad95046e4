"""Values that are made quickly are frozen dataclasses like any other: Python's own `__init__` is the oracle."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from typing import Any, Generic, TypeVar

import pytest

from searchkit.quick import quick
from searchkit.tally import Tally
from searchkit.types import Sample, Usage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Slow(Generic[T]):
    """As it is written."""

    first: T
    second: int = 2
    third: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.second < 0:
            raise ValueError("negative")
        object.__setattr__(self, "third", (*self.third, self.second))


_BODY = {
    "__annotations__": {"first": Any, "second": int, "third": tuple},
    "second": 2,
    "third": (),
    "__post_init__": Slow.__post_init__,
}
Quick: Any = quick(dataclass(frozen=True, slots=True)(type("Slow", (), _BODY)))


@dataclass(frozen=True, slots=True)
class More(Sample[str]):
    """A subclass with a field of its own."""

    more: int = 0


@pytest.mark.parametrize("given", [((1,), {}), ((1, 3), {}), ((), {"first": 1, "third": (5,)}), ((1, 2, (3,)), {})])
def test_it_has_the_fields_that_it_is_given(given: Any) -> None:
    """By place and by name, with defaults, and after `__post_init__`."""
    slow, fast = Slow(*given[0], **given[1]), Quick(*given[0], **given[1])
    assert [getattr(fast, f.name) for f in fields(fast)] == [getattr(slow, f.name) for f in fields(slow)]
    assert repr(fast) == repr(slow)
    assert inspect.signature(Quick).parameters.keys() == inspect.signature(Slow).parameters.keys()


def test_it_refuses_what_a_dataclass_refuses() -> None:
    """Missing, unknown and wrong arguments; and assignment, once it is made."""
    for given in ({}, {"first": 1, "fourth": 2}):
        with pytest.raises(TypeError):
            Quick(**given)
    with pytest.raises(ValueError, match="negative"):
        Quick(1, -1)
    with pytest.raises(FrozenInstanceError):
        Quick(1).first = 2


def test_samples_stay_what_they_were() -> None:
    """Replaced, copied, pickled, and extended by a subclass."""
    sample = Sample("text", stop_reason="/", usage=Usage(generations=1))
    assert type(sample) is Sample
    assert replace(sample, value="other") == Sample("other", stop_reason="/", usage=Usage(generations=1))
    assert pickle.loads(pickle.dumps(sample)) == copy.deepcopy(sample) == sample
    assert hash(sample) == hash(copy.copy(sample))
    more = More("text", more=3)
    assert (type(more), more.value, more.more, more.finish) == (More, "text", 3, "stop")


def test_a_tally_is_a_sum() -> None:
    """Bit by bit what adding one by one gives, the longest context included."""
    usages = [Usage(i, 2 * i, 1, i * i, i % 3, 5, i % 2, 0.1 * i, 1e-7 / (i + 1), 37 * i % 11) for i in range(50)]
    tally, summed = Tally(), Usage()
    for usage in usages:
        tally.add(usage)
        summed += usage
        assert tally.usage == summed
