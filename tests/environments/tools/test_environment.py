"""ToolEnvironment: conversations are values, calls are done as declared, and what is wrong goes back to the model."""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from searchkit import Budget, Prompt, solve_sync
from searchkit.environments import (
    FolderEnvironment,
    GitEnvironment,
    Guarded,
    Planned,
    ReplayEnvironment,
    SnapshotEnvironment,
    Tool,
    ToolEnvironment,
    irreversible,
    pure,
    reversible,
)
from searchkit.environments.tools.tool import text_of
from searchkit.errors import BudgetExhausted, ConfigError, StaleBranch, UncertainEffect
from searchkit.strategies import MCTS, UCT, BestFirst, Children, RecedingHorizon
from searchkit.types import Message, Params, Sample, ToolCall
from searchkit.verifiers import Predicate
from searchkit.wire.chat.turns import message as on_the_wire
from tests.environments.live_worlds import drive
from tests.environments.tools.worlds import answered, model, observed

DONE: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    DONE.clear()


@pure
def add(a: int, b: int = 1) -> int:
    """The sum."""
    DONE.append(f"add {a} {b}")
    return a + b


@pure
async def shout(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


@reversible
def note(world: list[str], text: str) -> str:
    """Write it down."""
    DONE.append(f"note {text}")
    world.append(text)
    return ", ".join(world)


@pure
def look(world: list[str]) -> str:
    """Read the notes."""
    DONE.append("look")
    return ", ".join(world)


@reversible
def tear(world: list[str], fail: bool = True) -> str:
    """Take the last note away, and fail."""
    world.pop()
    if fail:
        raise ValueError("it tore")
    return ", ".join(world)


@irreversible
def send(text: str) -> str:
    """Send it."""
    DONE.append(f"send {text}")
    return f"sent {text}"


def raising(what: str) -> str:
    raise {"value": ValueError("no such thing"), "exit": SystemExit(3)}[what]


def notes(**options: Any) -> ToolEnvironment:
    return ToolEnvironment([add, note, look, tear, send], list, **options)


async def told(environment: ToolEnvironment, state: Any, *turns: Any, run: Any) -> Any:
    """The state after these turns of the model."""
    for turn in turns:
        state = (await environment.step(state, turn if isinstance(turn, Sample) else answered(turn), run)).state
    return state


def after(environment: ToolEnvironment, *turns: Any) -> Any:
    """The state after these turns, in a search of its own."""

    async def body(prompt: Prompt, run: Any) -> Any:
        return await told(environment, await environment.start(prompt, run), *turns, run=run)

    return drive(body)


def seen(environment: ToolEnvironment, *turns: Any) -> list[str]:
    return observed(after(environment, *turns).messages())


# -------------------------------------------------------------------- the history


def test_the_history_is_what_the_chat_api_wants() -> None:
    """Oracle: OpenAI's own types take every message, and each call is answered by a message right after it."""
    calls = [("add", {"a": 1}), ("add", '{"a": 1'), ("nothing here!", ""), ("add", "[1]"), ("send", {"text": "x"})]
    state = after(notes(), calls, [("note", {"text": "é"}), ("add", "")], "all done")
    messages = [on_the_wire(one) for one in state.messages()]
    for one in messages:
        TypeAdapter(ChatCompletionMessageParam).validate_python(one)
    roles = ["user", "assistant", *["tool"] * 5, "assistant", "tool", "tool", "assistant"]
    assert [one["role"] for one in messages] == roles
    for at in (1, 7):
        asked = [call["id"] for call in messages[at]["tool_calls"]]
        assert [one["tool_call_id"] for one in messages[at + 1 : at + 1 + len(asked)]] == asked
    ids = [call["id"] for one in messages for call in one.get("tool_calls", ())]
    assert len(set(ids)) == len(ids)
    assert all(len(id) == 9 and id.isalnum() for id in ids)  # as some servers want them
    for one in messages:
        for call in one.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)  # chat templates take it apart
            assert call["function"]["name"].replace("_", "").isalnum()


def test_the_prompt_has_the_tools_and_grows_by_turns() -> None:
    environment = notes()

    async def body(prompt: Prompt, run: Any) -> None:
        state = await environment.start(prompt, run)
        first = environment.prompt(state)
        assert [json.loads(tool)["function"]["name"] for tool in first.tools] == ["add", "note", "look", "tear", "send"]
        assert first.messages == prompt.messages
        state = await told(environment, state, [("add", {"a": 2, "b": 3})], run=run)
        assert environment.prompt(state).messages[: len(prompt.messages)] == prompt.messages
        assert observed(environment.prompt(state).messages) == ["5"]

    drive(body)


def test_equal_calls_are_one_state_whatever_the_server_called_them() -> None:
    environment = notes()

    async def body(prompt: Prompt, run: Any) -> None:
        state = await environment.start(prompt, run)
        one, other = [
            await told(environment, state, answered([("add", {"a": 1})], ids), run=run) for ids in ("x", "y")
        ]  # fmt: skip
        assert one == other
        assert environment.prompt(one) == environment.prompt(other)

    drive(body)


