"""JSON that is legal, or nearly: deep, enormous, ambiguous, or full of what no file and no terminal can hold."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from searchkit import CallError, Model, Sample, solve_sync
from searchkit.calls import Request
from searchkit.generators import Cached, OpenAI
from searchkit.strategies import SelfConsistency
from tests.attacks.hostile import PARAMS, PROMPT, TEXT, Hostile, ask, case, completion, failure, http, sample

pytestmark = pytest.mark.filterwarnings(
    "ignore::searchkit.errors.SearchWarning"
)  # no reason, or 5 tokens for a million letters

GOOD = json.dumps(completion())
DEPTH = 100_000
TRANSPORTS = ("direct", "official")


def beside(field: str, value: str) -> str:
    """A healthy answer with one more field, written as it is."""
    return GOOD[:-1] + f', "{field}": {value}}}'


def put(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


DEEP = [
    case("lists", "[" * DEPTH + "]" * DEPTH),
    case("objects", '{"a":' * DEPTH + "1" + "}" * DEPTH),
    case("open-lists", "[" * DEPTH),
    case("mixed", '[{"a":' * DEPTH + "1" + "}]" * DEPTH),
    case("beside-the-answer", beside("x", "[" * DEPTH + "]" * DEPTH)),
    case("in-the-usage", put('"prompt_tokens": 7', '"prompt_tokens": ' + "[" * DEPTH + "]" * DEPTH)),
    case("in-the-content", put(json.dumps(TEXT), "[" * DEPTH + "]" * DEPTH)),
    case("in-the-error", '{"error": ' + '{"error": ' * DEPTH + '"x"' + "}" * (DEPTH + 1)),
    case("a-thousand", beside("x", "[" * 1200 + "]" * 1200)),
]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("body", DEEP)
def test_deep_json_is_a_call_error(body: str, transport: str) -> None:
    """Brackets beyond what Python's parser can follow: a sample, or a `CallError`, and never anything else."""
    entry = ask(http(body), transport=transport)
    assert isinstance(entry, CallError) or entry.text == TEXT


@pytest.mark.parametrize("status", ["400 Bad Request", "429 Too Many Requests", "500 Oops"])
@pytest.mark.parametrize("body", DEEP[:4])
def test_deep_json_in_the_body_of_an_error(body: str, status: str) -> None:
    """The same in an error, which is short."""
    assert len(str(failure(http(body, status)))) < 2000


READABLE = [
    case("number-of-5000-digits", beside("x", "9" * 5000)),
    case("float-of-5000-digits", beside("x", "0." + "9" * 5000)),
    case("exponent", beside("x", "1e999999")),
    case("minus-zero", beside("x", "-0")),
    case("infinity", beside("x", "Infinity")),
    case("nan", beside("x", "NaN")),
    case("created-of-5000-digits", put('"created": 1', '"created": ' + "9" * 5000)),
    case("a-key-twice", beside("object", '"chat.completion"')),
    case("usage-twice", beside("usage", '{"prompt_tokens": 7, "completion_tokens": 5}')),
    case("a-nul-in-a-key", beside("a\\u0000b", "1")),
    case("a-surrogate-in-a-key", beside("\\ud800", "1")),
    case("proto", beside("__proto__", '{"choices": []}')),
    case("class", beside("__class__", '"os.system"')),
    case("an-empty-key", beside("", "1")),
    case("100000-keys", beside("x", json.dumps({str(i): i for i in range(100_000)}))),
    case("blanks-around", " \r\n\t" * 1000 + GOOD + "\n" * 1000),
    case("byte-order-mark", "\ufeff" + GOOD),
]


@pytest.mark.parametrize("body", READABLE)
def test_odd_json_beside_the_answer_costs_nothing(body: str) -> None:
    """The text is there."""
    assert sample(http(body)).text == TEXT


AMBIGUOUS = [
    case("choices-twice-the-last-empty", beside("choices", "[]")),
    case("choices-twice", beside("choices", json.dumps(completion("5")["choices"]))),
    case("content-twice", put(json.dumps(TEXT), json.dumps(TEXT) + ', "content": "5"')),
    case("finish-twice", put('"finish_reason": "stop"', '"finish_reason": "length", "finish_reason": "stop"')),
    case("two-answers", GOOD + GOOD),
    case("garbage-behind", GOOD + "}"),
    case("a-comment", "// cached\n" + GOOD),
    case("a-trailing-comma", GOOD[:-1] + ",}"),
    case("single-quotes", GOOD.replace('"', "'")),
    case("a-raw-newline", put(json.dumps(TEXT), '"The answer\nis 4."')),
    case("a-raw-nul", put(json.dumps(TEXT), '"The answer\x00is 4."')),
    case("bad-utf-8", b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    case("overlong-utf-8", b'{"choices": [{"message": {"content": "\xc0\xaf"}}]}'),
    case("surrogate-bytes", b'{"choices": [{"message": {"content": "\xed\xa0\x80"}}]}'),
    case("usage-of-5000-digits", put('"completion_tokens": 5', '"completion_tokens": ' + "9" * 5000)),
]


@pytest.mark.parametrize("body", AMBIGUOUS)
def test_ambiguous_json_is_a_sample_or_a_call_error(body: str | bytes) -> None:
    """Whatever is made of it, nothing else than the two comes out."""
    entry = ask(http(body))
    assert isinstance(entry, Sample | CallError)
    assert isinstance(entry, CallError) or isinstance(entry.text, str)


TEXTS = [
    case("lone-high-surrogate", "a\ud800b"),
    case("lone-low-surrogate", "a\udc00b"),
    case("surrogates-the-wrong-way-round", "\udc00\ud800"),
    case("nul", "a\x00b"),
    case("only-nul", "\x00"),
    case("all-c0", "".join(map(chr, range(32)))),
    case("escape", "\x1b[2J4"),
    case("noncharacters", "\ufffe\uffff\U0010ffff"),
    case("right-to-left", "\u202e4\u202c"),
    case("separators", "a\u2028b\u2029c\x85d"),
    case("a-pair-in-halves", "\U0001f600"),
    case("combining", "e" + "\u0301" * 5000),
    case("a-million-letters", "x" * 1_000_000),
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_go_through_journal_and_cache_as_they_are(text: str, tmp_path: Path) -> None:
    """A text of any characters is the answer, and is the same from the journal, and from the cache of another run."""
    with Hostile(http(completion(text))) as server:
        backend = OpenAI(server.url, "m")
        answers = [
            solve_sync(
                PROMPT, SelfConsistency(1, key=str), generator=Model(backend, PARAMS), journal=tmp_path / "run.db"
            ).answer
            for _ in range(2)
        ]
        cached = Cached(backend, tmp_path / "cache.db")
        for _ in range(2):
            [entry] = asyncio.run(cached.complete([Request(PROMPT, PARAMS, 1)]))
            assert isinstance(entry, Sample)
            answers.append(entry.text)
        cached.close()
    assert len(set(answers)) == 1
    known = "".join("?" if "\ud800" <= c <= "\udfff" else c for c in text)  # what no file can hold may be replaced
    assert answers[0] in (text, known, known.replace("?", "\ufffd"))
    assert len(server.asked) == 2
