"""Agents: code of others that calls models by itself, each of its calls a call of the search.

Read `exchange.py` first (an HTTP request and its answer, as values), then `relayed.py`: what happens to a model call of
an agent, whichever door it came by, and `received.py`: what its server's answer is charged, or why it is none;
`seeds.py` notices attempts that come out equal. `upstream.py` is where a call goes, `direct.py` the connections by
which it gets there, and `secrets.py` keeps its keys out of what comes back. The doors: `transports.py` for Python
frameworks that take an HTTP client, `litellm.py` for litellm, and `endpoint.py`, a URL for everything else, behind
which the gateway of `searchkit.serving` listens; `withheld.py` says what a child process is not told. `once.py` records
what tools did, and `children.py` ends processes that agents left. `workspace.py` is a copy of some files for each
attempt, and what an attempt did to it; `committed.py` brings the best one's back. `command.py` makes an agent of a
program in any language, which `running.py` runs to its end.
"""

from searchkit.agents.command import CommandAgent
from searchkit.agents.committed import Committed
from searchkit.agents.endpoint import Endpoint
from searchkit.agents.litellm import litellm_calls
from searchkit.agents.once import once
from searchkit.agents.transports import async_client, client
from searchkit.agents.upstream import Upstream
from searchkit.agents.workspace import AttemptWorld, Workspace

__all__ = [
    "AttemptWorld",
    "CommandAgent",
    "Committed",
    "Endpoint",
    "Upstream",
    "Workspace",
    "async_client",
    "client",
    "litellm_calls",
    "once",
]