def test_a_prompt_with_tools_or_a_beginning_of_its_own_is_refused() -> None:
    search = MCTS(Predicate(lambda answer: 0.5), environment=notes())
    for prompt, what in ((Prompt(Prompt.of("q").messages, (add.spec,)), "tools of its own"),
                         (Prompt.of("q").continued("So"), "beginning of an answer")):  # fmt: skip
        with pytest.raises(ConfigError, match=what):
            solve_sync(prompt, search, generator=model(agent))


# -------------------------------------------------------------------- what is wrong goes back


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("add", '{"a": 1', "no JSON that can be read in one way"),
        ("add", '{"a": 1}}', "no JSON"),
        ("add", '{"a": 1, "a": 2}', "a key stands there twice"),
        ("add", '{"a": NaN}', "NaN is no JSON"),
        ("add", '{"a": 1e999}', "too large"),
        ("add", "__import__('os').system('true')", "no JSON"),
        ("add", "{'a': 1}", "no JSON"),
        ("add", "[" * 100_000, "nested deeper"),
        ("add", '{"a": ' * 70 + "1" + "}" * 70, "nested deeper"),
        ("add", '{"a": "' + "x" * 200_000 + '"}', "more than 100,000 characters"),
        ("add", "[1, 2]", "a JSON array, not an object"),
        ("add", "null", "a JSON null, not an object"),
        ("add", "", "a: Field required"),
        ("add", "  ", "a: Field required"),
        ("add", '{"a": "one"}', "a: Input should be a valid integer"),
        ("add", '{"a": 1, "world": []}', "world: Extra inputs"),
        ("add", '{"a": ' + "9" * 5000 + "}", "no JSON"),
        ("Add", '{"a": 1}', "there is no tool 'Add'. The tools are: add, note, look, tear, send."),
        ("", "{}", "there is no tool ''"),
        ("add\n" * 10_000, "{}", "there is no tool"),
    ],
)
def test_a_call_that_cannot_be_made_is_told_so_and_nothing_is_done(name: str, arguments: str, says: str) -> None:
    [said] = seen(notes(), [(name, arguments)])
    assert said.startswith("Error: ")
    assert says in said
    assert len(said) < 1000
    assert DONE == []


def test_what_a_tool_raises_goes_back_and_the_others_of_the_answer_are_done() -> None:
    environment = ToolEnvironment([add, pure(raising)])
    calls = [
        ("raising", {"what": "value"}),
        ("raising", {"what": "exit"}),
        ("raising", {"what": "?"}),
        ("add", {"a": 1}),
    ]
    assert seen(environment, calls) == [
        "Error: raising raised ValueError: no such thing", "Error: raising raised SystemExit: 3",
        "Error: raising raised KeyError: '?'", "2",
    ]  # fmt: skip


def test_what_failed_or_took_too_long_has_changed_nothing() -> None:
    """The world is as it was before the call, by replay and by snapshot, and later calls go on from there."""
    for world in (list, SnapshotEnvironment(list)):
        environment = ToolEnvironment([note, look, tear], world)
        calls = [("note", {"text": "a"}), ("tear", {}), ("note", {"text": "b"}), ("tear", {"fail": False})]
        told = ["a", "Error: tear raised ValueError: it tore", "a, b", "a"]
        assert seen(environment, calls) == told
        assert seen(environment, *[[call] for call in calls]) == told


@pytest.mark.parametrize("kind", ["sync", "async", "replayed", "folder", "async folder"])
def test_a_call_that_takes_too_long_is_given_up(kind: str, tmp_path: Path) -> None:
    """Neither the search nor the calls after it wait; even where a thread hangs in the only live world."""
    gate = threading.Event()

    def hang(world: Any = None) -> str:
        gate.wait(60)
        return "late"

    async def hang_async(world: Any = None) -> str:
        await asyncio.sleep(60)
        return "late"

    def bare() -> str:
        return hang()

    async def bare_async() -> str:
        return await hang_async()

    made: dict[str, tuple[Any, Any]] = {
        "sync": (Tool(bare, "pure", "hang"), None), "async": (Tool(bare_async, "pure", "hang"), None),
        "replayed": (Tool(hang, "reversible"), list), "folder": (Tool(hang, "reversible"), FolderEnvironment(tmp_path)),
        "async folder": (Tool(hang_async, "reversible", "hang"), FolderEnvironment(tmp_path)),
    }  # fmt: skip
    tool, world = made[kind]
    begun = time.monotonic()
    environment = ToolEnvironment([tool, add], world, seconds=0.05)
    try:
        said = seen(environment, [("hang", {})], [("hang", {}), ("add", {"a": 4})])
    finally:
        gate.set()
    late = "Error: hang took more than 0.05 seconds, and was given up."
    assert said == [late, late, "5"]
    assert time.monotonic() - begun < 30


