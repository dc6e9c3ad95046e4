"""HTTP/1.1 to one server, as little of it as JSON calls need: the fast route of the `OpenAI` backend and of agents.

Keep-alive connections on asyncio alone, TLS, chunked and packed answers; a cancelled call closes its connection, as one
does that has read enough, so that the server stops generating. It follows no redirect, uses no proxy, repeats no
request. Whatever a server sends is bounded: its head, its body, what that unpacks to, and all bodies together.
Why it exists: the official client spends 1.4 to 9 ms of CPU on each call, this 0.05 (measured; see docs/log.md).

Read `pool.py` first, then `connection.py` (one exchange), `connecting.py` (how a connection is made, and why not),
`head.py` and `framing.py` (what the bytes mean), `unpacking.py` (gzip and deflate), `room.py` (how much is held),
`proxies.py` (which servers are asked through others) and `values.py` (what an exchange gives, and how it fails).
"""

from searchkit.http.pool import Pool
from searchkit.http.proxies import check_proxy, proxied, through
from searchkit.http.room import Held, Room
from searchkit.http.values import Broken, Enough, HTTPReply, Unreachable, Unreadable

__all__ = [
    "Broken",
    "Enough",
    "HTTPReply",
    "Held",
    "Pool",
    "Room",
    "Unreachable",
    "Unreadable",
    "check_proxy",
    "proxied",
    "through",
]
