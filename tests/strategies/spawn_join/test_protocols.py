"""How spawn and join look in text and as tools: exact forms, what models get wrong, and real HTTP servers."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit import ConfigError, Message, Model, NeedsPrefix, Params, Prompt, Sample, solve
from searchkit.generators import OpenAI
from searchkit.strategies import APRProtocol, SpawnJoin, TagProtocol, ToolCallProtocol
from searchkit.strategies.spawn_join.protocols.base import Returned, Slip, Spawn, Task
from searchkit.testing.server import Reply, Server
from searchkit.types import Text, ToolCall

ROOT = "[Sub Call Budget: 2 ]Moving to Node #0\nCurrent State: 27:[22, 26, 31, 53], Operations: []"
BEGUN = (
    "\nExploring Operation: 53-22=31, Resulting Numbers: [26, 31, 31]\n"
    "Generated Node #0,0: 27:[26, 31, 31] Operation: 53-22=31\n"
    "Exploring Operation: 26+31=57, Resulting Numbers: [22, 53, 57]\n"
    "Generated Node #0,1: 27:[22, 53, 57] Operation: 26+31=57\n"
    "Moving to Node #0,1\nCurrent State: 27:[22, 53, 57], Operations: ['26+31=57']\n"
    "Generated Node #0,1,0: 27:[31, 57] Operation: 53-22=31\n"
)
CALL = "<Calling Sub Searches>\n{}"


def calls(*nodes: str) -> str:
    return CALL.format("".join(f"<Start Sub Search {i} at level 1> Moving to Node #{n}\n" for i, n in enumerate(nodes)))


def part(text: str, stop: str | None = None, finish: Any = "stop") -> Sample[str]:
    return Sample(text, Message("assistant", (Text(text),)), finish, stop)


def read(protocol: Any, text: str, stop: str | None = None, prompt: str = "q", before: str = "") -> Any:
    return protocol.read(Prompt.of(prompt).continued(before), part(text, stop))


# ---------------------------------------------------------------- APR


def test_apr_children_are_handed_their_node() -> None:
    """State and operations as the parent's text defines them, byte for byte, in the order of the block."""
    spawn = read(APRProtocol(), BEGUN + calls("0,1,0", "0,0", "0,0"), "<End Calling Sub Searches>", ROOT)
    first = "Moving to Node #0,0\nCurrent State: 27:[26, 31, 31], Operations: ['53-22=31']"
    third = "Moving to Node #0,1,0\nCurrent State: 27:[31, 57], Operations: ['26+31=57', '53-22=31']"
    assert [task.prompt.text for task in spawn.tasks] == [third, first, first]
    assert all(len(task.prompt.messages) == 1 and not task.prompt.prefix for task in spawn.tasks)


@pytest.mark.parametrize("budget", ["[Token Budget: 512 ]", "Token Budget: 512 "])
def test_apr_a_token_budget_is_copied_to_children_and_a_sub_call_budget_is_not(budget: str) -> None:
    """In both spellings, and from the prompt only."""
    for ahead, copied in ((budget, budget), (budget + "[Sub Call Budget: 2 ]", budget), ("Sub Call Budget: 2 ", "")):
        root = ROOT.replace("[Sub Call Budget: 2 ]", ahead)
        [task] = read(APRProtocol(), BEGUN + calls("0,0"), "<End Calling Sub Searches>", root).tasks
        assert task.prompt.text.startswith(f"{copied}Moving to Node #0,0\n")


