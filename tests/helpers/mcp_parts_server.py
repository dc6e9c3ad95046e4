"""A server of the Model Context Protocol by hand: `python mcp_parts_server.py CONTENT`.

It has one tool, `look`, whose answer consists of the parts in CONTENT, JSON: whatever kinds these are of. Written
without the official package, which makes only kinds that it knows.
"""

from __future__ import annotations

import json
import sys
from typing import Any

TOOL = {"name": "look", "description": "Look.", "inputSchema": {"type": "object", "properties": {}}}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        version = params["protocolVersion"]
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "p", "version": "1"}}
    return {"tools/list": {"tools": [TOOL]}, "tools/call": {"content": json.loads(sys.argv[1])}}.get(method)


for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        found = answer(asked["method"], asked.get("params", {}))
        outcome = {"result": found} if found is not None else {"error": {"code": -32601, "message": "no such method"}}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **outcome}), flush=True)