class Mute(Exception):
    """Refuses to be shown, as badly as it can."""

    def __str__(self) -> str:
        raise asyncio.CancelledError


class Own(BaseException):
    pass


RAISED: dict[str, BaseException] = {
    "CancelledError": asyncio.CancelledError(), "CancelledError: c": asyncio.CancelledError("c"), "Mute": Mute(),
    "ConfigError: no": ConfigError("no"), "StaleBranch: gone": StaleBranch("gone"), "Own: b": Own("b"),
    "BudgetExhausted: the budget's ceiling on usd does not allow another call": BudgetExhausted("usd"),
    "SystemExit: 3": SystemExit(3), "GeneratorExit": GeneratorExit(), "RuntimeError: x": RuntimeError("x"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["sync", "async", "awaitable", "replayed", "async replayed", "folder", "async folder"])
def test_whatever_a_tool_raises_is_an_observation_and_the_search_goes_on(kind: str, tmp_path: Path) -> None:
    """Also what ends a search where the search itself raises it."""
    said = list(RAISED)

    def fail(n: int) -> str:
        raise RAISED[said[n]]

    async def fail_async(n: int) -> str:
        await asyncio.sleep(0)
        return fail(n)

    def awaitable(n: int) -> Any:
        return fail_async(n)

    def fail_in(world: Any, n: int) -> str:
        return fail(n)

    async def fail_in_async(world: Any, n: int) -> str:
        return await fail_async(n)

    made: dict[str, Any] = {
        "sync": (fail, None), "async": (fail_async, None), "awaitable": (awaitable, None), "replayed": (fail_in, list),
        "async replayed": (fail_in_async, list), "folder": (fail_in, FolderEnvironment(tmp_path)),
        "async folder": (fail_in_async, FolderEnvironment(tmp_path)),
    }  # fmt: skip
    fn, world = made[kind]
    for effect in ("pure", "reversible") if world is not None else ("pure",):
        environment = ToolEnvironment([Tool(fn, effect, "fail"), add], world)
        told = seen(environment, [*[("fail", {"n": n}) for n in range(len(said))], ("add", {"a": 4})])
        assert told == [*[f"Error: fail raised {one}" for one in said], "5"]


@pytest.mark.parametrize("world", [None, list], ids=["bare", "replayed"])
def test_a_tool_that_cancels_its_own_task_cancels_nothing_else(world: Any) -> None:
    async def at_once() -> str:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        return "returned all the same"

    async def later() -> str:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        await asyncio.sleep(0)
        return "never"

    async def at_once_in(world: Any) -> str:
        return await at_once()

    async def later_in(world: Any) -> str:
        return await later()

    one, other = (at_once, later) if world is None else (at_once_in, later_in)
    environment = ToolEnvironment([Tool(one, "pure", "one"), Tool(other, "pure", "other"), add], world)
    said = seen(environment, [("one", {}), ("other", {}), ("add", {"a": 4})])
    assert said == ["Error: one raised CancelledError", "Error: other raised CancelledError", "5"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python complains of one that resists
@pytest.mark.parametrize("kind", ["bare", "awaitable", "replayed", "folder"])
@pytest.mark.parametrize("resists", ["cancellation", "everything"])
def test_seconds_bound_a_tool_that_resists_its_cancellation(kind: str, resists: str, tmp_path: Path) -> None:
    """It is ended where it lets itself be ended, and dropped where it resists even that."""
    let_go, ended = threading.Event(), list[str]()

    async def stubborn() -> str:
        try:
            while not let_go.is_set():
                try:
                    await asyncio.sleep(0.05 if resists == "everything" else 60)
                except BaseException as error:
                    if resists == "cancellation" and not isinstance(error, asyncio.CancelledError):
                        raise
            return "late"
        finally:
            ended.append("ended")

    def awaitable() -> Any:
        return stubborn()

    async def inside(world: Any) -> str:
        return await stubborn()

    made: dict[str, Any] = {
        "bare": (stubborn, None), "awaitable": (awaitable, None), "replayed": (inside, list),
        "folder": (inside, FolderEnvironment(tmp_path)),
    }  # fmt: skip
    fn, world = made[kind]
    environment = ToolEnvironment([Tool(fn, "pure", "stubborn"), add], world, seconds=0.1)

    async def body(prompt: Prompt, run: Any) -> Any:
        state = await told(environment, await environment.start(prompt, run), [("stubborn", {})], run=run)
        over = list(ended)
        let_go.set()
        return await told(environment, state, [("add", {"a": 4})], run=run), over

    watch = threading.Timer(20, let_go.set)
    watch.start()
    try:
        state, over = drive(body)
    finally:
        watch.cancel()
    late = "Error: stubborn took more than 0.1 seconds, and was given up."
    assert observed(state.messages()) == [late, "5"]
    assert over == (["ended"] if resists == "cancellation" else [])


def test_a_cancelled_search_ends_its_tools() -> None:
    """The one cancellation that passes: the search's own."""
    begun, ended = asyncio.Event(), list[str]()

    @pure
    async def wait() -> str:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("ended")
        return "late"

    environment = ToolEnvironment([wait])

    async def body(prompt: Prompt, run: Any) -> Any:
        state = await environment.start(prompt, run)
        task = asyncio.create_task(environment.step(state, answered([("wait", {})]), run))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert drive(body)
    assert ended == ["ended"]


def test_an_object_without_a_text_is_told_to_the_model_and_changes_nothing() -> None:
    @reversible
    def mark(world: list[str]) -> Any:
        world.append("marked")
        return object()

    environment = ToolEnvironment([mark, look], list)
    told = "Error: mark returned an object of type object that has no text: return text or JSON"
    assert seen(environment, [("mark", {}), ("look", {})]) == [told, ""]


def test_a_tool_that_times_out_by_itself_says_so_itself() -> None:
    @pure
    def fetch() -> str:
        raise TimeoutError("the page did not answer")

    assert seen(ToolEnvironment([fetch]), [("fetch", {})]) == [
        "Error: fetch raised TimeoutError: the page did not answer"
    ]


def test_a_long_observation_is_cut_and_says_so() -> None:
    """Head and tail, as many characters as stated, and how many are left out; also of an error."""

    @pure
    def page(n: int, fail: bool = False) -> str:
        text = "".join(str(i % 10) for i in range(n))
        if fail:
            raise ValueError(text)
        return text

    environment = ToolEnvironment([page], characters=10)
    short, cut = seen(environment, [("page", {"n": 10}), ("page", {"n": 12_345})])
    assert short == "0123456789"
    assert cut == "01234\n[12,335 of 12,345 characters left out]\n01234"
    assert "".join(str(i % 10) for i in range(12_345)).endswith("01234")
    [failed] = seen(environment, [("page", {"n": 100, "fail": True})])
    assert failed == "Error\n[121 of 131 characters left out]\n56789"
    [one] = seen(ToolEnvironment([page], characters=1), [("page", {"n": 5})])
    assert one == "0\n[4 of 5 characters left out]\n"


def test_what_utf_8_cannot_hold_does_not_reach_the_server() -> None:
    @pure
    def odd() -> str:
        return "a\ud800b"

    assert seen(ToolEnvironment([odd]), [("odd", {})]) == ["a?b"]


def test_an_answer_with_very_many_calls_is_answered_call_by_call_but_not_done() -> None:
    said = seen(notes(), [("add", {"a": i}) for i in range(200)])
    assert said[:64] == [str(i + 1) for i in range(64)]
    assert len(said) == 200
    assert all(one.startswith("Error: ") for one in said[64:])
    assert len(DONE) == 64


# -------------------------------------------------------------------- branches and worlds


@pytest.mark.parametrize("world", [list, ReplayEnvironment(list, copies=2), SnapshotEnvironment(list)])
def test_each_branch_has_a_world_of_its_own(world: Any) -> None:
    """Any order of steps gives what a conversation of its own gives."""
    environment = ToolEnvironment([note, look], world)

    async def body(prompt: Prompt, run: Any) -> None:
        root = await environment.start(prompt, run)
        known = [("", root)]
        for text in "abcabc":
            for path, state in list(known)[-3:]:
                known.append((path + text, await told(environment, state, [("note", {"text": text})], run=run)))
        for path, state in known:
            told_now = await told(environment, state, [("look", {})], run=run)
            assert observed(told_now.messages())[-1] == ", ".join(path)

    drive(body)


def test_pure_calls_are_not_made_again_to_restore_a_branch() -> None:
    environment = ToolEnvironment([note, look, add], list)

    async def body(prompt: Prompt, run: Any) -> None:
        root = await environment.start(prompt, run)
        one = await told(
            environment, root, [("note", {"text": "a"}), ("look", {}), ("add", {"a": 1})], [("look", {})], run=run
        )
        await told(environment, root, [("note", {"text": "b"})], run=run)
        DONE.clear()
        assert observed((await told(environment, one, [("note", {"text": "c"})], run=run)).messages())[-1] == "a, c"
        assert DONE == ["note a", "note c"]

    drive(body)


def test_a_pure_call_leaves_the_live_world_where_it_is() -> None:
    """Between two reversible calls any number of looks costs no replay."""
    world = ReplayEnvironment(list)
    environment = ToolEnvironment([note, look], world)
    seen(environment, *[[("note", {"text": "a"}), ("look", {}), ("look", {})]] * 3)
    assert (world.tally.resets, world.tally.replays, world.tally.steps) == (1, 0, 9)


def test_a_world_that_changed_gives_up_the_branch() -> None:
    turn = [0]

    @reversible
    def tell(world: list[str]) -> str:
        world.append("x")
        return f"turn {turn[0]}"

    environment = ToolEnvironment([tell, note], list)

    async def body(prompt: Prompt, run: Any) -> None:
        root = await environment.start(prompt, run)
        state = await told(environment, root, [("tell", {})], run=run)
        await told(environment, root, [("note", {"text": "b"})], run=run)
        turn[0] = 1
        with pytest.raises(StaleBranch):
            await told(environment, state, [("tell", {})], run=run)

    drive(body)


def test_worlds_that_are_made_and_closed_async_stay_on_the_loop() -> None:
    log = list[str]()

    class Desk:
        async def close(self) -> None:
            log.append("closed")

    async def opened() -> Desk:
        await asyncio.sleep(0)
        log.append("opened")
        return Desk()

    @reversible
    async def use(world: Desk) -> str:
        assert isinstance(world, Desk)
        return "used"

    environment = ToolEnvironment([use], opened)

    async def body(prompt: Prompt, run: Any) -> None:
        root = await environment.start(prompt, run)
        await told(environment, root, [("use", {})], run=run)
        await told(environment, root, [("use", {})], run=run)

    drive(body)
    assert log == ["opened", "closed", "opened", "closed"]


def test_synchronous_tools_of_a_world_stay_on_its_thread() -> None:
    """A connection to a database may be used on the thread alone that made it."""
    import sqlite3

    @reversible
    def run_sql(world: sqlite3.Connection, query: str) -> list[Any]:
        return world.execute(query).fetchall()

    environment = ToolEnvironment([run_sql], lambda: sqlite3.connect(":memory:"))
    queries = ("create table t (x)", "insert into t values (7)", "select x from t", "selec")
    said = seen(environment, *[[("run_sql", {"query": query})] for query in queries])
    assert said == ["[]", "[]", "[[7]]", 'Error: run_sql raised OperationalError: near "selec": syntax error']


@reversible
def write(world: Path, name: str, text: str) -> str:
    """Write a file."""
    if "/" in name or name.startswith("."):
        raise ValueError("a plain name of a file, please")
    (world / name).write_text(text)
    return f"wrote {world / name}"


@pure
def read(world: Path, name: str) -> str:
    """Read a file."""
    (world / "left behind").write_text("by a tool that is not pure")
    return (world / name).read_text()


def test_a_folder_is_a_world_and_its_answer_a_patch(tmp_path: Path) -> None:
    """Tools get a copy; what a pure one changes is not kept; the original is untouched until commit."""
    source = tmp_path / "project"
    source.mkdir()
    (source / "a.txt").write_text("one\n")
    environment = ToolEnvironment([write, read], FolderEnvironment(source))

    async def body(prompt: Prompt, run: Any) -> Any:
        root = await environment.start(prompt, run)
        state = await told(environment, root, [("write", {"name": "a.txt", "text": "two\n"})],
                           [("read", {"name": "a.txt"}), ("write", {"name": "../b", "text": ""})], run=run)  # fmt: skip
        other = await told(environment, root, [("read", {"name": "a.txt"})], run=run)
        assert observed(other.messages()) == ["one\n"]
        assert observed(state.messages()) == [
            "wrote ./a.txt", "two\n", "Error: write raised ValueError: a plain name of a file, please",
        ]  # fmt: skip
        assert environment.complete(state)  # type: ignore[attr-defined]
        answer = environment.candidate(state)
        assert (answer.value, answer.finish) == (state.worlds[0].answer, "stop")
        assert "-one\n+two\n" in answer.value
        assert "left behind" not in answer.value
        assert {p.name: p.read_text() for p in source.iterdir()} == {"a.txt": "one\n"}
        await environment.commit(state, run)
        return {p.name: p.read_text() for p in source.iterdir()}

    assert drive(body) == {"a.txt": "two\n"}


def test_a_git_repository_is_a_world_and_commit_leaves_a_branch(tmp_path: Path) -> None:
    def git(*args: str) -> str:
        found = subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *args],
                               capture_output=True, text=True, check=True)  # fmt: skip
        return found.stdout

    git("init", "-q")
    (tmp_path / "a.txt").write_text("one\n")
    git("add", "a.txt")
    git("commit", "-qm", "first")
    environment = ToolEnvironment([write, read], GitEnvironment(tmp_path))

    async def body(prompt: Prompt, run: Any) -> str:
        root = await environment.start(prompt, run)
        calls = [("write", {"name": "a.txt", "text": "two\n"}), ("read", {"name": "a.txt"})]
        state = await told(environment, root, calls, run=run)
        assert observed(state.messages()) == ["wrote ./a.txt", "two\n"]
        return (await environment.commit(state, run)).observation

    branch = drive(body)
    assert git("show", f"{branch}:a.txt") == "two\n"
    assert (tmp_path / "a.txt").read_text() == "one\n"


