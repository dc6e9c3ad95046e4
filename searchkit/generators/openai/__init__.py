"""Any server that speaks the OpenAI API, asked over HTTP.

Read `backend.py` first: what a user calls, and the way of one request. Then `bodies.py` (which request is sent; how
requests and answers are written as JSON is `searchkit.wire`'s business), `fitting.py` (how it is made to fit the
server) with `presets.py` (for servers that are known) and `refused.py` (for those that say what they do not take),
`transport.py` (which client carries them), `searchkit.http` (our own, the fast one), `official.py` (the openai
package), `answers.py` (what came back), `stream.py` (answers that are left as soon as they fall below a floor),
`noticed.py` (what shows in an answer), `errors.py` (what can go wrong, in sentences), `probe.py` (what a server
honours), `preflight.py` (whether it answers at all), `continuing.py` (how it continues the assistant's turn) and
`learnt.py` (what of this is kept and said once).
"""

from searchkit.generators.openai.backend import OpenAI
from searchkit.generators.openai.probe import Capabilities
from searchkit.wire.usage import Price

__all__ = [
    "Capabilities",
    "OpenAI",
    "Price",
]
