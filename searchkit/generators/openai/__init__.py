"""Any server that speaks the OpenAI API, asked over HTTP.

Read `backend.py` first: what a user calls, and the way of one request. Then `bodies.py` (which request is sent; how
requests and answers are written as JSON is `searchkit.wire`'s business), `transport.py` (which client carries them),
`searchkit.http` (our own, the fast one), `official.py` (the openai package), `answers.py` (what came back),
`stream.py` (answers that are left as soon as they fall below a floor), `errors.py` (what can go wrong, in sentences)
and `probe.py` (what a server honours).
"""

from searchkit.generators.openai.backend import OpenAI
from searchkit.generators.openai.probe import Capabilities
from searchkit.wire.usage import Price

__all__ = [
    "Capabilities",
    "OpenAI",
    "Price",
]
