"""Agents of several calls with tools, each written with an official client as its documentation shows it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TOOL = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
CHAT_TOOLS: Any = [{"type": "function", "function": {"name": "add", "description": "Add.", "parameters": TOOL}}]
FLAT_TOOLS: Any = [{"type": "function", "name": "add", "description": "Add.", "parameters": TOOL, "strict": False}]
ANTHROPIC_TOOLS: Any = [{"name": "add", "description": "Add.", "input_schema": TOOL}]
MOST = 30


@dataclass(frozen=True)
class Access:
    """What an agent is told of its server. http: the HTTP client for its SDK, None for the SDK's own."""

    base_url: str
    anthropic_url: str
    key: str
    http: Any = None

    @property
    def openai(self) -> dict[str, Any]:
        return {"base_url": self.base_url, "api_key": self.key} | ({"http_client": self.http} if self.http else {})

    @property
    def anthropic(self) -> dict[str, Any]:
        return {"base_url": self.anthropic_url, "api_key": self.key} | ({"http_client": self.http} if self.http else {})


def add(arguments: str) -> str:
    given = json.loads(arguments)
    return str(given["a"] + given["b"])


def chat_answer(messages: list[Any], message: Any) -> str | None:
    """Do what the model asked; its text, if it asked for nothing."""
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls or ():
        messages.append({"role": "tool", "tool_call_id": call.id, "content": add(call.function.arguments)})
    return None if message.tool_calls else str(message.content)


def begun(question: str) -> list[Any]:
    return [{"role": "system", "content": "Be short."}, {"role": "user", "content": question}]


async def openai_async(question: str, access: Access) -> str:
    import openai

    async with openai.AsyncOpenAI(**access.openai) as api:
        messages, said = begun(question), None
        while said is None:
            answer = await api.chat.completions.create(
                model="m", messages=messages, tools=CHAT_TOOLS, max_completion_tokens=MOST
            )
            said = chat_answer(messages, answer.choices[0].message)
        return said


def openai_sync(question: str, access: Access) -> str:
    import openai

    with openai.OpenAI(**access.openai) as api:
        messages, said = begun(question), None
        while said is None:
            answer = api.chat.completions.create(model="m", messages=messages, tools=CHAT_TOOLS, max_tokens=MOST)
            said = chat_answer(messages, answer.choices[0].message)
        return said


async def openai_async_stream(question: str, access: Access) -> str:
    import openai

    async with openai.AsyncOpenAI(**access.openai) as api:
        messages, said = begun(question), None
        while said is None:
            async with api.chat.completions.stream(
                model="m", messages=messages, tools=CHAT_TOOLS, max_tokens=MOST
            ) as stream:
                answer = await stream.get_final_completion()
            said = chat_answer(messages, answer.choices[0].message)
        return said


def openai_sync_stream(question: str, access: Access) -> str:
    import openai

    with openai.OpenAI(**access.openai) as api:
        messages, said = begun(question), None
        while said is None:
            with api.chat.completions.stream(model="m", messages=messages, tools=CHAT_TOOLS, max_tokens=MOST) as stream:
                answer = stream.get_final_completion()
            said = chat_answer(messages, answer.choices[0].message)
        return said


def openai_completions(question: str, access: Access) -> str:
    import openai

    with openai.OpenAI(**access.openai) as api:
        text = question
        for _ in range(3):
            text += api.completions.create(model="m", prompt=text, max_tokens=MOST).choices[0].text
        stream = api.completions.create(model="m", prompt=text, max_tokens=MOST, stream=True)
        return "".join(event.choices[0].text for event in stream if event.choices)


async def openai_responses(question: str, access: Access) -> str:
    import openai

    async with openai.AsyncOpenAI(**access.openai) as api:
        items: list[Any] = begun(question)
        while True:
            answer = await api.responses.create(model="m", input=items, tools=FLAT_TOOLS, max_output_tokens=MOST)
            calls = [item for item in answer.output if item.type == "function_call"]
            if not calls:
                return answer.output_text
            items += [item.model_dump(exclude_none=True) for item in answer.output]
            items += [{"type": "function_call_output", "call_id": c.call_id, "output": add(c.arguments)} for c in calls]