def test_apr_an_unknown_node_is_reported_in_its_place() -> None:
    """The others are served; a block that names no node at all is a spawn without tasks."""
    spawn = read(APRProtocol(), BEGUN + calls("0,7", "0,0", "evil"), "<End Calling Sub Searches>", ROOT)
    assert [task.prompt is None for task in spawn.tasks] == [True, False, True]
    assert spawn.tasks[0].problem == "no node #0,7 has been generated"
    results = [Returned(None, "x"), Returned("the path"), Returned(None, "y")]
    thread, block = APRProtocol().join(Prompt.of(ROOT), part(BEGUN + calls("0,7", "0,0", "evil")), spawn, results, "")
    assert thread.prefix == BEGUN + block
    assert block == (
        "<Sub Searches>\n<No Solution in Sub Search 0 at level 1 at Node #0,7>\n"
        "<Goal Reached in Sub Search 1 at level 1 at Node #0,0>\nthe path\n"
        "<No Solution in Sub Search 2 at level 1 at Node #evil>\n<End Sub Searches>\n"
    )
    assert read(APRProtocol(), CALL.format("nothing\n"), "<End Calling Sub Searches>", ROOT).problem


def test_apr_a_model_that_makes_up_a_join_is_led_back() -> None:
    """Its marker is replaced by the beginning of a spawn block, and the block is found although it began before."""
    slip = read(APRProtocol(), BEGUN, "<Sub Searches>", ROOT)
    assert isinstance(slip, Slip)
    assert slip.thread.prefix == BEGUN + "<Calling Sub Searches>"
    rest = part(calls("0,0").removeprefix("<Calling Sub Searches>"), "<End Calling Sub Searches>")
    spawn = APRProtocol().read(slip.thread, rest)
    assert [task.name for task in spawn.tasks] == ["0,0"]
    thread, block = APRProtocol().join(slip.thread, rest, spawn, [Returned(None)], "")
    assert thread.prefix == BEGUN + block


@pytest.mark.parametrize("ending", ["<End Calling Sub Searches>", "<End Calling Sub Searches>\n", ""])
def test_apr_a_spawn_is_seen_however_the_text_ended(ending: str) -> None:
    """By the model's own end token, by a stop that the server cut off without a word, or with text behind it."""
    spawn = read(APRProtocol(), BEGUN + calls("0,0") + ending, None, ROOT)
    assert [task.name for task in spawn.tasks] == ["0,0"]
    cut = APRProtocol().read(Prompt.of(ROOT), part(BEGUN + calls("0,0"), None, "length"))
    assert cut is None


def test_apr_a_settled_spawn_block_is_not_read_again() -> None:
    """Neither marks in a joined path nor an earlier block count for what the model writes later."""
    before = BEGUN + "<Sub Searches>\n<Calling Sub Searches>\n<End Sub Searches>\n"
    assert read(APRProtocol(), "No solution found.", None, ROOT, before) is None
    assert read(APRProtocol(), "x", "<End Calling Sub Searches>", ROOT, before).problem


def test_apr_returns_the_path_behind_the_second_to_last_goal() -> None:
    """As the released code cuts it; the head of a join block is not a goal that was reached."""
    goal = "27,27 equal: Goal Reached\n"
    for text, path in (
        ("No solution found.", None),
        (f"found\n{goal}", None),
        (f"found\n{goal}Moving to Node #0,1\nsteps\n{goal}", f"Moving to Node #0,1\nsteps\n{goal.strip()}"),
        (f"{goal}one\n{goal}two\n{goal}", f"two\n{goal.strip()}"),
        (f"<Goal Reached in Sub Search 0 at level 1 at Node #0,1>\nx\n{goal}", None),
        (f"{goal}<Calling Sub Searches>\n{goal}", None),
    ):
        assert APRProtocol().returned(part(text)) == path
    assert "at level 2 at" in APRProtocol().below().block(Spawn((Task(None, "0"),)), [Returned(None)], "")


# ---------------------------------------------------------------- tags


