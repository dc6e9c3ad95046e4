"""CommandAgent: programs in other languages, whose model calls are those that their server counted itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchkit import Budget, BudgetExhausted, Result, search, solve, solve_sync
from searchkit.agents import CommandAgent, Endpoint, Upstream, Workspace
from searchkit.agents.running import Program, Running
from searchkit.calls import CallError
from searchkit.environments import FolderEnvironment
from searchkit.errors import ConfigError
from searchkit.function import Function
from searchkit.strategies import BestOfN, SelfConsistency
from searchkit.trace import Span
from searchkit.verifiers import Predicate
from tests.helpers.commands import COMMANDS, EACH
from tests.helpers.model_server import ModelServer, assert_within
from tests.helpers.scratch import scratch  # noqa: F401 (a fixture)
from tests.helpers.servers import until

KEY = "sk-real-0123456789"
CALLS = 3
each = pytest.mark.parametrize("name", EACH)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def agent_of(name: str, *, calls: int = CALLS, **options: Any) -> CommandAgent:
    return CommandAgent([*COMMANDS[name], str(calls)], **options)


def run(agent: Any, server: ModelServer, strategy: Any, **options: Any) -> Result[Any]:
    function = Function(agent, upstream=Upstream(server.url, KEY, server.root, KEY), **options.pop("function", {}))
    return asyncio.run(solve("How much?", strategy, generator=function, **options))


def calls(span: Span) -> list[Span]:
    found = [span] if span.kind == "call" and span.role == "plan" else []
    return found + [one for child in span.children for one in calls(child)]


def alive(text: str) -> list[str]:
    """The processes whose command has this text in it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in said and entry.parent.name != str(os.getpid()):
            found.append(said)
    return found


# -------------------------------------------------------------------- the calls that they make


@each
def test_calls_tokens_and_spans_are_those_that_the_server_counted(name: str, server: ModelServer) -> None:
    result = run(agent_of(name), server, SelfConsistency(3, key=str))
    spans = calls(result.trace)
    assert server.calls == len(spans) == result.usage.model_calls == 3 * CALLS
    assert result.usage.prompt_tokens == server.prompt_tokens == sum(span.usage.prompt_tokens for span in spans)
    assert result.usage.generated_tokens == server.generated_tokens == sum(s.usage.generated_tokens for s in spans)
    assert (result.usage.generations, result.usage.estimated_tokens, result.errors) == (3, 0, ())
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert result.answer
    assert len({body["seed"] for _, body in server.bodies}) == 3 * CALLS


@pytest.mark.slow
@each
@pytest.mark.parametrize("budget", [Budget(generated_tokens=60), Budget(model_calls=5), Budget(total_tokens=200)])
def test_a_ceiling_binds(name: str, server: ModelServer, budget: Budget) -> None:
    """By the server's own count. The attempt that meets it ends as out of budget."""
    try:
        result = run(agent_of(name), server, BestOfN(4, Predicate(lambda _: 0.0)), budget=budget)
    except BudgetExhausted:
        pass
    else:
        assert result.stopped == "budget"
    assert_within(server, budget)


@each
def test_the_first_pass_leaves_nothing_in_flight(name: str, tmp_path: Path) -> None:
    """The other attempts are killed within a call: their server sees them leave, and no process is left."""
    command = [COMMANDS[name][0], str(shutil.copy(COMMANDS[name][1], tmp_path)), str(CALLS)]
    program = CommandAgent(command)

    async def agent(question: str, index: int, endpoint: Endpoint) -> str:
        return await program(f"{question} slowly" if index else question, endpoint)

    with ModelServer(60.0, slow="slowly", least=3) as server:
        result = run(agent, server, BestOfN(4, Predicate(lambda _: True), first_pass=True))
        assert result.stopped == "threshold"
        until(lambda: server.in_flight == 0)
        assert server.aborted == 3
        assert {span.status for span in calls(result.trace) if span.status != "ok"} == {"cancelled"}
        assert server.calls == len(calls(result.trace))
    assert alive(command[1]) == []


