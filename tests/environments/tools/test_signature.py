"""Schemas of functions: what a model is told, and what of its arguments is taken."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from searchkit.environments import Tool, irreversible, pure, reversible
from searchkit.environments.tools.signature import Refused, form_of
from searchkit.environments.tools.tool import Failed, text_of
from searchkit.errors import ConfigError


class Place(BaseModel):
    name: str
    at: tuple[float, float] = (0.0, 0.0)


def search(query: str, *, limit: int = 10, kind: Literal["web", "news"] = "web", near: Place | None = None) -> str:
    """Find pages.

    Only the newest are shown.

    Args:
        query: what to look for,
            in plain words
        limit (int): at most so many
        :param kind: of page

    Returns:
        One page a line.
    """
    return f"{query} {limit} {kind} {near}"


def test_the_schema_says_what_the_function_takes() -> None:
    """Oracle: pydantic's schema of each type; and what a reader of the signature expects."""
    schema = form_of(search).schema
    properties = schema["properties"]
    assert (schema["type"], schema["required"], schema["additionalProperties"]) == ("object", ["query"], False)
    assert properties["query"] == {"type": "string", "description": "what to look for, in plain words"}
    assert properties["limit"] == {"type": "integer", "description": "at most so many", "default": 10}
    assert properties["kind"]["enum"] == ["web", "news"]
    assert set(schema["$defs"]) == {"Place"}
    plain = TypeAdapter(Place).json_schema()
    assert set(schema["$defs"]["Place"]["properties"]) == set(plain["properties"])
    assert '"title"' not in json.dumps(schema).replace('"title": "Place"', "")


def test_the_docstring_describes_it_without_the_lines_of_parameters() -> None:
    assert form_of(search).description == (
        "Find pages.\n\nOnly the newest are shown.\n\nReturns:\n    One page a line."
    )
    assert "description" not in json.loads(pure(lambda_named()).spec)["function"]


def lambda_named() -> Any:
    def quiet(a):  # type: ignore[no-untyped-def]
        return a

    return quiet


def test_a_word_and_a_colon_in_a_docstring_is_no_parameter_unless_it_is_one() -> None:
    def tool(path: str) -> str:
        """Read a file.

        Note: it must exist.
        path: below the folder
        """
        return path

    form = form_of(tool)
    assert form.description == "Read a file.\n\nNote: it must exist."
    assert form.schema["properties"]["path"]["description"] == "below the folder"


@pytest.mark.parametrize("name", ["json", "copy", "schema", "model_config", "_hidden", "self_", "cls", "dict", "title"])
def test_any_name_may_be_a_parameters(name: str) -> None:
    """Names that classes of pydantic's keep for themselves are names as any other here."""
    space: dict[str, Any] = {}
    exec(f"def tool({name}: int, other: str = 'x'): return {name}, other", space)
    tool = pure(space["tool"])
    assert list(tool.form.schema["properties"]) == [name, "other"]
    assert tool.perform(tool.form.read({name: 3})) == '[3, "x"]'


