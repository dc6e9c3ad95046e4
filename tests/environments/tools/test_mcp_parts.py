"""What MCP servers say in parts that no client knows: described, so that the rest of the answer is read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from searchkit.environments import MCPTools, ToolEnvironment
from searchkit.environments.tools.mcp_parts import worded
from tests.environments.tools.test_environment import seen

SERVER = Path(__file__).parents[2] / "helpers" / "mcp_parts_server.py"
KINDS: list[tuple[Any, str]] = [
    ({"type": "text", "text": "two"}, "two"),
    ({"type": "text", "text": ""}, ""),
    ({"type": "text", "text": "two", "annotations": "loud"}, "two"),
    ({"type": "hologram", "beam": 1}, "[hologram, not shown]"),
    ({"type": "hologram", "text": "two"}, "two"),
    ({"type": "image", "data": "AAAA", "mimeType": "image/png"}, "[image, not shown]"),
    ({"type": "image", "data": 7}, "[image, not shown]"),
    ({"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}, "[audio, not shown]"),
    ({"type": "resource", "resource": {"uri": "file:///a", "text": "inside"}}, "inside"),
    ({"type": "resource", "resource": {"uri": "file:///a", "blob": "AAAA"}}, "[resource, not shown]"),
    ({"type": "resource", "resource": None}, "[resource, not shown]"),
    ({"type": "resource_link", "uri": "file:///a", "name": "a"}, "[resource_link, not shown]"),
    ({"type": "text", "text": 7}, "[text, not shown]"),
    ({"type": ["odd"]}, "[something else, not shown]"),
    ({"type": "x" * 999}, f"[{'x' * 40}, not shown]"),
    ({}, "[something else, not shown]"),
    ("bare words", "[something else, not shown]"),
    (None, "[something else, not shown]"),
    ([[]], "[something else, not shown]"),
]


@pytest.mark.parametrize(("part", "said"), KINDS)
def test_a_part_of_any_kind_is_text(part, said):
    result = {"content": [{"type": "text", "text": "one"}, part], "isError": True}
    assert worded(result) == {
        "content": [{"type": "text", "text": "one"}, {"type": "text", "text": said}],
        "isError": True,
    }


@pytest.mark.parametrize("result", [{}, {"tools": []}, {"content": "all"}, {"content": None}, {"content": {"a": 1}}])
def test_what_has_no_parts_stays_as_it_is(result):
    assert worded(result) == result


@pytest.mark.slow
def test_one_part_of_an_unknown_kind_takes_no_other_with_it():
    """A real client and a server's own bytes: all kinds at once."""
    content = json.dumps([part for part, _ in KINDS])
    [said] = seen(ToolEnvironment([MCPTools([sys.executable, str(SERVER), content], {"look": "pure"})]), [("look", {})])
    assert said == "\n".join(text for _, text in KINDS)
