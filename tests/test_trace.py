"""Traces: text for people, JSON for machines, and nothing that could steer a terminal."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from searchkit import Model, Params, solve
from searchkit.generators import OpenAI, Simulated
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.testing.server import Server
from searchkit.trace import Span
from searchkit.types import Usage
from searchkit.verifiers import Predicate


def hostile(value: str) -> float:
    return 0.5


def test_the_rendered_trace_is_bounded_and_escapes_control_characters() -> None:
    """At most so many lines of so many columns; an escape sequence that a model wrote does not come through."""
    answers = {"\x1b[31mred\x07": 0.5, "two\nlines": 0.5}
    result = asyncio.run(solve("q", BestOfN(50, Predicate(hostile)), generator=Model(Simulated(answers))))
    shown = result.trace.render(width=60, most=20)
    assert len(shown.splitlines()) == 21
    assert "branches not shown" in shown.splitlines()[-1]
    assert max(map(len, shown.splitlines())) <= 60
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "two | lines" in result.trace.render()


def test_totals_are_the_results_usage() -> None:
    """Usage summed over the tree equals what was charged to the search."""
    strategy = BestOfN(3, Predicate(hostile), generator=SelfConsistency(4))
    result = asyncio.run(solve("q", strategy, generator=Model(Simulated.coin(0.5))))
    assert result.trace.total() == result.usage
    assert result.sequential_tokens == 10
    assert json.loads(result.trace.to_json())["children"]


def test_a_trace_of_thousands_of_spans_round_trips() -> None:
    """Two thousand calls: JSON and back, walked without recursion."""
    result = asyncio.run(solve("q", SelfConsistency(2000), generator=Model(Simulated.coin(0.5))))
    again = Span.from_json(result.trace.to_json())
    assert sum(1 for _ in again.walk()) == sum(1 for _ in result.trace.walk()) > 4_000
    assert again.total() == result.usage


def test_an_api_key_reaches_neither_trace_nor_journal_nor_result(tmp_path) -> None:
    """A key that the server demands, and quotes when it refuses another: it is in nothing that is stored or shown."""
    right, wrong = "sk-right-0123456789", "sk-wrong-9876543210"
    path = tmp_path / "run.db"
    with Server(api_key=right) as server:
        good = Model(OpenAI(server.url, "test-model", api_key=right), Params(max_tokens=8))
        result = asyncio.run(solve("q", SelfConsistency(4), generator=good, journal=path))
        bad = Model(OpenAI(server.url, "test-model", api_key=wrong), Params(max_tokens=8))
        try:
            asyncio.run(solve("q", SelfConsistency(4), generator=bad, journal=path))
            raise AssertionError("a wrong key was accepted")
        except Exception as error:
            refused = f"{error!r} {error}"
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    shown = repr(result) + result.trace.to_json() + result.trace.render() + repr(good) + repr(bad) + refused
    for key in (right, wrong):
        assert key.encode() not in stored
        assert key not in shown


@given(st.lists(st.sampled_from(["after", "error", "place", "replayed", "retried", "waiting"]), max_size=8))
def test_rare_fields_are_kept_in_any_order(names: list[str]) -> None:
    """Inv. Each has the last value that it was given, its default if it was given none, also that which is stored."""
    values = {
        "after": 3,
        "error": "E",
        "place": "p",
        "replayed": True,
        "retried": Usage(model_calls=1),
        "waiting": True,
    }
    span, plain = Span("a", "item"), Span("a", "item")
    for number, name in enumerate(names):
        default = names[:number].count(name) % 2  # set, taken back, set again
        setattr(span, name, getattr(plain, name) if default else values[name])
    for name, value in values.items():
        assert getattr(span, name) == (value if names.count(name) % 2 else getattr(plain, name))
    assert Span.load(span.dumped()).dumped() == span.dumped()


@given(st.floats(0, 100), st.integers(0, 9))
def test_a_single_verdict_costs_what_it_did(seconds: float, n: int) -> None:
    """Inv. It reads, adds up and is stored as any usage; children read as a sequence, however many there are."""
    span, plain = Span("a", "group"), Span("a", "group")
    for index in range(n):
        span.add("score", "item", index).verified(seconds)
        plain.add("score", "item", index).usage = Usage(verifications=1, cpu_seconds=seconds)
    for one in (span, plain):
        one.end("ok")
    assert [c.usage for c in span.children] == [c.usage for c in plain.children]
    assert [c.index for c in span.children] == list(range(n))
    assert span.total() == plain.total()
    assert span.sequential_tokens() == 0
    assert span.canonical() == plain.canonical()
    assert Span.from_json(span.to_json()).to_json() == span.to_json()
