"""Serving: searches and attempts behind HTTP.

`gateway.py` is the loopback server behind an attempt's `Endpoint`, on top of `listening.py`, which speaks HTTP;
`routes.py` says what it lets through, `waiting.py` what a client hears until its streamed answer is there.

`accounts.py` says what each key may spend, and `answers.py` what was answered under each idempotency key, whichever of
a server's workers spends or answers: `shared.py` is the file that they share, `owners.py` tells which of them live.

`server/` is the server that anybody may ask, with searches behind it.
"""

from searchkit.serving.accounts import Accounts, Hold, Spent
from searchkit.serving.answers import Answers, Claim
from searchkit.serving.gateway import Gateway
from searchkit.serving.shared import Refused, Shared

__all__ = ["Accounts", "Answers", "Claim", "Gateway", "Hold", "Refused", "Shared", "Spent"]