def test_tags_exact_form() -> None:
    """Block in, block out; the text before stays, the text of the block goes."""
    block = "<spawn>\n<task>add 2\nand 3</task>\n<task> </task><task>left open"
    protocol = TagProtocol()
    spawn = read(protocol, "Well. " + block, "</spawn>")
    assert [task.prompt and task.prompt.text for task in spawn.tasks] == ["add 2\nand 3", None, "left open"]
    results = [Returned("5"), Returned(None, "the task is empty"), Returned("<join>")]
    thread, _ = protocol.join(Prompt.of("q"), part("Well. " + block, "</spawn>"), spawn, results, "2 more")
    assert thread.prefix == (
        'Well. <join>\n<result task="1">5</result>\n<failed task="2">the task is empty</failed>\n'
        '<result task="3">&lt;join></result>\n<refused>2 more</refused>\n</join>\n'
    )
    assert protocol.returned(part(thread.prefix + " So it is 5. ")) == "So it is 5."
    assert protocol.returned(part("so it", None, "length")) is None


def test_tags_are_explained_to_whoever_may_spawn() -> None:
    """In the first message, and only there."""
    opened = TagProtocol().opening(Prompt.of("q"), spawns=True)
    assert opened.text.startswith("q\n\n")
    assert "<spawn>" in opened.text
    assert TagProtocol().opening(Prompt.of("q"), spawns=False) == Prompt.of("q")


def test_tags_without_sense() -> None:
    """A closing tag alone and an empty block are spawns that say what is wrong; text that mentions tags is text."""
    assert read(TagProtocol(), "hm", "</spawn>").problem == "</spawn> without <spawn>"
    assert "no <task>" in read(TagProtocol(), "<spawn> hm ", "</spawn>").problem
    assert read(TagProtocol(), "use <task> and </task>") is None
    assert read(TagProtocol(), "<spawn><task>a</task>", "another stop") is None


MARKS = ["<spawn>", "</spawn>", "<task>", "</task>", "<join>", "</join>", "a", "\n"]


@given(st.lists(st.sampled_from(MARKS), max_size=12).map("".join))
def test_tags_any_text_is_read(text: str) -> None:
    """Never an error; what comes out has no tasks without text, and a join removes the block."""
    protocol, thread = TagProtocol(), Prompt.of("q").continued("so far ")
    found = protocol.read(thread, part(text))
    if isinstance(found, Spawn):
        assert found.tasks or found.problem
        after, block = protocol.join(thread, part(text), found, [Returned(None, "x")] * len(found.tasks), "")
        assert after.prefix.startswith("so far ")
        assert after.prefix.endswith(block)


def test_reading_takes_time_in_proportion_to_the_text() -> None:
    """Marks without their partners, 50,000 of them, are no trouble."""
    many = 50_000
    assert len(read(TagProtocol(), "<spawn>" + "<task>" * many, "</spawn>").tasks) == many
    assert len(read(APRProtocol(), calls(*["0,0"] * many), "<End Calling Sub Searches>", ROOT).tasks) == many
    assert read(APRProtocol(), "Current State: 1:[" + "1, " * many + CALL.format(""), None, ROOT).problem
    assert ToolCallProtocol().read(Prompt.of("q"), tool(("spawn", "[" * many))).tasks[0].problem


# ---------------------------------------------------------------- tools


def tool(*made: tuple[str, str], text: str = "") -> Sample[str]:
    said = tuple(ToolCall(f"c{i}", name, arguments) for i, (name, arguments) in enumerate(made))
    return Sample(text, Message("assistant", (Text(text),) if text else (), said), "tool_calls")


def test_tools_are_offered_where_they_can_be_used() -> None:
    """Spawn to those who may, join to children, and no place for tools that nobody would run."""
    names = [
        [json.loads(t)["function"]["name"] for t in protocol.opening(Prompt.of("q"), spawns).tools]
        for protocol in (ToolCallProtocol(), ToolCallProtocol().below())
        for spawns in (True, False)
    ]
    assert names == [["spawn"], [], ["spawn", "join"], ["join"]]
    with pytest.raises(ConfigError, match="tools of a prompt"):
        ToolCallProtocol().opening(Prompt(Prompt.of("q").messages, tools=("{}",)), True)


