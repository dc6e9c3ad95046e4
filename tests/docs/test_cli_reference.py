"""The page about the command line says what the parser takes, because it is written from it."""

from __future__ import annotations

import argparse
import importlib.util

import pytest

from tests.docs.test_guide import ROOT


@pytest.fixture(scope="module")
def tool():
    """tools/cli_reference.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("cli_reference_tool", ROOT / "tools" / "cli_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_tool_writes_now(tool) -> None:
    """A changed option changes the page: run `python tools/cli_reference.py`."""
    assert tool.PAGE.read_text() == tool.page(), "run python tools/cli_reference.py"


def test_every_argument_says_what_it_means(tool) -> None:
    """On the page as under `--help`."""
    silent = [
        (name, action.dest) for name, (_, command) in tool.commands() for action in command._actions if not action.help
    ]
    assert silent == []


def test_choices_and_defaults_are_shown(tool) -> None:
    """Also where the help does not repeat them."""
    command = argparse.ArgumentParser()
    mode = command.add_argument("-m", "--mode", choices=("a", "b"), default="b", help="how")
    assert tool.row(mode) == "| `-m, --mode MODE` | how; one of a, b (default: b) |"
    assert tool.row(command.add_argument("file", nargs="?", help="which")) == "| `[file]` | which |"
    assert tool.row(command.add_argument("--loud", action="store_true", help="shout")) == "| `--loud` | shout |"


def test_the_page_has_a_section_a_command(tool) -> None:
    """All seven, with what each is for."""
    page = tool.page()
    for name, (about, _) in tool.commands():
        assert f"## searchkit {name}\n\n{about[:1].upper()}{about[1:]}.\n" in page
