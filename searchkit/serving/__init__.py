"""Serving: searches and attempts behind HTTP.

`gateway.py` is the loopback server behind an attempt's `Endpoint`, on top of `listening.py`, which speaks HTTP;
`routes.py` says what it lets through, `waiting.py` what a client hears until its streamed answer is there.
`server/` is the server that anybody may ask, with searches behind it.
"""

from searchkit.serving.gateway import Gateway

__all__ = ["Gateway"]