def test_only_with_files_is_any_state_an_answer(tmp_path: Path) -> None:
    assert hasattr(ToolEnvironment([write], FolderEnvironment(tmp_path)), "complete")
    assert not hasattr(notes(), "complete")


# -------------------------------------------------------------------- ends and answers


def test_an_answer_without_calls_is_the_end_and_its_text_the_answer() -> None:
    environment = notes()

    async def body(prompt: Prompt, run: Any) -> None:
        root = await environment.start(prompt, run)
        step = await environment.step(root, answered([("add", {"a": 1})]), run)
        assert (step.observation, step.terminal) == ("2", False)
        sample = environment.candidate(step.state)
        assert sample.text == 'add({"a": 1})\n2\n'
        assert [sample.text[s.start : s.end] for s in sample.step_spans] == [sample.text]
        step = await environment.step(step.state, answered("it is 2"), run)
        assert (step.observation, step.reward, step.terminal) == ("it is 2", None, True)
        assert environment.candidate(step.state).value == "it is 2"
        assert step.state.said == "it is 2"
        with pytest.raises(ConfigError, match="over"):
            await environment.step(step.state, answered("more"), run)

    drive(body)


def test_what_was_cut_off_is_no_answer() -> None:
    state = after(notes(), answered("it is", finish="length"))
    assert notes().candidate(state).truncated
    long = after(notes(turns=2), [("add", {"a": 1})], [("add", {"a": 2})])
    assert (long.ended, notes().candidate(long).truncated) == (True, True)
    whole = after(notes(), answered([("add", {"a": 1})], finish="length"))  # the call itself is whole
    assert observed(whole.messages()) == ["2"]
    assert not whole.ended