@each
def test_a_finished_search_is_resumed_without_a_process(name: str, server: ModelServer, tmp_path: Path) -> None:
    """Its answers, texts or workspaces, are stored as they are."""
    world = FolderEnvironment(tmp_path / "files")
    (tmp_path / "files").mkdir()
    agent = agent_of(name, calls=1)
    for number, function in enumerate([{}, {"world": world}]):
        options: dict[str, Any] = {"journal": tmp_path / f"{number}.db", "function": function}
        first = run(agent, server, SelfConsistency(2, key=repr), **options)
        before = server.calls
        second = run(agent, server, SelfConsistency(2, key=repr), **options)
        assert second.answer == first.answer
        assert isinstance(first.answer, Workspace if function else str)
        assert (server.calls - before, second.paid.model_calls) == (0, 0)


@each
def test_a_world_of_its_own(name: str, server: ModelServer, tmp_path: Path) -> None:
    """Each attempt works in a copy, or in an empty folder, whatever the others do; the original stays as it was."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "notes").write_text("one\n")
    script = f"cat >question && {' '.join(COMMANDS[name])} 1 <question >said && cat said >>notes && cat notes && ls"
    agent = CommandAgent(["sh", "-c", script])
    result = run(agent, server, SelfConsistency(3, key=repr), function={"world": FolderEnvironment(tmp_path / "files")})
    assert len(result.candidates) == 3
    for candidate in result.candidates:
        value = candidate.sample.value
        lines = value.said.split("\n")
        assert (lines[0], lines[2:]) == ("one", ["notes", "question", "said"])
        assert f" one\n+{lines[1]}\n" in value.diff
    assert len({candidate.sample.value.diff for candidate in result.candidates}) > 1
    assert (tmp_path / "files" / "notes").read_text() == "one\n"
    alone = run(agent, server, BestOfN(1, Predicate(lambda _: True)))
    assert alone.answer.split("\n")[1:] == ["notes", "question", "said"]


# -------------------------------------------------------------------- what they are asked, and what they answer


def said(argv: list[str], prompt: str = "hello", **options: Any) -> str:
    agent = CommandAgent(argv, **options)
    return str(solve_sync(prompt, BestOfN(1, Predicate(lambda _: True)), generator=agent).answer)


PYTHON = [sys.executable, "-S", "-c"]


@pytest.mark.parametrize(
    "argv",
    [
        ["cat"],
        ["sh", "-c", 'printf %s "$1"', "sh", "{prompt}"],
        ["sh", "-c", 'printf %s "${1#--ask=}"', "sh", "--ask={prompt}"],
        ["sh", "-c", "cat {prompt_file}"],
        ["sh", "-c", "cat >{answer_file}; echo thinking"],
        ["sh", "-c", "echo $ASKED"],
    ],
)
@pytest.mark.parametrize("prompt", ["hello", "two {prompt_file} words", "ünïcode ☃", "quoted \"'$(id)`"])
def test_the_ways_of_a_prompt_and_of_an_answer(argv: list[str], prompt: str) -> None:
    """What is put in is never looked at again: neither for places nor by a shell."""
    env = {"ASKED": "{prompt}"} if "ASKED" in argv[-1] else {}
    assert said(argv, prompt, env=env) == prompt


def test_a_prompt_is_no_option() -> None:
    show = [*PYTHON, "import sys; print(sys.argv[1:])"]
    assert said([*show, "{prompt}"], "--delete-everything") == "[' --delete-everything']"
    assert said([*show, "--say={prompt}"], "--delete-everything") == "['--say=--delete-everything']"


def test_its_environment_has_the_gateway_and_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijkl")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    found = said(["env"], env={"WHERE": "{base_url} {anthropic_url} {api_key}"}).split("\n")
    known = dict(line.split("=", 1) for line in found)
    assert known["OPENAI_BASE_URL"] == known["ANTHROPIC_BASE_URL"] + "/v1"
    assert known["OPENAI_API_KEY"] == known["ANTHROPIC_API_KEY"] != KEY
    assert known["WHERE"].split() == [known["OPENAI_BASE_URL"], known["ANTHROPIC_BASE_URL"], known["OPENAI_API_KEY"]]
    assert "HF_TOKEN" not in known
    assert KEY not in str(known)


@pytest.mark.parametrize(
    ("argv", "options", "why"),
    [
        (["sh", "-c", "echo so much; echo what is wrong >&2; exit 7"], {}, r"ended with status 7: what is wrong$"),
        (["sh", "-c", "echo so much; exit 7"], {}, r"ended with status 7: so much$"),
        (["sh", "-c", "kill -9 $$"], {}, r"was ended by signal 9"),
        (["sh", "-c", "while :; do echo more; done"], {"most": 1000}, r"printed more than 1,000 bytes"),
        (["sh", "-c", "sleep 60"], {"seconds": 0.05}, r"took more than 0.05 s"),
        (["sh", "-c", "exec >&- 2>&-; sleep 60"], {"seconds": 0.05}, r"took more than 0.05 s"),
        (["true", "{answer_file}"], {}, r"wrote no answer"),
        (["sh", "-c", "ln -s /etc/passwd {answer_file}"], {}, r"wrote no answer"),
        (["sh", "-c", "mkfifo {answer_file}"], {}, r"wrote no answer"),
        (["sh", "-c", "mkdir {answer_file}"], {}, r"wrote no answer"),
        (["sh", "-c", "echo 12345678 >{answer_file}"], {"most": 4}, r"more than 4 bytes"),
    ],
)
def test_what_fails(argv: list[str], options: dict[str, Any], why: str) -> None:
    with pytest.raises(CallError, match=why):
        said(argv, **options)


def test_prompts_that_no_argument_can_be(tmp_path: Path) -> None:
    for prompt in ("a\0b", "long " * 100_000):
        with pytest.raises(CallError, match="prompt_file"):
            said(["echo", "{prompt}"], prompt)
        assert said(["wc", "-c"], prompt) == str(len(prompt))
    assert said(["true"], "long " * 100_000) == ""  # it reads nothing, and is not waited for


def test_mistakes_are_told() -> None:
    for argv in ("node agent.mjs", [], [""], ["node", 3], ["node", "a\0b"]):
        with pytest.raises(ConfigError):
            CommandAgent(argv)  # type: ignore[arg-type]
    options: list[dict[str, Any]] = [{"seconds": 0}, {"most": 0}, {"env": {"A=B": "x"}}, {"env": {"A": 1}}]
    for given in options:
        with pytest.raises(ConfigError):
            CommandAgent(["true"], **given)
    with pytest.raises(ConfigError, match="cannot be started"):
        said(["no-such-program-of-ours"])
    with pytest.raises(ConfigError, match="in a search only"):
        asyncio.run(CommandAgent(["echo", "{base_url}"])("hello"))


def test_keys_stay_out_of_errors() -> None:
    with pytest.raises(CallError) as error:
        said(["sh", "-c", "echo my key is $OPENAI_API_KEY >&2; exit 1"])
    assert "my key is [api key]" in str(error.value)


def test_keys_that_it_was_given_stay_out_of_errors_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    argv, env = ["sh", "-c", "echo $MY_TOKEN $PLAIN >&2; exit 1"], {"MY_TOKEN": "hunter2hunter2", "PLAIN": "p"}
    with pytest.raises(CallError, match=r"status 1: \[api key\] p$"):
        said(argv, env=env)
    assert "hunter2" not in repr(CommandAgent(argv, env))
    monkeypatch.setenv("ANOTHER_PASSWORD", "hunter3hunter3")
    with pytest.raises(CallError) as error:
        asyncio.run(CommandAgent(["sh", "-c", "env >&2; exit 1"])("x"))
    assert "hunter3" not in str(error.value)


def test_a_file_that_it_does_not_find_where_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.sh").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "agent.sh").chmod(0o755)
    for argv in (["./agent.sh"], ["sh", "agent.sh"]):
        with pytest.raises((CallError, ConfigError), match=r"agent.sh is a file here, .*: give its whole path"):
            said(argv)
    for argv in ([str(tmp_path / "agent.sh")], ["sh", "-c", "exit 3"]):
        with pytest.raises(CallError, match=r"ended with status 3: $"):
            said(argv)


def test_names_tell_commands_apart_and_hide_keys() -> None:
    names = [
        CommandAgent(["node", "agent.mjs"]).journal_name,
        CommandAgent(["node", "agent.mjs", "--fast"]).journal_name,
        CommandAgent(["node", "agent.mjs"], env={"A": "b"}).journal_name,
    ]
    assert len({*names}) == 3
    assert names[0].startswith("node agent.mjs #")
    assert names[0] == CommandAgent(("node", "agent.mjs")).journal_name
    assert "hunter2" not in CommandAgent(["x", "http://me:hunter2@host"]).journal_name


# -------------------------------------------------------------------- what is left of them


def test_what_it_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """Processes in its group, and, by its key, those that have left that."""
    script = shutil.copy(shutil.which("sleep") or "", tmp_path / "lingers")
    began = time.monotonic()
    assert said(["sh", "-c", f"{script} 61 & echo done"]) == "done"
    assert said(["sh", "-c", f"setsid {script} 62 >/dev/null 2>&1 </dev/null & echo done"]) == "done"
    assert time.monotonic() - began < 30
    until(lambda: alive(str(script)) == [])


def test_one_that_holds_its_output_open_outside_of_its_group(tmp_path: Path) -> None:
    """It is waited for no longer than a moment."""
    script = shutil.copy(shutil.which("sleep") or "", tmp_path / "lingers")
    assert said(["sh", "-c", f"setsid {script} 63 & echo done"]) == "done"
    until(lambda: alive(str(script)) == [])


def test_what_goes_on_starting_others_ends_with_all_of_them(tmp_path: Path) -> None:
    """Those that it starts while others are looked for, too, each in a group of its own."""
    script = shutil.copy(shutil.which("sleep") or "", tmp_path / "lingers")
    starting = f"i=0; while [ $i -lt 300 ]; do setsid {script} 65 & i=$((i+1)); done"
    assert said(["sh", "-c", f"setsid sh -c '{starting}' >/dev/null 2>&1 </dev/null & sleep 0.1; echo done"]) == "done"
    until(lambda: alive(str(script)) == [])


def test_cancelled_before_it_begins_it_never_does(tmp_path: Path) -> None:
    running = Running(Program(["touch", str(tmp_path / "begun")], tmp_path, dict(os.environ)))
    running.stop()
    with pytest.raises(CallError, match="cancelled before"):
        asyncio.run(running.said())
    assert list(tmp_path.iterdir()) == []


def test_cancelled_again_and_again_it_is_still_waited_for(tmp_path: Path) -> None:
    script = shutil.copy(shutil.which("sleep") or "", tmp_path / "lingers")

    async def main() -> None:
        task = asyncio.create_task(Running(Program([str(script), "64"], tmp_path, dict(os.environ))).said())
        while not alive(str(script)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([task])
        assert task.cancelled()
        assert alive(str(script)) == []

    asyncio.run(main())


def test_around_it_as_around_any_agent() -> None:
    """Without a search, and decorated."""
    agent = CommandAgent(["tr", "a-z", "A-Z"])
    assert asyncio.run(agent("hello")) == "HELLO"
    searched = search(BestOfN(2, Predicate(str.isupper)))(agent)
    assert asyncio.run(searched("hello")) == "HELLO"
