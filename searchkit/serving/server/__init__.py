"""The server: strategies behind the OpenAI API and Anthropic's messages, for everybody who writes no Python.

Read `app.py` first (which path is what), then `exchange.py` (one request, from the guard to the last byte). What it
goes through: `guarding.py` (where a request comes from, how long it is), `keys.py` (who asks), `asking.py` (the search
that it asks for), with `catalogue.py` (what the operator offers), `choosing.py` (what the request chooses of it),
`forms.py` (what the answer must be like) and `plain.py` (the strategy of who chooses none); `once.py` (idempotency
keys), `turns.py` (the queue), `searches.py` (those that go on, and what they may spend), `telling.py` (what a stream
says), `answering.py` (the answer), `refusing.py` (or why not). `metrics.py` and `noting.py` say what is counted and
written down. `running.py` has it listen, until it is told to stop, `workers.py` in several
processes.
"""

from searchkit.serving.server.app import SearchServer
from searchkit.serving.server.catalogue import Served
from searchkit.serving.server.keys import Key, digest_of, new_key
from searchkit.serving.server.running import serve

__all__ = ["Key", "SearchServer", "Served", "digest_of", "new_key", "serve"]