def openai_responses_stream(question: str, access: Access) -> str:
    import openai

    with openai.OpenAI(**access.openai) as api:
        items: list[Any] = begun(question)
        while True:
            with api.responses.stream(model="m", input=items, tools=FLAT_TOOLS, max_output_tokens=MOST) as stream:
                answer = stream.get_final_response()
            calls = [item for item in answer.output if item.type == "function_call"]
            if not calls:
                return answer.output_text
            for call in calls:
                kept = {"type": "function_call", "call_id": call.call_id, "name": call.name}
                items.append({**kept, "arguments": call.arguments})
                output = add(call.arguments)
                items.append({"type": "function_call_output", "call_id": call.call_id, "output": output})


def anthropic_answer(messages: list[Any], answer: Any) -> str | None:
    messages.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]})
    calls = [block for block in answer.content if block.type == "tool_use"]
    if not calls:
        return "".join(block.text for block in answer.content)
    results = [{"type": "tool_result", "tool_use_id": c.id, "content": add(json.dumps(c.input))} for c in calls]
    messages.append({"role": "user", "content": results})
    return None


ASKED: Any = {"model": "m", "system": "Be short.", "tools": ANTHROPIC_TOOLS, "max_tokens": MOST}


async def anthropic_async(question: str, access: Access) -> str:
    import anthropic

    async with anthropic.AsyncAnthropic(**access.anthropic) as api:
        messages, said = begun(question)[1:], None
        while said is None:
            said = anthropic_answer(messages, await api.messages.create(messages=messages, **ASKED))
        return said


def anthropic_sync(question: str, access: Access) -> str:
    import anthropic

    with anthropic.Anthropic(**access.anthropic) as api:
        messages, said = begun(question)[1:], None
        while said is None:
            said = anthropic_answer(messages, api.messages.create(messages=messages, **ASKED))
        return said


async def anthropic_async_stream(question: str, access: Access) -> str:
    import anthropic

    async with anthropic.AsyncAnthropic(**access.anthropic) as api:
        messages, said = begun(question)[1:], None
        while said is None:
            async with api.messages.stream(messages=messages, **ASKED) as stream:
                said = anthropic_answer(messages, await stream.get_final_message())
        return said


def anthropic_sync_stream(question: str, access: Access) -> str:
    import anthropic

    with anthropic.Anthropic(**access.anthropic) as api:
        messages, said = begun(question)[1:], None
        while said is None:
            with api.messages.stream(messages=messages, **ASKED) as stream:
                said = anthropic_answer(messages, stream.get_final_message())
        return said


def curl(question: str, access: Access) -> str:
    """A child process for each call, with nothing but its environment, as a shell script would have it."""
    messages, said = begun(question), None
    while said is None:
        body = json.dumps({"model": "m", "messages": messages, "tools": CHAT_TOOLS, "max_tokens": MOST})
        done = subprocess.run(
            [
                *("curl", "-sS", "--fail-with-body", f"{access.base_url}/chat/completions", "-d", "@-"),
                *("-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {access.key}"),
            ],
            input=body, capture_output=True, text=True, check=True,
        )  # fmt: skip
        message = json.loads(done.stdout)["choices"][0]["message"]
        messages.append(message)
        for call in message.get("tool_calls") or ():
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": add(call["function"]["arguments"])})
        said = None if message.get("tool_calls") else message["content"]
    return said


Agent = Callable[[str, Access], Any]
SDK_AGENTS: tuple[Agent, ...] = (
    openai_async, openai_sync, openai_async_stream, openai_sync_stream, openai_completions, openai_responses,
    openai_responses_stream, anthropic_async, anthropic_sync, anthropic_async_stream, anthropic_sync_stream,
)  # fmt: skip