def test_arguments_become_what_the_annotations_say_and_defaults_stay() -> None:
    form = form_of(search)
    read = form.read({"query": "cats", "near": {"name": "Rome", "at": [1, 2]}})
    assert read == {"query": "cats", "near": Place(name="Rome", at=(1.0, 2.0))}
    assert form.read({"query": "cats", "limit": "5"}) == {"query": "cats", "limit": 5}  # as models write numbers


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "query: Field required"),
        ({"query": 3}, "query: Input should be a valid string"),
        ({"query": "a", "world": 1}, "world: Extra inputs"),
        ({"query": "a", "limit": "many"}, "limit: Input should be a valid integer"),
        ({"query": "a", "limit": 1.5}, "limit: Input should be a valid integer"),
        ({"query": "a", "kind": "tv"}, "kind: Input should be 'web' or 'news'"),
        ({"query": "a", "near": {"nam": "Rome"}}, "near.name: Field required"),
        ({"query": "\ud800"}, "Invalid JSON"),
        (["a"], "a JSON array, not an object"),
        ("a", "a JSON string, not an object"),
        (None, "a JSON null, not an object"),
        (True, "a JSON boolean, not an object"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_a_sentence(arguments: Any, says: str) -> None:
    with pytest.raises(Refused, match=says):
        form_of(search).read(arguments)


def test_a_refusal_is_short_however_much_is_wrong() -> None:
    def tool(numbers: list[int], **_: Any) -> int:
        return 0

    def fitting(numbers: list[int]) -> int:
        return 0

    with pytest.raises(ConfigError, match="cannot give by its name"):
        form_of(tool)
    with pytest.raises(Refused) as error:
        form_of(fitting).read({"numbers": ["x" * 1000] * 1000, "k" * 10_000: 1})
    assert len(str(error.value)) < 2000
    assert "and 996 more" in str(error.value)


def test_world_is_not_the_models_business() -> None:
    @reversible
    def write(world: list[str], text: str) -> None:
        world.append(text)

    assert list(write.form.schema["properties"]) == ["text"]
    with pytest.raises(Refused, match="world"):
        write.form.read({"text": "a", "world": []})
    world: list[str] = []
    assert write.perform({"text": "a"}, world) == "null"
    assert world == ["a"]


def positional(a: int, /) -> int:
    return a


def unknown(a: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821
    return 0


def opaque(a: Any, b: object, c: functools.partial[int]) -> int:
    return 0


def yielding(a: int) -> Any:
    yield a


@pytest.mark.parametrize(
    ("fn", "says"),
    [
        (positional, "cannot give by its name"),
        (unknown, "not known there"),
        (opaque, "no model can give"),
        (yielding, "it yields"),
        (lambda a: a, "no name for a tool"),
        (functools.partial(search, limit=3), "no name for a tool"),
        (3, "a tool is a function"),
    ],
)
def test_functions_that_no_model_can_call_are_refused(fn: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        pure(fn).form  # noqa: B018


def test_what_is_reversible_has_a_world_to_be_reversed_in() -> None:
    with pytest.raises(ConfigError, match="declared reversible, but has no parameter `world`"):
        reversible(search)
    with pytest.raises(ConfigError, match="one of"):
        Tool(search, "harmless")  # type: ignore[arg-type]
    assert Tool(functools.partial(search, limit=3), "pure", "find").form.schema["required"] == ["query"]


def test_methods_objects_and_partials_are_functions_too() -> None:
    @dataclass(frozen=True)
    class Shop:
        name: str

        def price(self, item: Annotated[str, Field(description="its number")]) -> str:
            """What it costs."""
            return f"{item} at {self.name}"

        def __call__(self, item: str) -> str:
            """What there is."""
            return item

    shop = Shop("corner")
    price = pure(shop.price)
    assert price.form.schema["properties"] == {"item": {"type": "string", "description": "its number"}}
    assert price.perform({"item": "7"}) == "7 at corner"
    assert Tool(shop, "pure", "shop").form.description == "What there is."


@irreversible
def send(text: str) -> str:
    """Send it."""
    return text


def test_a_tool_pickles_decorated_or_not() -> None:
    for tool in (send, pure(search), Tool(functools.partial(search, limit=3), "pure", "find")):
        again = pickle.loads(pickle.dumps(tool))
        assert (again.name, again.effect, again.spec) == (tool.name, tool.effect, tool.spec)
    assert pickle.loads(pickle.dumps(send)) is send
    assert copy.deepcopy(send) is send


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (None, "null"),
        ({"ü": [1, 2.5, True]}, '{"ü": [1, 2.5, true]}'),
        (Place(name="Rome"), '{"name":"Rome","at":[0.0,0.0]}'),
        ({1}, "{1}"),
        (3 + 4j, "(3+4j)"),
        (float("nan"), "NaN"),
    ],
)
def test_what_a_tool_returns_is_text(value: Any, text: str) -> None:
    assert text_of(value) == text


def test_what_refers_to_itself_is_text_too() -> None:
    value: list[Any] = []
    value.append(value)
    assert text_of(value) == "[[...]]"


@dataclasses.dataclass
class Point:
    x: int
    near: Any = None


def test_dataclasses_and_models_are_json_wherever_they_stand() -> None:
    """Oracle: read back, it is what `dataclasses.asdict` and pydantic say."""
    place = Place(name="Rome")
    assert json.loads(text_of([Point(1, Point(2)), place])) == [
        dataclasses.asdict(Point(1, Point(2))),
        place.model_dump(mode="json"),
    ]
    assert json.loads(text_of(Point(1, {"at": place}))) == {"x": 1, "near": {"at": place.model_dump(mode="json")}}


class Bare:
    pass


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (object(), "object"),
        (Bare(), "Bare"),
        ([Bare()], "list"),
        ({"a": {1: object()}}, "dict"),
        ((n for n in range(3)), "generator"),
        (lambda: 1, "function"),
        (Bare().__init__, "method-wrapper"),
        (map(str, []), "map"),
        (Point(1, Bare()), "Point"),
        (iter([]), "list_iterator"),
    ],
)
def test_an_object_that_has_only_an_address_is_refused(value: Any, kind: str) -> None:
    with pytest.raises(Failed, match=f"returned an object of type {kind} .*: return text or JSON"):
        text_of(value)


@pytest.mark.parametrize("value", ["<Bare object at 0x7f0000000000>", ["<Bare object at 0x7f0000000000>"]])
def test_a_text_with_an_address_is_a_text(value: Any) -> None:
    assert "0x7f0000000000" in text_of(value)


def test_text_that_is_no_address_is_shown() -> None:
    assert text_of(Path("a/b")) == "a/b"
    assert (
        text_of(
            {
                "a",
            }
        )
        == "{'a'}"
    )
    assert text_of(Point) == str(Point)