@pytest.mark.parametrize(
    "arguments", ["", "not json", "[]", "{}", '{"tasks": []}', '{"tasks": "a"}', "[" * 9999, "1" * 9999, '{"tasks": 1}']
)
def test_tools_arguments_without_sense_are_answered(arguments: str) -> None:
    """The call gets a result that says what was expected; nothing is raised."""
    protocol, made = ToolCallProtocol(), tool(("spawn", arguments))
    spawn = protocol.read(Prompt.of("q"), made)
    assert isinstance(spawn, Spawn)
    [task] = spawn.tasks
    assert task.prompt is None
    thread, _ = protocol.join(Prompt.of("q"), made, spawn, [Returned(None, task.problem)], "")
    assert json.loads(thread.messages[-1].text) == {
        "results": [{"task": 1, "failed": 'the arguments are not {"tasks": ["...", ...]}'}]
    }


def test_tools_several_calls_are_one_spawn_with_a_result_each() -> None:
    """Unknown tools and tasks that are no text are failures in their place; what was refused is in its own result."""
    protocol = ToolCallProtocol()
    made = tool(("spawn", '{"tasks": ["a", 7]}'), ("shell", "{}"), ("spawn", '{"tasks": ["\\ud800", "c"]}'))
    spawn = protocol.read(Prompt.of("q"), made)
    assert isinstance(spawn, Spawn)
    assert [task.prompt and task.prompt.text for task in spawn.tasks] == ["a", None, None, "?", "c"]
    results = [Returned("A"), Returned(None, "no text"), Returned(None, "no tool"), Returned("B")]
    thread, _ = protocol.join(Prompt.of("q"), made, spawn, results, "1 more task")
    told = [(m.role, m.tool_call_id, json.loads(m.text)) for m in thread.messages[2:]]
    assert told == [
        ("tool", "c0", {"results": [{"task": 1, "returned": "A"}, {"task": 2, "failed": "no text"}]}),
        ("tool", "c1", {"results": [{"task": 1, "failed": "no tool"}]}),
        ("tool", "c2", {"results": [{"task": 1, "returned": "B"}], "refused": "1 more task"}),
    ]


def test_tools_close_the_turn_that_a_prompt_began() -> None:
    """Its beginning is part of what the assistant said, and is not begun again after the results."""
    protocol, made = ToolCallProtocol(), tool(("spawn", '{"tasks": ["a"]}'), text=" split it.")
    begun = Prompt.of("q").continued("Let me")
    spawn = protocol.read(begun, made)
    assert isinstance(spawn, Spawn)
    thread, _ = protocol.join(begun, made, spawn, [Returned("A")], "")
    assert (thread.messages[1].text, thread.prefix) == ("Let me split it.", "")


def test_tools_a_child_ends_by_join() -> None:
    """Its message is all that it returns; a root has no parent to join, and is told so."""
    child, ended = ToolCallProtocol().below(), tool(("join", '{"message": "42"}'), text="thinking")
    assert child.read(Prompt.of("t"), ended) is None
    assert child.text(Prompt.of("t"), Prompt.of("t"), ended) == "42"
    assert isinstance(ToolCallProtocol().read(Prompt.of("t"), ended), Spawn)


# ---------------------------------------------------------------- over HTTP


