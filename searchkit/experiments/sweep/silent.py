"""Backends and agents that answer nothing: for searches that are replayed from a journal, and must not be paid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from searchkit.calls import CallError, Request
from searchkit.function import Function, label
from searchkit.protocols import Generator, Run
from searchkit.strategy import Strategy
from searchkit.types import Params, Prompt, Sample

ABSENT = "not in the journal: this call had failed, or was cancelled"


class Silent:
    """A backend that answers nothing, and is like `backend` in all else. asked: called for each request."""

    def __init__(self, backend: Any, asked: Callable[[], None] | None = None) -> None:
        self._backend, self._asked = backend, asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def __repr__(self) -> str:
        return repr(self._backend)

    async def complete(self, requests: Sequence[Request]) -> list[Sample[str] | CallError]:
        if self._asked is not None:
            self._asked()
        return [CallError(ABSENT) for _ in requests]


def _absent(asked: Callable[[], None] | None) -> Callable[..., Any]:
    """An agent that does nothing."""

    async def absent(*_: Any, **__: Any) -> None:
        if asked is not None:
            asked()
        raise CallError(ABSENT)

    return absent


def silent(value: Any, asked: Callable[[], None] | None = None, *, judges: bool = True) -> Any:
    """`value` with every backend and agent in it silenced, wherever a field, a sequence or a mapping holds one.

    asked: called for each request to such a backend, and each call of such an agent.
    judges: those of verifiers and of selection rules too.
    """
    if hasattr(value, "complete") and isinstance(getattr(value, "name", None), str):
        return Silent(value, asked)
    if isinstance(value, Function):
        return replace(value, fn=_absent(asked), factory=False, name=value.name or label(value.fn))
    if not judges and not isinstance(value, Strategy) and (hasattr(value, "verify") or hasattr(value, "select")):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        held = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        changed = {name: new for name, old in held.items() if (new := silent(old, asked, judges=judges)) is not old}
        return replace(value, **changed) if changed else value
    if isinstance(value, Mapping):
        mapped = {key: silent(item, asked, judges=judges) for key, item in value.items()}
        return mapped if any(mapped[key] is not value[key] for key in mapped) else value
    if type(value) in (tuple, list):
        items = [silent(item, asked, judges=judges) for item in value]
        return type(value)(items) if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


@dataclass(frozen=True)
class JudgesOnly:
    """`generator` for verifiers that ask the search's own; `quiet`, its silenced like, for everybody else."""

    generator: Generator
    quiet: Generator

    async def generate(self, prompt: Prompt, run: Run, *, params: Params | None = None) -> Sample[Any]:
        verifying = getattr(run, "role", None) == "verify"
        return await (self.generator if verifying else self.quiet).generate(prompt, run, params=params)
