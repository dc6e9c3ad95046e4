"""Values in a journal that are not JSON: stored by their return annotation, refused before a call, or pickled."""

from __future__ import annotations

import asyncio
import enum
import pickle
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import pydantic
import pytest
from typing_extensions import TypeAliasType

from searchkit import Codec, ConfigError, Function, Sample, parts, search, solve_sync
from searchkit.annotated import codec_for
from searchkit.strategies import SelfConsistency


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Flight:
    price: int
    day: date
    stops: tuple[str, ...] = ()
    colour: Colour = Colour.RED


@dataclass
class Trip:
    flights: list[Flight]
    notes: dict[int, set[str]] = field(default_factory=dict)


class Booking(TypedDict):
    flight: Flight
    at: datetime


class Place(NamedTuple):
    x: int
    name: str


class Model(pydantic.BaseModel):
    a: int
    tags: frozenset[str] = frozenset()


class Base(pydantic.BaseModel):
    kind: str


@dataclass(frozen=True)
class Node:
    pass


@dataclass(frozen=True)
class Leaf(Node):
    number: int


@dataclass(frozen=True)
class Branch(Node):
    name: str
    below: list[Node]
    at: datetime


class Other(Base):
    more: Node
    extra: dict[str, Any]


@dataclass
class Conversation:
    messages: list[Base]
    by_name: dict[str, Base]
    pair: tuple[Node, str]


@dataclass
class Counted:
    """It reckons a field, and takes other arguments than it has fields."""

    a: int
    total: int = field(init=False)

    def __init__(self, a: int, b: int) -> None:
        self.a, self.total = a, a + b


T = TypeVar("T")


@dataclass
class Boxed(Generic[T]):
    value: T


class Stored:
    """It says how it is stored."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    def to_dict(self) -> dict[str, Any]:
        return self.content

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Stored:
        return cls(content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stored) and self.content == other.content

    __hash__ = None  # type: ignore[assignment]


class Keyed:
    """As DSPy's predictions: a dictionary by one name, and made of keywords."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def toDict(self) -> dict[str, Any]:
        return self.fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyed) and self.fields == other.fields

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Priced:
    """A whole number where the type says a number with a fraction: it stays one."""

    price: float


Named = TypeAliasType("Named", Base | str)


class State(TypedDict):
    messages: list[Base]
    turn: int


class Opaque:
    pass


@dataclass(frozen=True)
class Holding:
    tool: Callable[[int], int]


FLIGHT = Flight(300, date(2026, 5, 1), ("Oslo", "Rome"))
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STORABLE: list[tuple[Any, Any]] = [
    (Flight, FLIGHT),
    (Trip, Trip([FLIGHT], {1: {"late"}})),
    (Booking, {"flight": FLIGHT, "at": NOW}),
    (list[Booking], [{"flight": FLIGHT, "at": NOW}]),
    (Model, Model(a=1, tags=frozenset("ab"))),
    (Place, Place(1, "here")),
    (Colour, Colour.RED),
    (Level, Level.LOW),
    (datetime, NOW),
    (timedelta, timedelta(seconds=5)),
    (Decimal, Decimal("0.10")),
    (tuple[int, str], (1, "a")),
    (tuple[Flight, ...], (FLIGHT,)),
    (set[int], {1, 2}),
    (frozenset[str], frozenset("ab")),
    (bytes, b"raw"),
    (Flight | None, FLIGHT),
    (Flight | None, None),
    (Flight | str, "none found"),
    (dict[str, Flight], {"a": FLIGHT}),
    (Sequence[Flight], [FLIGHT]),
    (Sample[Flight], FLIGHT),
    (Awaitable[Flight], FLIGHT),
    (Path, Path("a/b")),
    (datetime | str, "2026-05-01T12:00:00"),
    (Base, Other(kind="other", more=Leaf(2), extra={"a": [1, None]})),
    (list[Base], [Base(kind="base"), Other(kind="other", more=Leaf(2), extra={})]),
    (Conversation, Conversation([Other(kind="o", more=Leaf(1), extra={})], {"by": Base(kind="b")}, (Leaf(1), "x"))),
    (Sequence[Node], [Branch("root", [Leaf(1), Branch("inner", [], NOW)], NOW)]),
    (Node | None, Leaf(3)),
    (Counted, Counted(2, 3)),
    (Boxed[Base], Boxed(Other(kind="o", more=Leaf(1), extra={}))),
    (Stored, Stored({"a": 1})),
    (list[Stored], [Stored({"a": [1, "b"]})]),
    (Keyed, Keyed(a=1, b="c")),
    (Priced, Priced(0)),  # type: ignore[arg-type]
    (Named, Other(kind="o", more=Leaf(1), extra={})),
    (list[Named], [Base(kind="b"), "text"]),
    (State, {"messages": [Other(kind="o", more=Leaf(1), extra={})], "turn": 2}),
]