def research(prompt: str, seed: int, body: dict[str, Any]) -> str | Reply:
    """A chat model with tools: the user's question is split in three, one child asks for one more level."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        found = [entry.get("returned", "failed") for entry in json.loads(last["content"])["results"]]
        return "So: " + " ".join(found)
    task = last["content"]
    if task == "question":
        return Reply("Let me split it.", "hm", (("spawn", '{"tasks": ["left", "right", "deep"]}'),))
    if task == "deep":
        return Reply(tool_calls=(("spawn", '{"tasks": ["inner"]}'),))
    return Reply(tool_calls=(("join", json.dumps({"message": f"{task}!"})),))


@pytest.mark.parametrize("transport", ["direct", "official"])
@pytest.mark.parametrize("profile", ["vllm", "sglang", "openai"])
def test_tools_end_to_end(profile: str, transport: Any) -> None:
    """Through the real openai client too: requests as the API wants them, and what the server counted is charged."""
    with Server(profile, reply=research, latency=0.01) as server:
        backend = OpenAI(server.url, "test-model", transport=transport, extras=None if profile != "openai" else False)
        strategy = SpawnJoin(ToolCallProtocol(), depth=2)
        result = asyncio.run(solve("question", strategy, generator=Model(backend, Params(max_tokens=99))))
        assert result.answer == "So: left! right! So: inner!"
        assert not result.errors
        bodies = [r.body for r in server.requests]
        assert result.usage.prompt_tokens == server.prompt_tokens
        assert result.usage.generated_tokens == server.generated_tokens
        assert len(bodies) == 7
    last = bodies[-1]["messages"]
    assert [m["role"] for m in last] == ["user", "assistant", "tool"]
    assert last[1]["tool_calls"][0]["id"] == last[2]["tool_call_id"]
    tools = {m["messages"][0]["content"]: [t["function"]["name"] for t in m["tools"]] for m in bodies}
    assert tools == {
        "question": ["spawn"], "left": ["spawn", "join"], "right": ["spawn", "join"], "deep": ["spawn", "join"],
        "inner": ["join"],
    }  # fmt: skip


def tagging(prompt: str, seed: int, body: dict[str, Any]) -> str:
    """A model for any route: the text that it sees ends in the turn that it continues."""
    turn = prompt.rpartition("<assistant>")[2]
    if "question" not in prompt:
        return "one moment 5"
    return (
        "So it is 5." if turn.endswith("</join>\n") else "Well. <spawn><task>two plus three</task></spawn> <join> lies"
    )


ANSWER = 'Well. <join>\n<result task="1">one moment 5</result>\n</join>\nSo it is 5.'


@pytest.mark.parametrize("route", ["chat", "completions"])
@pytest.mark.parametrize("profile", ["vllm", "sglang", "llama.cpp"])
def test_text_is_continued_after_a_join(profile: str, route: Any) -> None:
    """Over chat with continuation and over completions; the prefix that is read again is charged as the server counts.

    llama.cpp does not say which stop fired: a text that ends within a spawn block is taken as a spawn.
    """
    with Server(profile, reply=tagging) as server:
        backend = OpenAI(server.url, "test-model", route=route)
        if route == "chat":
            asyncio.run(backend.probe())
            server.prompt_tokens = server.generated_tokens = 0
            server.requests.clear()
        result = asyncio.run(
            solve("question", SpawnJoin(TagProtocol()), generator=Model(backend, Params(max_tokens=99)))
        )
        assert result.answer == ANSWER
        assert result.usage.prompt_tokens == server.prompt_tokens
        assert result.usage.generated_tokens == server.generated_tokens
        first, _, last = (r.body for r in server.requests)
    if route == "chat":
        assert last["messages"][-1] == {"role": "assistant", "content": ANSWER.removesuffix("So it is 5.")}
        assert last["continue_final_message"] is True
    else:
        assert last["prompt"] == first["prompt"] + ANSWER.removesuffix("So it is 5.")


@pytest.mark.parametrize("profile", ["ollama", "openai"])
def test_a_server_that_continues_nothing_raises_needs_prefix(profile: str) -> None:
    """Before the second part, with the fix; a thread that never spawns does not need it."""
    with Server(profile, reply=tagging) as server:
        model = Model(OpenAI(server.url, "test-model", extras=profile != "openai"), Params(max_tokens=99))
        with pytest.raises(NeedsPrefix, match=re.escape('route="completions"')):
            asyncio.run(solve("question", SpawnJoin(TagProtocol()), generator=model))
        assert asyncio.run(solve("easy", SpawnJoin(TagProtocol()), generator=model)).answer == "one moment 5"
