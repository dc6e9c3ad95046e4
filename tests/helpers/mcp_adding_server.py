"""A server of the Model Context Protocol by hand: `python mcp_adding_server.py FOLDER`.

Its tool `add` writes a line to `FOLDER/log`, so that whoever tests can count what was done. Written without the
official package, of which frameworks want different versions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

NUMBER = {"type": "integer"}
SCHEMA = {"type": "object", "properties": {"a": NUMBER, "b": NUMBER}, "required": ["a", "b"]}
TOOL = {"name": "add", "description": "Add two numbers.", "inputSchema": SCHEMA}


def added(arguments: dict[str, Any]) -> dict[str, Any]:
    with open(Path(sys.argv[1]) / "log", "a") as log:
        log.write(f"{arguments['a']} + {arguments['b']}\n")
    return {"content": [{"type": "text", "text": str(arguments["a"] + arguments["b"])}], "isError": False}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        version = params["protocolVersion"]
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "a", "version": "1"}}
    if method == "tools/call":
        return added(params["arguments"])
    return {"tools/list": {"tools": [TOOL]}, "ping": {}}.get(method)


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked:
            found = answer(asked["method"], asked.get("params", {}))
            told = {"result": found} if found is not None else {"error": {"code": -32601, "message": "no such method"}}
            print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **told}), flush=True)
