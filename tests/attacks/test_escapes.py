"""What a terminal obeys never reaches a terminal, a log or an error as it came from a server."""

# ruff: noqa: E501 (tables: a row is a line)
from __future__ import annotations

import asyncio
import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from searchkit import CallError, ConfigError, JournalError, Model, Problem, Prompt, Sample, solve_sync
from searchkit import search as agent
from searchkit.agents import async_client
from searchkit.cli import main
from searchkit.errors import BudgetExhausted, VerifierError
from searchkit.generators import OpenAI
from searchkit.kinds import described
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.verifiers import Predicate
from searchkit.wire.errors import WireError
from tests.attacks.hostile import PARAMS, Hostile, ask, case, completion, control_characters, failure, http

pytestmark = pytest.mark.filterwarnings("ignore::searchkit.errors.SearchWarning")  # of reasons that nobody knows

PAYLOADS = [
    case("clear-the-screen", "\x1b[2J\x1b[H"),
    case("colour", "\x1b[31mred"),
    case("window-title", "\x1b]0;owned\x07"),
    case("hyperlink", "\x1b]8;;http://evil/\x1b\\click\x1b]8;;\x1b\\"),
    case("clipboard", "\x1b]52;c;cm0gLXJmIH4=\x07"),
    case("alternate-screen", "\x1b[?1049h"),
    case("report-position", "\x1b[6n"),
    case("reset", "\x1bc"),
    case("device-control", "\x1bP0;1|17/ab\x1b\\"),
    case("application-command", "\x1b_x\x1b\\"),
    case("bare-escape-at-the-end", "\x1b"),
    case("eight-bit-csi", "\x9b31m"),
    case("eight-bit-osc", "\x9d0;owned\x9c"),
    case("next-line", "a\x85b"),
    case("carriage-return", "all is well\rfailed"),
    case("backspaces", "failed\b\b\b\b\b\bworked"),
    case("shift-out", "\x0eabc"),
    case("bell", "\x07"),
    case("nul", "a\x00b"),
    case("delete", "a\x7fb"),
    case("vertical-tab-and-form-feed", "a\x0b\x0cb"),
    case("right-to-left-override", "\u202egnp.exe"),
    case("isolates", "\u2066a\u2069"),
]
Place = Callable[[str], bytes]


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


