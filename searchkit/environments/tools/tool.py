"""Tool: a Python function that a model may call, with what its calls do to the world."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, Literal

from searchkit.environments.guarded import EFFECTS
from searchkit.environments.tools.apart import apart
from searchkit.environments.tools.signature import Form, form_of, wrong_with
from searchkit.errors import ConfigError
from searchkit.function import label
from searchkit.kinds import described, told, yields

Effect = Literal["pure", "reversible", "irreversible"]
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{4,16}\b")


class Failed(Exception):
    """A tool did not do it; what it did instead, such as "raised ValueError: no such file"."""

    def of(self, name: str) -> str:
        """For the model that called it."""
        return f"Error: {name} {self}"


@dataclass(frozen=True)
class Tool:
    """A function that a model may call. Made by `pure`, `reversible` and `irreversible`, as decorators too.

    - fn: sync (it runs in a thread) or async. Its parameters, but for one called `world`, are the tool's: their
      annotations are its JSON schema, its docstring describes it. What it returns is the observation: a text as it is,
      JSON, pydantic models and dataclasses as JSON, anything else as `str` has it; an object of which that is only an
      address is refused, as if the call had raised. A parameter `world` is given the world of the branch, see
      `ToolEnvironment`.
    - effect: "pure": changes nothing, and may be left out when a branch is restored; "reversible": changes the
      branch's world alone; "irreversible": never done in a search, only when its outcome is committed.
    - name: what the model calls it, by default the function's name.

    Raises `ConfigError` for a function that a model cannot call. The object can be called as the function can.

    >>> @pure
    ... def add(a: int, b: int = 1) -> int:
    ...     "The sum of two numbers."
    ...     return a + b
    >>> add(1, 2), add.form.schema["required"]
    (3, ['a'])
    """

    fn: Callable[..., Any]
    effect: Effect
    name: str = ""

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise ConfigError(f"the effect of a tool is one of {EFFECTS}, got {self.effect!r}")
        if not callable(self.fn):
            raise ConfigError(f"a tool is a function, such as pure(search), got {told(self.fn)}")
        if yields(self.fn):
            raise ConfigError(f"{label(self.fn)} is refused: it yields; return the whole observation instead")
        name = self.name or getattr(self.fn, "__name__", "")
        if trouble := wrong_with(name):
            raise ConfigError(f"{trouble}: give a name, such as Tool(fn, {self.effect!r}, name='search')")
        object.__setattr__(self, "name", name)
        if self.effect == "reversible" and not self.form.takes_world:
            raise ConfigError(
                f"{name} is declared reversible, but has no parameter `world`, so nothing could undo what it does: "
                "take what it changes from `world`, or declare it pure or irreversible"
            )

    @cached_property
    def form(self) -> Form:
        """What the function takes, as a model is told."""
        return form_of(self.fn)

    @property
    def spec(self) -> str:
        """The tool as chat APIs want it, as JSON text."""
        return spec(self.name, self.form.description, self.form.schema)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """By the name of the function: under a decorator that is where this object stands, and no function."""
        place = getattr(self.fn, "__module__", ""), getattr(self.fn, "__qualname__", "")
        return (_standing, place) if _standing(*place) is self else (Tool, (self.fn, self.effect, self.name))

    def perform(self, arguments: Mapping[str, Any], world: Any = None) -> str | Awaitable[str]:
        """The observation, or for an async function an awaitable of it. Blocks meanwhile.

        arguments: checked ones. Raises `Failed` with whatever the function raised, but for `KeyboardInterrupt`.
        """
        given = {**arguments, **({"world": world} if self.form.takes_world else {})}
        try:
            value = self.fn(**given)
            return self._awaited(value) if inspect.isawaitable(value) else text_of(value)
        except (KeyboardInterrupt, Failed):
            raise
        except BaseException as error:  # CancelledError and BudgetExhausted too, which would end the search
            raise Failed(f"raised {described(error)}") from error

    async def _awaited(self, value: Awaitable[Any]) -> str:
        made, error = await apart(value)
        if error is not None:
            raise Failed(f"raised {described(error)}") from error
        try:
            return text_of(made)
        except (KeyboardInterrupt, Failed):
            raise
        except BaseException as wrong:
            raise Failed(f"raised {described(wrong)}") from wrong


def _standing(module: str, name: str) -> Any:
    """What stands under a name in a module; None if nothing does."""
    try:
        found: Any = importlib.import_module(module)
    except (ImportError, ValueError):
        return None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def pure(fn: Callable[..., Any]) -> Tool:
    """A tool that changes nothing: it reads, searches, reckons."""
    return Tool(fn, "pure")


def reversible(fn: Callable[..., Any]) -> Tool:
    """A tool that changes nothing but the `world` that it is given."""
    return Tool(fn, "reversible")


def irreversible(fn: Callable[..., Any]) -> Tool:
    """A tool whose effects nobody can undo: it sends, buys, deletes. Done only when an outcome is committed."""
    return Tool(fn, "irreversible")


def spec(name: str, description: str, schema: Mapping[str, Any]) -> str:
    """A function as chat APIs want it, as JSON text."""
    function = {"name": name, **({"description": description} if description else {}), "parameters": dict(schema)}
    return json.dumps({"type": "function", "function": function})


def text_of(value: Any) -> str:
    """What a tool returned, for a model. Raises `Failed` for an object that says nothing but where it lies."""
    from pydantic import BaseModel

    if isinstance(value, str):
        return str.__str__(value)  # of a subclass, too: markup and the like do other things when joined
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    try:
        return json.dumps(value, ensure_ascii=False, default=_fields)
    except (TypeError, ValueError, RecursionError):
        text = str.__str__(str(value))
    if _ADDRESS.search(text):  # it says nothing to a model, and another thing whenever the branch is restored
        raise Failed(f"returned an object of type {type(value).__name__} that has no text: return text or JSON")
    return text


def _fields(value: Any) -> Any:
    """A pydantic model or a dataclass inside of JSON; raises `TypeError` for anything else."""
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    raise TypeError(f"{type(value).__name__} is no JSON")
