"""The agents of the guide's pages on frameworks, each against the real package: what the table there claims of them.

The packages come from `tools/frameworks.sh`; where one is missing its rows are skipped, and say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, Result, SearchkitError, search, solve_sync
from searchkit.agents import Endpoint, Upstream, Workspace
from searchkit.environments import FolderEnvironment
from searchkit.function import Function
from searchkit.strategies import BestOfN
from searchkit.testing.server import Server
from searchkit.trace import Span
from searchkit.verifiers import Predicate
from tests.agents.frameworks.pages import EACH
from tests.helpers.guide_pages import ROOT, run
from tests.helpers.servers import until

QUESTION, ATTEMPTS = "How much is 6 * 7?", 4
HALF = Predicate(lambda _: 0.5, name="half")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::Warning")]


@pytest.fixture(params=EACH)
def page(request: pytest.FixtureRequest) -> Path:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def names(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What a page defines, up to its agent, with a server of its own."""
    monkeypatch.chdir(tmp_path)
    found = run(page, "agent")
    try:
        yield found
    finally:
        found["server"].__exit__(None, None, None)


def searched(names: dict[str, Any], attempts: int, **options: Any) -> Result[Any]:
    return of(names["agent"], names, BestOfN(attempts, HALF), **options)


def of(agent: Callable[..., Any], names: dict[str, Any], strategy: Any, **options: Any) -> Result[Any]:
    function = Function(agent, name="agent", upstream=Upstream(openai_url=names["URL"], openai_key="none"))
    return solve_sync(QUESTION, strategy, generator=function, **options)


def calls(span: Span) -> list[Span]:
    """The calls of models in a trace."""
    found = [span] if span.kind == "call" and span.role == "plan" else []
    return found + [one for child in span.children for one in calls(child)]


def test_calls_tokens_and_spans_are_those_that_the_server_counted(names: dict[str, Any]) -> None:
    """Eight attempts side by side: none disturbs another, and each has seeds of its own."""
    server, result = names["server"], searched(names, 8)
    spans, usage = calls(result.trace), result.usage
    assert not result.errors
    assert usage.generations == len(result.candidates) == 8
    assert usage.model_calls == len(spans) == len(server.requests) >= 16
    assert usage.prompt_tokens == server.prompt_tokens == sum(span.usage.prompt_tokens for span in spans)
    assert usage.generated_tokens == server.generated_tokens == sum(span.usage.generated_tokens for span in spans)
    assert usage.estimated_tokens == 0
    assert len({request.body["seed"] for request in server.requests}) == len(server.requests)