def test_render_says_what_an_answer_is() -> None:
    environment = notes(render=lambda state: observed(state.messages()))
    assert environment.candidate(after(environment, [("add", {"a": 1})])).value == ["2"]


def test_generators_that_return_calls_or_plain_texts_do_too() -> None:
    """A function as the generator, whose value is a call, calls, a message or a text."""
    call = ToolCall("", "add", '{"a": 1}')
    for value in (call, (call,), [call], Message("assistant", (), (call,))):
        state = after(notes(), Sample(value))
        assert observed(state.messages()) == ["2"]
        assert state.messages()[-2].tool_calls[0].name == "add"
    assert after(notes(), Sample("plain")).said == "plain"


# -------------------------------------------------------------------- what cannot be undone


def agent(messages: tuple[Message, ...], seed: int) -> Any:
    """Notes something, sends it, and is done."""
    turns = [m for m in messages if m.role == "assistant"]
    if not turns:
        return [("note", {"text": "ab"[seed % 2]})]
    if len(turns) == 1:
        return [("send", {"text": observed(messages)[-1]}), ("add", {"a": seed % 2})]
    return f"done {observed(messages)[0]}"


def prefers_b(answer: Any) -> float:
    return 0.9 if isinstance(answer, Planned) and answer.answer == "done b" else 0.3


