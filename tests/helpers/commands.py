"""Agents that are programs: one in Node, one in shell with curl; skipped, with the reason, where one is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "command_agents"
COMMANDS = {"node": ("node", str(FOLDER / "agent.mjs")), "curl": ("sh", str(FOLDER / "agent.sh"))}


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


EACH = [pytest.param(name, marks=needs(name), id=name) for name in COMMANDS]
