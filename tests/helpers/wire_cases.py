"""Samples with all that an answer can have, and the conversations that ask for them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from searchkit.types import Finish, Image, Message, Params, Prompt, Sample, Text, Token, ToolCall, Usage

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TALK = Prompt(
    (
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("What is this?"), Image(PIXEL), Image("https://example.com/a.png"))),
        Message("assistant", (Text("I look."),), (ToolCall("call_1", "weather", '{"city": "Rome"}'),)),
        Message("tool", (Text("sunny"),), (), "call_1"),
        Message("assistant", (), (ToolCall("call_2", "weather", "{}"), ToolCall("call_3", "weather", '{"city": "é"}'))),
        Message("tool", (Text("no city"),), (), "call_2"),
        Message("tool", (Text("rain"),), (), "call_3"),
        Message("user", (Text("And now?\n"),)),
    ),
    (json.dumps(TOOL),),
)


def sample(
    text: str = "",
    *calls: ToolCall,
    reasoning: str = "",
    finish: Finish = "stop",
    stop: str | None = None,
    logprobs: tuple[Token, ...] | None = None,
    prompt: int = 7,
    generated: int = 5,
) -> Sample[str]:
    said = Message("assistant", (Text(text),) if text else (), calls, None, reasoning)
    usage = Usage(model_calls=1, prompt_tokens=prompt, generated_tokens=generated, longest_context=prompt + generated)
    return Sample(text, said, finish, stop, usage, None, logprobs)


TOKENS = (
    Token("It ", -0.5, (("It ", -0.5), ("A", -1.5))),
    Token("is", -0.25, (("is", -0.25), ("was", -2.0))),
    Token(" é!", -3.0, (("x", -0.125), (" é!", -3.0))),
)
SAMPLES = {
    "text": sample("It is sunny.\nTruly: ☀ \U0001f600"),
    "empty": sample(""),
    "blank lines": sample("\n\n a\r\nb\rc data: x\n\n"),
    "long": sample("word and " * 300, generated=600),
    "length": sample("It is", finish="length"),
    "filtered": sample("I cannot", finish="content_filter"),
    "reasoning": sample("42", reasoning="Six times\nseven."),
    "logprobs": sample("It is é!", logprobs=TOKENS, generated=3),
    "call": sample("", ToolCall("call_a", "weather", '{"city": "Rome"}'), finish="tool_calls"),
    "calls": sample(
        "I look.",
        ToolCall("call_a", "weather", '{"city": "Rome"}'),
        ToolCall("call_b", "weather", "{}"),
        reasoning="Both.",
        finish="tool_calls",
    ),
    "surrogates": sample("a \U0001f600" * 200),
}

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
said = texts.filter(lambda text: bool(text.strip()))
names = st.text("abcdefghij_", min_size=1, max_size=8)
arguments = st.dictionaries(names, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=3).map(json.dumps)
images = st.sampled_from([Image(PIXEL), Image("https://example.com/b.jpg")])


@st.composite
def prompts(draw: st.DrawFn, *, images_too: bool = True) -> Prompt:
    """Conversations in which every call is answered, as an agent has them."""
    turns, ids = [Message("system", (Text(draw(said)),))] if draw(st.booleans()) else [], 0
    for _ in range(draw(st.integers(1, 3))):
        parts = [Text(draw(said)), *(draw(st.lists(images, max_size=2)) if images_too else ())]
        turns.append(Message("user", tuple(parts)))
        calls = tuple(ToolCall(f"c{ids + i}", draw(names), draw(arguments)) for i in range(draw(st.integers(0, 2))))
        ids += len(calls)
        turns.append(Message("assistant", (Text(draw(said)),) if draw(st.booleans()) or not calls else (), calls))
        turns += [Message("tool", (Text(draw(texts)),), (), call.id) for call in calls]
    turns.append(Message("user", (Text(draw(said)),)))
    tool = {"name": draw(names), "description": draw(texts), "parameters": {"type": "object", "properties": {}}}
    tools = (json.dumps({"type": "function", "function": tool}),) if draw(st.booleans()) else ()
    return Prompt(tuple(turns), tools)


@st.composite
def samplings(draw: st.DrawFn) -> Params:
    return Params(
        temperature=draw(st.floats(0, 2)),
        top_p=draw(st.floats(0.01, 1)),
        max_tokens=draw(st.integers(1, 10_000)),
        stop=tuple(draw(st.lists(said, max_size=3))),
    )


@st.composite
def samples(draw: st.DrawFn) -> Sample[str]:
    """Samples as a server may have them; ids of calls may be missing."""
    calls = tuple(ToolCall(f"c{i}", draw(names), draw(arguments)) for i in range(draw(st.integers(0, 2))))
    finish: Finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
    text, reasoning = draw(texts), draw(texts)
    length = len(text) + len(reasoning) + sum(len(call.name) + len(call.arguments) + 2 for call in calls)
    least = 1 + length // 256  # a count that is too small for the text is not believed
    return sample(
        text,
        *calls,
        reasoning=reasoning,
        finish=finish,
        prompt=draw(st.integers(1, 99)),
        generated=draw(st.integers(least, least + 98)),
    )