def test_an_irreversible_call_is_put_off_and_done_once_by_commit() -> None:
    environment = notes()

    async def body(prompt: Prompt, run: Any) -> None:
        root = await environment.start(prompt, run)
        state = await told(
            environment,
            root,
            [("send", {"text": "x"}), ("note", {"text": "a"}), ("send", {"text": "y"})],
            "bye",
            run=run,
        )
        assert DONE == ["note a"]
        first, noted, second = observed(state.messages())
        assert "Put off" in first
        assert "Put off" in second
        assert noted == "a"
        planned = environment.candidate(state).value
        assert planned == Planned("bye", tuple(ToolCall("", "send", json.dumps({"text": t})) for t in "xy"))
        step = await environment.commit(state, run)
        assert DONE == ["note a", "note a", "send x", "send y"]  # the world is brought there first
        assert observed(step.state.messages()) == ["sent x", "a", "sent y"]
        assert step.terminal
        assert environment.candidate(step.state).value == "bye"
        DONE.clear()
        await environment.commit(step.state, run)
        assert DONE == ["note a"]  # nothing is put off any more

    drive(body)


def test_side_effects_are_done_once_for_each_committed_path(tmp_path: Path) -> None:
    """A whole search, committed; run again over its journal; and over another."""
    search = MCTS(Predicate(prefers_b), environment=notes(), iterations=24, width=2)
    for journal, expected in (("one.db", ["send b"]), ("one.db", []), ("two.db", ["send b"])):
        DONE.clear()
        result = solve_sync("go", RecedingHorizon(search), generator=model(agent), journal=tmp_path / journal)
        assert [done for done in DONE if done.startswith("send")] == expected
        assert result.answer == "done b"  # what it came to, and no plan any more
    DONE.clear()
    solve_sync("go", search, generator=model(agent))
    assert not [done for done in DONE if done.startswith("send")]  # a search alone never does it


def test_a_beginning_without_an_end_is_uncertain(tmp_path: Path) -> None:
    crash, searching = [True], list[Any]()

    @irreversible
    async def order() -> str:
        DONE.append("order")
        if crash[0]:
            searching[0].cancel()
            await asyncio.sleep(60)
        return "ordered"

    environment = ToolEnvironment([order])

    async def body(prompt: Prompt, run: Any) -> str:
        searching[:] = [asyncio.current_task()]
        state = await told(environment, await environment.start(prompt, run), [("order", {})], run=run)
        return (await environment.commit(state, run)).observation

    with pytest.raises(BaseException):  # noqa: B017, PT011
        drive(body, journal=tmp_path / "run.db")
    crash[0] = False
    with pytest.raises(UncertainEffect):
        drive(body, journal=tmp_path / "run.db")
    assert DONE == ["order"]