def annotated(annotation: Any, value: Any = None) -> Any:
    def agent(text: str) -> Any:
        CALLS.append(text)
        return value

    agent.__annotations__["return"] = annotation
    return agent


CALLS: list[str] = []


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@pytest.mark.parametrize(("annotation", "value"), STORABLE, ids=map(str, range(len(STORABLE))))  # sets have no order
def test_a_value_comes_back_as_it_was(annotation: Any, value: Any, tmp_path: Path) -> None:
    """Equal, and of the same type; called once, for both searches."""
    for _ in range(2):
        agent = Function(annotated(annotation, value), name="agent")
        answer = solve_sync("q", agent, journal=tmp_path / "run.db").answer
        assert (answer, type(answer)) == (value, type(value))
    assert CALLS == ["q"]


@pytest.mark.parametrize(
    "annotation", [Opaque, Holding, Callable[[int], int], Iterator[int], list[Opaque], Flight | Opaque, type(sys)]
)
def test_what_cannot_be_stored_is_refused_before_the_first_call(annotation: Any, tmp_path: Path) -> None:
    """The annotation shows it, so nothing is paid; without a journal nothing is wrong with it."""
    agent = annotated(annotation, 1)
    with pytest.raises(ConfigError, match=r"cannot be stored .*codec=Codec\(dump, load\)"):
        solve_sync("q", Function(agent, name="agent"), journal=tmp_path / "run.db")
    assert CALLS == []
    assert solve_sync("q", Function(agent)).answer == 1


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Flight, {"price": 3}),  # not what was promised
        (Sequence[str], ("a",)),  # would be a list
        (Flight, Flight(1, "2026-05-01")),  # type: ignore[arg-type]
        (pydantic.SecretStr, pydantic.SecretStr("key")),  # would be asterisks
        (set[float], {float("nan")}),
    ],
    ids=str,
)
def test_a_value_that_would_come_back_changed_is_refused(annotation: Any, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"would come back as|cannot be stored"):
        solve_sync("q", Function(annotated(annotation, value), name="agent"), journal=tmp_path / "run.db")


@pytest.mark.parametrize(
    "annotation",
    [str, dict, list[str], dict[str, Any], int | None, Literal["a", 1], Any, object, None, "Unknown", Sample, "int"],
)
def test_json_needs_no_codec(annotation: Any) -> None:
    """Nor does an annotation that says nothing: such rows are what they always were."""
    assert codec_for(annotated(annotation)) is None
    assert codec_for(lambda text: text) is None
    assert codec_for(str) is None


@pytest.mark.parametrize(
    ("stored", "annotation"),
    [
        ({"tests.test_stored_values:Opaque": {}}, Base),
        ({"subprocess:Popen": {"args": ["true"]}}, Base),
        ({"tests.test_stored_values:Base": {"kind": "b"}}, Node),
        ({"tests.test_stored_values:Leaf": {"number": "2"}}, Node),
        ({"tests.test_stored_values:Leaf": {"number": 2, "more": 1}}, Node),
        ({"tests.test_stored_values:Leaf": {}}, Node),
        ([{"tests.test_stored_values:Leaf": {"number": 2}}], Node),
        ({"tuple": [1, 2, 3]}, tuple[int, int]),
        ({"dict": [["a", "b"]]}, dict[str, int]),
        ({"": "no date"}, datetime),
        ({}, Node), ({"a": 1, "b": 2}, Node), (7, Node), ("x", Node), (None, Node), (True, int), ([1], str),
    ],
    ids=map(str, range(17)),
)  # fmt: skip
def test_a_journal_names_no_class_that_its_place_does_not_admit(stored: Any, annotation: Any) -> None:
    """What another person wrote into it is an error, and no code of other classes runs."""
    with pytest.raises((ValueError, TypeError)):
        parts.loaded(stored, annotation)