# Where a server can say something that ends up in an error. JSON holds controls escaped; texts and headers as they are.
PLACES: list[Any] = [
    case("message-of-a-400", lambda p: http({"error": {"message": p}}, "400 Bad Request")),
    case("message-of-a-401", lambda p: http({"error": {"message": p}}, "401 Unauthorized")),
    case("message-of-a-429", lambda p: http({"error": {"message": p}}, "429 Slow")),
    case("detail-of-a-422", lambda p: http({"detail": [{"loc": ["body", p], "msg": p}]}, "422 No")),
    case("text-of-a-500", lambda p: http("oops " + p, "500 Oops", "text/plain")),
    case("page-of-a-502", lambda p: http(f"<html><title>{p}</title>{p}", "502 Bad Gateway", "text/html")),
    case("reason-phrase", lambda p: http("", "500 " + p.replace("\r", ""), "text/plain")),
    case("error-inside-200", lambda p: http({"error": {"message": p, "code": 500}})),
    case("text-inside-200", lambda p: http(p, "200 OK", "text/plain")),
    case("a-json-text-inside-200", lambda p: http(quoted(p))),
    case("content-type", lambda p: http("x", "200 OK", "text/" + p.replace("\r", ""))),
    case("location", lambda p: http("", "307 Go", "text/plain", Location="http://x/" + p.replace("\r", ""))),
    case("retry-after", lambda p: http("", "429 Slow", "text/plain", Retry_After=p.replace("\r", ""))),
    case("code-of-an-error", lambda p: http({"error": {"message": "no", "code": p, "type": p, "param": p}}, "400 Bad")),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_errors_hold_no_controls(payload: str, place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Neither an error's text, nor its repr, nor a log."""
    caplog.set_level(logging.DEBUG)
    error = failure(place(payload))
    assert not control_characters(str(error))
    assert not control_characters(repr(error))
    assert not control_characters(caplog.text)


ANSWERS = [
    case("text", lambda p: completion(f"4 {p}")),
    case("reasoning", lambda p: completion("4") | {"choices": [{"message": {"content": "4", "reasoning": p}, "finish_reason": "stop"}]}),
    case("model", lambda p: {**completion("4"), "model": p}),
    case("finish-reason", lambda p: completion("4", p)),
    case("stop-reason", lambda p: completion("4", "stop", stop_reason=p)),
    case("tool-name", lambda p: completion("4", "stop") | {"choices": [{"message": {"content": "4", "tool_calls": [{"id": p, "type": "function", "function": {"name": p, "arguments": p}}]}, "finish_reason": "tool_calls"}]}),
]  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_text_is_exact_and_its_picture_is_not_obeyed(payload: str, answer: Callable[[str], Any]) -> None:
    """A sample keeps what the model wrote; what is printed of it, of its result and of its trace holds no controls."""
    entry = ask(http(answer(payload)))
    if isinstance(entry, Sample):
        assert entry.text in ("4", f"4 {payload}")
    assert not control_characters(repr(entry))
    with Hostile(http(answer(payload))) as server:
        problem = Problem("p", Prompt.of("What?"))
        try:
            result = solve_sync(problem, SelfConsistency(1, key=str), generator=Model(OpenAI(server.url, "m"), PARAMS))
        except Exception as error:
            assert not control_characters(str(error))  # noqa: PT017
            return
    assert not control_characters(repr(result) + str(result) + str(result.trace) + repr(result.trace))


def typed(url: str, *more: str) -> list[str]:
    return ["solve", "What?", "--backend", url, "--model", "m", "--strategy", "self-consistency", "-p", "n=1", *more]


@pytest.fixture
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.usefixtures("_own_cache")
@pytest.mark.parametrize("options", [(), ("--trace",), ("--json",), ("--watch",), ("--trace", "--watch")], ids=" ".join)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_command_line_prints_no_controls(
    payload: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer that is full of them, printed as text, as JSON, with its trace and while it is watched."""
    with Hostile(http(completion(f"4 {payload}"))) as server:
        main(typed(server.url, *options))
    out, err = capsys.readouterr()
    assert "4" in out
    assert not control_characters(out)
    assert not control_characters(err)


@pytest.mark.usefixtures("_own_cache")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_command_line_prints_no_controls_of_an_error(payload: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that refuses with them."""
    with Hostile(http({"error": {"message": payload}}, "400 Bad Request")) as server:
        assert main(typed(server.url)) != 0
    out, err = capsys.readouterr()
    assert not control_characters(out + err)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("status", ["400 Bad Request", "200 OK"])
def test_through_an_agent(payload: str, status: str) -> None:
    """An agent with our client: its SDK raises what the server said, which becomes an error of ours, and of the trace."""
    body = {"error": {"message": payload}} if status[0] == "4" else completion(payload)
    bodies = [http(body, status), http(completion("fine"))]
    with Hostile(lambda asked: bodies.pop()) as server:
        client = AsyncOpenAI(base_url=server.url, api_key="k", http_client=async_client(), max_retries=0)

        @agent(BestOfN(2, Predicate(lambda value: True, name="all", version="1")))
        async def asking(question: str) -> str:
            told = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": question}])
            if told.choices[0].message.content != "fine":
                raise ValueError(told.choices[0].message.content)
            return "fine"

        result = asyncio.run(asking.detailed("q"))
    [error] = result.errors
    assert control_characters(str(error)) == set()
    assert control_characters(result.trace.render(most=9)) == set()
    assert control_characters(repr(error)) == set()


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("kind", [CallError, JournalError, VerifierError, ConfigError, BudgetExhausted, WireError])
def test_no_error_of_ours_has_them(kind: type[Exception], payload: str) -> None:
    """Whoever raises it with what somebody else said; once through pickle, too."""
    error = kind(f"{payload} said")
    again = pickle.loads(pickle.dumps(error))
    for one in (error, again):
        assert control_characters(str(one)) == control_characters(described(one)) == set()
    assert str(again) == str(error)
    assert control_characters(described(ValueError(payload))) == set()