def test_an_irreversible_tool_that_raises_is_not_tried_again(tmp_path: Path) -> None:
    @irreversible
    def order() -> str:
        DONE.append("order")
        raise OSError("the line broke")

    environment = ToolEnvironment([order])

    async def body(prompt: Prompt, run: Any) -> str:
        state = await told(environment, await environment.start(prompt, run), [("order", {})], run=run)
        return (await environment.commit(state, run)).observation

    for _ in range(2):
        assert drive(body, journal=tmp_path / "run.db") == "Error: order raised OSError: the line broke"
    assert DONE == ["order"]


def test_what_was_done_for_good_in_a_live_world_is_in_no_other_branch() -> None:
    """Two irreversible calls meet in one live world, in order; what comes after starts anew."""

    @irreversible
    def stamp(world: list[str], text: str) -> str:
        world.append(f"stamped {text}")
        return ", ".join(world)

    environment = ToolEnvironment([note, look, stamp], list)

    async def body(prompt: Prompt, run: Any) -> None:
        root = await environment.start(prompt, run)
        state = await told(environment, root, [("note", {"text": "a"})], run=run)
        both = await told(environment, state, [("stamp", {"text": "x"}), ("stamp", {"text": "y"})], run=run)
        step = await environment.commit(both, run)
        assert observed(step.state.messages())[1:] == ["a, stamped x", "a, stamped x, stamped y"]
        for _ in range(2):
            assert observed((await told(environment, state, [("look", {})], run=run)).messages())[-1] == "a"

    drive(body)


def test_a_guard_around_it_may_refuse_but_not_put_off_once_more() -> None:
    with pytest.raises(ConfigError, match="puts off what is irreversible itself"):
        Guarded(notes(), lambda state, action: "irreversible", "defer")
    guarded = Guarded(notes(), lambda state, action: "irreversible" if action.message.tool_calls else "pure")

    async def body(prompt: Prompt, run: Any) -> Any:
        step = await guarded.step(await guarded.start(prompt, run), answered([("send", {"text": "x"})]), run)
        return step.observation

    assert "refused" in drive(body)


def test_an_irreversible_call_that_takes_too_long_may_have_been_done(tmp_path: Path) -> None:
    @irreversible
    async def order() -> str:
        await asyncio.sleep(60)
        return "ordered"

    environment = ToolEnvironment([order], seconds=0.05)

    async def body(prompt: Prompt, run: Any) -> str:
        state = await told(environment, await environment.start(prompt, run), [("order", {})], run=run)
        return (await environment.commit(state, run)).observation

    late = "Error: order took more than 0.05 seconds, and was given up. Whether it was done is not known."
    assert [drive(body, journal=tmp_path / "run.db") for _ in range(2)] == [late, late]


def test_malformed_irreversible_calls_are_not_put_off() -> None:
    state = after(notes(), [("send", {"txt": "x"})], "bye")
    assert state.pending == ()
    assert notes().candidate(state).value == "bye"


# -------------------------------------------------------------------- journals


def test_resumed_pure_calls_are_not_made_again_and_what_was_seen_stays_seen(tmp_path: Path) -> None:
    """Observations that differ each time, as times do, change nothing in a resumed search."""
    count = [0]

    @pure
    def clock() -> str:
        count[0] += 1
        return f"at {count[0]}"

    @reversible
    def touch(world: list[str]) -> str:
        count[0] += 1
        return f"touched at {count[0]}"

    def reply(messages: tuple[Message, ...], seed: int) -> Any:
        return "bye" if observed(messages) else [("clock", {}), ("touch", {})]

    environment = ToolEnvironment([clock, touch], SnapshotEnvironment(list))
    flat = Predicate(lambda answer: 0.5, name="flat")
    search = MCTS(flat, environment=environment, iterations=6, width=2)
    results = []
    for _ in range(2):
        calls = count[0]
        results.append(solve_sync("go", search, generator=model(reply), journal=tmp_path / "run.db"))
    first, second = results
    assert second.tree.to_json() == first.tree.to_json()
    assert second.paid.model_calls == 0 < first.paid.model_calls
    assert count[0] - calls == calls / 2  # the reversible half


