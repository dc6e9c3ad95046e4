"""Spawn and join as tools: for any chat model that can call tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from searchkit.errors import ConfigError
from searchkit.strategies.spawn_join.protocols.base import Returned, Slip, Spawn, Task
from searchkit.types import Message, Prompt, Sample, Text, ToolCall

LONGEST = 1_000_000  # characters of one call's arguments that are read


def _tool(name: str, does: str, properties: dict[str, Any]) -> str:
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return json.dumps({"type": "function", "function": {"name": name, "description": does, "parameters": schema}})


SPAWN = _tool(
    "spawn",
    "Work on several independent sub-tasks in parallel. Each is given to a helper that sees nothing but the text of "
    "its task. The result lists what the helpers returned, in the order of the tasks.",
    {
        "tasks": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string"},
            "description": "For each sub-task, everything that is needed to work on it.",
        }
    },
)
JOIN = _tool(
    "join",
    "End your work and return this message to the one who gave you the task.",
    {"message": {"type": "string", "description": "Your result: nothing else of what you wrote is passed on."}},
)


@dataclass(frozen=True)
class ToolCallProtocol:
    """``spawn(tasks)`` starts children, ``join(message)`` ends a child and returns its message to its parent.

    A child that just ends returns its text. Spawn's result is a tool message with the JSON object
    ``{"results": [{"task": 1, "returned": "..."}, {"task": 2, "failed": "out of budget"}]}``, and ``"refused"`` in it
    where something was. Several calls in one turn are one spawn; each has a tool message of its own. The prompt must
    not have tools of its own (`ConfigError`): nobody would run them. child: this thread has a parent, so it has `JOIN`.
    """

    child: bool = False

    @property
    def stops(self) -> tuple[str, ...]:
        return ()

    def opening(self, prompt: Prompt, spawns: bool) -> Prompt:
        if prompt.tools:
            raise ConfigError("SpawnJoin does not run the tools of a prompt: leave them out, or search over an agent")
        return replace(prompt, tools=((SPAWN,) if spawns else ()) + ((JOIN,) if self.child else ()))

    def read(self, thread: Prompt, part: Sample[Any]) -> Spawn | Slip | None:
        calls = part.message.tool_calls if part.message is not None else ()
        if part.truncated or not calls or self._message(part) is not None:
            return None
        return Spawn(tuple(task for i, call in enumerate(calls) for task in self._tasks(str(i), call)))

    def join(
        self, thread: Prompt, part: Sample[Any], spawn: Spawn, results: Sequence[Returned], note: str
    ) -> tuple[Prompt, str]:
        assert part.message is not None
        calls = tuple(replace(call, id=call.id or f"call-{i}") for i, call in enumerate(part.message.tool_calls))
        begun = (Text(thread.prefix),) if thread.prefix else ()  # the turn that it continued is now closed
        said = replace(part.message, parts=(*begun, *part.message.parts), tool_calls=calls, reasoning="")
        told = [
            Message("tool", (Text(_results(str(i), spawn, results, note)),), tool_call_id=call.id)
            for i, call in enumerate(calls)
        ]
        closed = replace(thread, messages=(*thread.messages, said, *told), prefix="", prefix_ids=None)
        return closed, "\n".join(m.text for m in told)

    def text(self, opened: Prompt, thread: Prompt, part: Sample[Any] | None) -> str:
        if part is None:
            return next(m.text for m in reversed(thread.messages) if m.role == "assistant")
        message = self._message(part)
        return part.text if message is None else message

    def returned(self, sample: Sample[Any]) -> str | None:
        return None if sample.truncated else sample.text.strip() or None

    def below(self) -> ToolCallProtocol:
        return replace(self, child=True)

    def _message(self, part: Sample[Any]) -> str | None:
        """What a child returns by calling `JOIN` and nothing else."""
        calls = part.message.tool_calls if part.message is not None and self.child else ()
        if not calls or any(call.name != "join" for call in calls):
            return None
        message = _arguments(calls[0]).get("message")
        return _clean(message) if isinstance(message, str) else None

    def _tasks(self, name: str, call: ToolCall) -> list[Task]:
        """One task a child; where the call makes no sense, one that says so."""
        if call.name != "spawn":
            known = 'after the results, "join" with {"message": "..."}, alone' if call.name == "join" else '"spawn"'
            return [Task(None, name, f'"{call.name[:40]}" cannot be called like this; there is {known}')]
        tasks = _arguments(call).get("tasks")
        if not isinstance(tasks, list) or not tasks:
            return [Task(None, name, 'the arguments are not {"tasks": ["...", ...]}')]
        return [
            Task(Prompt.of(_clean(task)), name)
            if isinstance(task, str) and task.strip()
            else Task(None, name, "the task is not a text, or empty")
            for task in tasks
        ]


def _arguments(call: ToolCall) -> dict[str, Any]:
    """The arguments, {} if they are not a JSON object, or too long."""
    try:
        found = json.loads(call.arguments) if len(call.arguments) <= LONGEST else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _clean(text: str) -> str:
    """JSON can spell half a surrogate pair, which no server would take."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _results(name: str, spawn: Spawn, results: Sequence[Returned], note: str) -> str:
    own = [r for task, r in zip(spawn.tasks, results, strict=False) if task.name == name]
    entries = [
        {"task": i, "failed": r.failure} if r.text is None else {"task": i, "returned": r.text}
        for i, r in enumerate(own, 1)
    ]
    complete = len(own) == sum(task.name == name for task in spawn.tasks)
    return json.dumps({"results": entries} | ({} if complete else {"refused": note}), ensure_ascii=False)