@pytest.mark.parametrize("share", ["model_calls", "generated_tokens", "total_tokens"])
def test_a_ceiling_binds(names: dict[str, Any], share: str) -> None:
    """Half of what all attempts need, by the server's own count; of eight at once, and of sixteen in turn."""
    server = names["server"]
    usage = searched(names, 4).usage
    needed = getattr(usage, share)
    # A call is held at an estimate of what it reads: an eighth of so few tokens would not be enough for one.
    attempts, window = (16, 1) if share == "total_tokens" else (8, 8)
    before, most = counts(server), max(1, needed * attempts // 8)
    with contextlib.suppress(SearchkitError):
        of(names["agent"], names, BestOfN(attempts, HALF, window=window), budget=Budget(**{share: most}))
    calls, generated, read = (now - then for now, then in zip(counts(server), before, strict=True))
    used = {"model_calls": calls, "generated_tokens": generated, "total_tokens": generated + read}
    over = usage.longest_context if share == "total_tokens" else 0  # what is read is known when the answer is there
    assert used[share] <= most + over
    assert calls > 0


def counts(server: Server) -> list[int]:
    return [len(server.requests), server.generated_tokens, server.prompt_tokens]


def asking(agent: Callable[..., Any], ask: Callable[[int], str]) -> Callable[..., Any]:
    """`agent`, whose attempts are asked what `ask` says of their numbers."""
    asks = "endpoint" in inspect.signature(agent).parameters

    def started(index: int, endpoint: Endpoint) -> Any:
        return agent(ask(index), endpoint=endpoint) if asks else agent(ask(index))

    if inspect.iscoroutinefunction(agent):

        async def called(question: str, index: int, endpoint: Endpoint) -> Any:
            return await started(index, endpoint)

        return called
    return lambda question, index, endpoint: started(index, endpoint)


def test_the_first_pass_leaves_nothing_in_flight(names: dict[str, Any]) -> None:
    """The other attempts are cut off within a call, ask no more, and their threads end."""
    server: Server = names["server"]
    server.latency = lambda body: 60.0 if "Slowly" in json.dumps(body) else 0.5
    first = BestOfN(ATTEMPTS, Predicate(lambda _: True, name="true"), first_pass=True)
    agent = asking(names["agent"], lambda index: f"{QUESTION} Slowly." if index else QUESTION)
    result = of(agent, names, first)
    assert result.stopped == "threshold"
    until(lambda: server.in_flight == 0)
    assert server.aborted >= 1
    until(lambda: not any("searchkit-agent" in thread.name for thread in threading.enumerate()))
    asked = len(server.requests)
    time.sleep(0.5)  # whoever wants to try again has had the time
    assert len(server.requests) == asked == len(calls(result.trace))


def test_what_it_returns_is_journaled_and_equal(names: dict[str, Any], tmp_path: Path) -> None:
    server, journal = names["server"], tmp_path / "run.db"
    first = searched(names, 2, journal=journal)
    asked = len(server.requests)
    again = searched(names, 2, journal=journal)
    assert again.paid.model_calls == 0
    assert len(server.requests) == asked == again.usage.model_calls
    assert type(again.answer) is type(first.answer)
    assert again.answer == first.answer


def noting(agent: Callable[..., Any]) -> Callable[..., Any]:
    """`agent`, which writes down what it found, below what is there."""
    plain = asking(agent, lambda index: QUESTION)

    def note(workspace: Workspace, found: Any) -> None:
        with (workspace.path / "notes.txt").open("a") as notes:
            notes.write(f"{str(found).splitlines()[0]}\n")

    if inspect.iscoroutinefunction(agent):

        async def called(question: str, index: int, endpoint: Endpoint, workspace: Workspace) -> None:
            note(workspace, await plain(question, index, endpoint))

        return called

    def blocking(question: str, index: int, endpoint: Endpoint, workspace: Workspace) -> None:
        note(workspace, plain(question, index, endpoint))

    return blocking


def one_note(workspace: Workspace) -> bool:
    return len((workspace.path / "notes.txt").read_text().splitlines()) == 2


def test_each_attempt_has_files_of_its_own(names: dict[str, Any], tmp_path: Path) -> None:
    """Four attempts leave a note each, none sees another's, and one comes back."""
    project, upstream = tmp_path / "project", Upstream(openai_url=names["URL"], openai_key="none")
    project.mkdir()
    (project / "notes.txt").write_text("Notes.\n")
    judged, world = BestOfN(4, Predicate(one_note, name="one note")), FolderEnvironment(project)
    found = search(judged, world=world, upstream=upstream)(noting(names["agent"])).detailed(QUESTION)
    result = asyncio.run(found) if inspect.isawaitable(found) else found
    assert [candidate.verdict.passed for candidate in result.candidates] == [True] * 4
    assert result.usage.model_calls == len(names["server"].requests)
    assert len((project / "notes.txt").read_text().splitlines()) == 2


def test_killed_and_resumed_it_pays_nothing_twice(names: dict[str, Any], page: Path, tmp_path: Path) -> None:
    """Killed (SIGKILL) in the middle by the count of the server, then gone on with here."""
    server, journal = names["server"], tmp_path / "run.db"
    server.latency = 0.05
    command = [sys.executable, "-m", "tests.agents.frameworks.killed", str(page), names["URL"], str(journal)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while len(server.requests) < ATTEMPTS + 1:
        assert process.poll() is None, process.communicate()[0].decode()[-2000:]
        time.sleep(0.001)
    process.kill()
    process.communicate()
    until(lambda: server.in_flight == 0)
    before, kept = len(server.requests), _finished(journal)
    result = searched(names, ATTEMPTS, journal=journal)
    assert not result.errors
    assert result.diverged == 0
    assert kept > 0
    assert result.paid.model_calls == len(server.requests) - before == result.usage.model_calls - kept


def _finished(journal: Path) -> int:
    """The finished model calls of attempts."""
    db = sqlite3.connect(journal)
    found = db.execute("SELECT count(*) FROM call WHERE length(key) = 32").fetchone()[0]
    db.close()
    return int(found)