@pytest.mark.parametrize("first", ["fails", "works"])
def test_what_became_of_a_reversible_call_is_recorded_too(first: str, tmp_path: Path) -> None:
    """Resumed, a call that had failed has still changed nothing; one that now fails makes its branch stale."""
    fails = [first == "fails"]

    @reversible
    def push(world: list[str]) -> str:
        world.append("x")
        if fails[0]:
            raise OSError("not now")
        return "pushed"

    environment = ToolEnvironment([push, look], SnapshotEnvironment(list))

    async def body(prompt: Prompt, run: Any) -> list[str]:
        state = await told(environment, await environment.start(prompt, run), [("push", {})], run=run)
        return observed((await told(environment, state, [("look", {})], run=run)).messages())

    expected = ["Error: push raised OSError: not now", ""] if fails[0] else ["pushed", "x"]
    assert drive(body, journal=tmp_path / "run.db") == expected
    fails[0] = not fails[0]
    if first == "fails":
        assert drive(body, journal=tmp_path / "run.db") == expected
    else:
        with pytest.raises(StaleBranch, match="not now"):
            drive(body, journal=tmp_path / "run.db")


def test_a_search_may_begin_at_a_state_of_another_one() -> None:
    environment = notes()
    state = after(environment, [("note", {"text": "a"})])

    async def body(prompt: Prompt, run: Any) -> None:
        assert observed((await told(environment, state, [("look", {})], run=run)).messages()) == ["a", "a"]

    drive(body)


# -------------------------------------------------------------------- configuration and searches


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tools": [add, add]}, "two tools are called add"),
        ({"tools": [lambda a: a]}, "with their effect declared"),
        ({"tools": [note]}, "note has a parameter `world`"),
        ({"tools": [note], "world": 3}, "world is a function"),
        ({"tools": [note], "world": FolderEnvironment(".", lambda folder, action: "")}, "leave out act="),
        ({"tools": [add], "characters": 0}, "characters must be >= 1"),
        ({"tools": [add], "turns": 0}, "turns must be >= 1"),
        ({"tools": [add], "seconds": 0}, "seconds must be > 0"),
    ],
)
def test_impossible_configurations_are_refused_at_construction(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ToolEnvironment(**options)


def test_a_folder_without_act_is_no_environment_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ToolEnvironment"):
        solve_sync("go", BestFirst(Predicate(lambda a: 0.1), environment=FolderEnvironment(tmp_path)),
                   generator=lambda text: "x")  # fmt: skip


def test_it_pickles(tmp_path: Path) -> None:
    environment = ToolEnvironment([write, read], FolderEnvironment(tmp_path))
    again = pickle.loads(pickle.dumps(environment))
    assert again == environment
    assert hasattr(again, "complete")
    assert seen(again, [("read", {"name": "nothing"})])[0].startswith("Error: read raised FileNotFoundError")


@pytest.mark.parametrize("strategy", [partial(MCTS, policy=UCT(), width=8), BestFirst])
def test_a_search_finds_what_brute_force_finds(strategy: Any) -> None:
    """Three digits are noted one by one; of all 27 the one answer that the verifier likes is found."""

    def reply(messages: tuple[Message, ...], seed: int) -> Any:
        so_far = observed(messages)[-1:] or [""]
        return f"it is {so_far[0]}" if so_far[0].count(",") == 2 else [("note", {"text": str(seed % 3)})]

    def judge(answer: Any) -> float:
        digits = [c for c in str(answer).splitlines()[-1] if c.isdigit()] if answer else []
        return sum(a == b for a, b in zip(digits, "201", strict=False)) / 3

    search = strategy(Predicate(judge), environment=ToolEnvironment([note], list), iterations=200, threshold=1.0)
    result = solve_sync("guess", search, generator=model(reply))
    assert result.answer == "it is 2, 0, 1"


def test_the_budgets_deadline_ends_a_step() -> None:
    @pure
    async def sleep() -> str:
        await asyncio.sleep(60)
        return ""

    environment = ToolEnvironment([sleep], seconds=60)

    async def body(prompt: Prompt, run: Any) -> str:
        root = await environment.start(prompt, run)
        with pytest.raises(BudgetExhausted):
            await told(environment, root, [("sleep", {})], run=run)
        return "ended"

    assert drive(body, budget=Budget(seconds=1.0)) == "ended"


def test_children_of_a_value_model_see_what_was_done() -> None:
    """The published best-first search with a value model: the verifier is shown the story of unfinished paths."""
    shown = list[str]()

    def judge(answer: Any) -> float:
        shown.append(str(answer))
        return 0.5

    search = BestFirst(Predicate(judge), environment=notes(), evaluation=Children(), width=2, iterations=3)
    solve_sync("go", search, generator=model(agent), params=Params(max_tokens=4))
    assert any(one.startswith('note({"text": ') for one in shown)


def test_a_text_of_a_kind_of_its_own_is_a_plain_text():
    """Such as markup, which is joined in ways of its own."""

    class Marked(str):
        def __str__(self) -> str:
            raise RuntimeError

        def __len__(self) -> int:
            return 10**12

        def encode(self, *args: Any) -> bytes:
            raise RuntimeError

    class Named:
        def __str__(self) -> str:
            return Marked("named")

    assert type(text_of(Marked("said"))) is str
    assert text_of(Marked("said")) == "said"
    assert type(text_of(Named())) is str
