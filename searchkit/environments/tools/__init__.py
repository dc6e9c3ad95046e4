"""Models that call tools, as a world to search in.

Read `tool.py` first (what a model may call, and what it does), `signature.py` (a function's schema), `apart.py` (async
tools, which end no search), then `dialogue.py` (the state: a conversation), `calling.py` (calls read), `worlds.py`
(what they work in), and `environment.py`. Tools of others: `mcp.py` (a server's, whose schemas `schema.py` reads, and
whose answers `mcp_parts.py`) and `code.py` (Python in the sandbox).
"""
