"""What a function takes, as a JSON schema for models, and a model's arguments checked against it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, Required

from searchkit.arguments import function_of, namespace, resolved
from searchkit.errors import ConfigError
from searchkit.function import label

if TYPE_CHECKING:
    from pydantic import TypeAdapter

WORLD = "world"  # the parameter that a model does not see
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # what chat APIs take as the name of a function
MOST_ERRORS = 5
_ITEM = re.compile(r"\s*(?::param (?:[^:\n]* )?|[-*] )?(\w+)(?: ?\([^)\n]*\))?:\s+(\S.*)")
_HEAD = re.compile(r"\s*(?:Args|Arguments|Parameters|Params):\s*")


class Refused(ValueError):
    """A model's arguments do not fit; the text says what is wrong with which of them."""


@dataclass(frozen=True)
class Form:
    """The parameters of a function. takes_world: one more is called `world`, and none of the model's business."""

    schema: Mapping[str, Any]
    description: str
    takes_world: bool
    adapter: TypeAdapter[Any]

    def read(self, arguments: Any) -> dict[str, Any]:
        """What the function is called with, for the JSON that a model sent. Raises `Refused`."""
        from pydantic import ValidationError

        if not isinstance(arguments, dict):
            raise Refused(f"they are a JSON {_kind(arguments)}, not an object such as {{}}")
        try:
            found: dict[str, Any] = self.adapter.validate_json(json.dumps(arguments))
        except ValidationError as error:
            raise Refused("; ".join(_sentences(error))) from None
        return found


def form_of(fn: Callable[..., Any]) -> Form:
    """What `fn` takes. Raises `ConfigError` where no model could call it. Cost: about a millisecond."""
    from pydantic import ConfigDict, TypeAdapter
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
    from pydantic.json_schema import GenerateJsonSchema
    from typing_extensions import TypedDict  # Python's own will not do before 3.12

    class Plain(GenerateJsonSchema):
        """Without a title for every field, which says nothing new and is read at each call."""

        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

    description, items = _described(fn)
    parameters, names = _parameters(fn), namespace(fn)
    taken = {p.name: _field(fn, p, names, items) for p in parameters if p.name != WORLD}
    new: Any = TypedDict
    kind = new("arguments", taken)  # unlike the fields of a pydantic model, these may have any name
    kind.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
    try:
        adapter = TypeAdapter(kind)
        schema = adapter.json_schema(schema_generator=Plain)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError, NameError) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(
            f"{label(fn)} has a parameter that no model can give ({said}): annotate it with types that are JSON"
        ) from error
    schema.pop("title", None)
    schema.setdefault("properties", {})
    return Form(schema, description, len(taken) < len(parameters), adapter)


def wrong_with(name: str) -> str:
    """Why chat APIs would refuse a function of that name; "" if they take it."""
    return "" if NAME.fullmatch(name) else f"{name!r:.80} is no name for a tool (letters, digits, _ and -; at most 64)"


def _parameters(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{label(fn)} does not say what it takes: wrap it in a function with annotations") from error
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    for parameter in found:
        if parameter.kind not in named:
            raise ConfigError(
                f"{label(fn)} has the parameter {str(parameter)!r}, which a model cannot give by its name: wrap it in "
                "a function whose parameters have names"
            )
    return found


def _field(
    fn: Callable[..., Any], parameter: inspect.Parameter, names: Mapping[str, Any], items: Mapping[str, str]
) -> Any:
    from pydantic import Field

    annotation = resolved(parameter.annotation, names)
    if isinstance(annotation, str):
        raise ConfigError(f"{label(fn)} annotates {parameter.name} with {annotation!r}, which is not known there")
    kind = Any if annotation is inspect.Parameter.empty else annotation
    extra: dict[str, Any] = {}
    if parameter.name in items:
        extra["description"] = items[parameter.name]
    if parameter.default is inspect.Parameter.empty:
        return Required[Annotated[kind, Field(**extra)]] if extra else Required[kind]
    if _is_json(parameter.default):
        extra["json_schema_extra"] = {"default": parameter.default}
    return NotRequired[Annotated[kind, Field(**extra)]] if extra else NotRequired[kind]


def _described(fn: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The docstring without the lines that describe a parameter each, and those lines."""
    inner = function_of(fn)
    lines = inspect.cleandoc(inner.__doc__ or "").splitlines()
    known, items, rest, current = set(_names(fn)), dict[str, str](), list[str](), ""
    for line in lines:
        found = _ITEM.fullmatch(line)
        if found and found[1] in known:
            current = found[1]
            items[current] = found[2].strip()
        elif current and line.strip() and line[0] == " ":
            items[current] += " " + line.strip()
        else:
            current = ""
            rest.append(line)
    if items:
        rest = [line for line in rest if not _HEAD.fullmatch(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(rest)).strip(), items


def _names(fn: Callable[..., Any]) -> list[str]:
    return [parameter.name for parameter in _parameters(fn)]


def _sentences(error: Any) -> list[str]:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}"[:300] for one in found[:MOST_ERRORS]]
    return [*said, f"and {len(found) - MOST_ERRORS} more"] if len(found) > MOST_ERRORS else said


def _kind(value: Any) -> str:
    kinds = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", type(None): "null"}
    return kinds.get(type(value), "value")


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False
