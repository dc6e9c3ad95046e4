"""A real MCP server over its input and output, or over HTTP: `python mcp_server.py FOLDER [PORT]`.

What it does is written to `FOLDER/log`, a line a call, so that whoever tests can count it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from mcp.server import MCPServer

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
server = MCPServer("notes")
notes: list[str] = []


def done(what: str) -> None:
    with open(FOLDER / "log", "a") as file:
        file.write(what + "\n")


@server.tool()
def read() -> str:
    """Read all notes."""
    done("read")
    return ", ".join(notes)


@server.tool()
def note(text: str, times: int = 1) -> str:
    """Write a note."""
    done(f"note {text}")
    notes.extend([text] * times)
    return ", ".join(notes)


@server.tool()
def tear(how: str) -> str:
    """Take the last note away and fail, or end, or sleep."""
    if notes:
        notes.pop()
    if how == "die":
        os._exit(3)
    if how == "sleep":
        time.sleep(60)
    raise ValueError("it tore")


@server.tool()
def post(text: str) -> str:
    """Post a text for all to see."""
    done(f"post {text}")
    return f"posted {text}"


@server.tool()
def table() -> dict[str, list[int]]:
    """Some numbers."""
    return {"numbers": [1, 2]}


if __name__ == "__main__":
    done("started")
    if len(sys.argv) > 2:
        server.run("streamable-http", port=int(sys.argv[2]))
    else:
        server.run("stdio")
