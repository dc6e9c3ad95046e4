"""Serving: searches and attempts behind HTTP.

`gateway.py` is the loopback server behind an attempt's `Endpoint`, `routes.py` says what it lets through.
"""

from searchkit.serving.gateway import Gateway

__all__ = ["Gateway"]
