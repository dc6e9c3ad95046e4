"""What the model APIs say over HTTP: read and written on both sides, without any I/O.

Four APIs: OpenAI's chat completions, completions and responses, and Anthropic's messages; whole, and as streams of
server-sent events. A client writes requests and reads answers; a server (a gateway between an agent and its model, say)
reads requests and writes answers. Everything here is a function of bytes or JSON. Clocks, ids and sockets are the
caller's.

    request = parse("chat", raw)                                   # a WireRequest: prompt, params, and all it says
    body = amended(request, seed=7)                                # sent on with another seed, else as it came
    drawn = samples("chat", json.loads(reply), request.params)     # what came back, with what it cost
    said = answer(request, drawn, id="a1", created=0)              # the body for the agent ...
    for event in events("chat", said): ...                         # ... or the events of it
    stream = reader("chat"); stream.feed(data); stream.answer()    # a stream, put together

Two layers. The lower one turns an answer's own JSON into a stream and back, whatever stands in it: what we know nothing
of passes through. The upper one turns requests and answers into `Prompt`, `Params` and `Sample` and back. What these
cannot say is never dropped silently: `WireRequest.extras` and `lost` name it, and `amended` sends all of it on.

Read `values.py` first (what a request says), then `dialects.py` (all APIs behind the same functions). Then one API:
`chat/requests.py`, `chat/turns.py`, `chat/answers.py`, `chat/events.py`, and `choices.py`, which reads its answers;
`completions/`, `responses/` and `messages/` are built alike. Below them: `fields.py` (JSON from strangers, bounded),
`sse.py` (events), `streams.py` (what streams have in common), `joining.py` (their pieces put together), `tools.py`,
`logprobs.py`, `usage.py`, `charging.py` and `estimates.py` (what answers cost, counted or not), `contents.py` (what a
message says, in whatever shape) and `finishes.py` (why it ended). Beside them: `routing.py` (which URLs are theirs),
`canonical.py` (which requests ask the same), `amending.py`, `errors.py` (what can be wrong), `refusals.py` (how a
server says so), `failures.py` (what servers say went wrong, read), `quoting.py` (how much of it), `quotas.py` (what
waiting does not help) and `waits.py` (how long they ask to wait).
"""

from searchkit.wire.amending import amended
from searchkit.wire.canonical import content
from searchkit.wire.dialects import answer, counts, events, parse, reader, samples
from searchkit.wire.errors import Malformed, Reported, TooLarge, Truncated, WireError
from searchkit.wire.routing import is_batch, is_certain, is_embeddings, route_of
from searchkit.wire.streams import StreamReader
from searchkit.wire.usage import Counts, Price
from searchkit.wire.values import PATHS, Route, ToolChoice, WireRequest

__all__ = [
    "PATHS",
    "Counts",
    "Malformed",
    "Price",
    "Reported",
    "Route",
    "StreamReader",
    "TooLarge",
    "ToolChoice",
    "Truncated",
    "WireError",
    "WireRequest",
    "amended",
    "answer",
    "content",
    "counts",
    "events",
    "is_batch",
    "is_certain",
    "is_embeddings",
    "parse",
    "reader",
    "route_of",
    "samples",
]