@pytest.mark.parametrize("annotation", [list[Opaque | Leaf], Holding, Boxed[Holding], Sequence[Opaque]], ids=str)
def test_a_type_one_of_whose_alternatives_cannot_be_stored_is_refused_before(annotation: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be stored"):
        codec_for(annotated(annotation))


def test_an_unannotated_value_is_refused_when_it_is_there(tmp_path: Path) -> None:
    """Only then can it be known; the message names all three ways out."""
    with pytest.raises(ConfigError, match="codec="):
        solve_sync("q", Function(lambda text: {1, 2}, name="agent"), journal=tmp_path / "run.db")


def test_pickled_only_if_asked(tmp_path: Path) -> None:
    """`codec="pickle"` stores what nothing else can; a codec of one's own goes before the annotation."""
    for _ in range(2):
        agent = Function(annotated(Opaque, complex(1, 2)), name="agent", codec="pickle")
        assert solve_sync("q", agent, journal=tmp_path / "a.db").answer == 1 + 2j
        own = Function(annotated(Flight, FLIGHT), name="own", codec=Codec(lambda f: f.price, lambda p: p + 1))
        solve_sync("q", own, journal=tmp_path / "b.db")
    assert solve_sync("q", own, journal=tmp_path / "b.db").answer == 301
    assert CALLS == ["q"] * 2
    with pytest.raises(ConfigError, match="codec must be"):
        Function(str, codec="json")  # type: ignore[arg-type]


def test_functions_pickle_after_use(tmp_path: Path) -> None:
    """What a `Function` found out about itself stays behind."""
    agent = Function(annotated(Flight), name="agent")
    assert agent.stored is not None
    assert not agent.signature.asks("run")
    assert agent.__getstate__().keys() == {f.name for f in fields(Function)}
    named = Function(str.upper, name="upper")
    assert not named.signature.asks("run")
    assert pickle.loads(pickle.dumps(named)) == named


def test_a_coroutine_under_search_is_stored_too(tmp_path: Path) -> None:
    """The annotation of an `async def` is what it comes to."""

    @search(SelfConsistency(3, key=str), journal=tmp_path / "run.db", name="agent")
    async def agent(text: str) -> Flight:
        CALLS.append(text)
        return FLIGHT

    assert asyncio.run(agent("q")) == asyncio.run(agent("q")) == FLIGHT
    assert CALLS == ["q"] * 3


PROGRAM = """
import os, sys
from dataclasses import dataclass
from datetime import date
from searchkit import Run, search
from searchkit.strategies import BestOfN
from searchkit.verifiers import Predicate

@dataclass(frozen=True)
class Flight:
    price: int
    day: date
    stops: tuple[str, ...]

def cheap(flight: Flight) -> float:
    return 1 - flight.price / 1000

calls = 0

@search(BestOfN(6, Predicate(cheap, name="cheap"), window=1), journal="run.db")
def book(to: str, run: Run | None = None) -> Flight:
    global calls
    calls += 1
    if calls > int(sys.argv[1]):
        os._exit(9)  # as a kill does: no clean-up of any kind
    return Flight([700, 600, 500, 300, 400, 450][run.index], date(2026, 5, 1), (to, "Rome"))

print(book("Oslo"), calls)
"""


@pytest.mark.slow
def test_killed_and_resumed_with_a_dataclass(tmp_path: Path) -> None:
    """Killed in its fourth call, the search resumes: three answers are loaded as what they were, three are made."""
    (tmp_path / "program.py").write_text(PROGRAM)

    def ran(calls: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "program.py", str(calls)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)

    killed = ran(3)
    assert (killed.returncode, killed.stdout) == (9, "")
    resumed = ran(99)
    answer = "Flight(price=300, day=datetime.date(2026, 5, 1), stops=('Oslo', 'Rome'))"
    assert (resumed.stdout, resumed.stderr) == (f"{answer} 3\n", "")
    assert ran(0).stdout.endswith(" 0\n")
