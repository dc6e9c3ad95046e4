"""Searches over agents of ten calls, killed (SIGKILL) at random moments and resumed from their journals.

    PYTHONPATH=. python tools/killed_agents.py --times 20

Best-of-8 through the ambient client and through an endpoint, and a tree search over the agent's decisions. The final
bytes must be those of a search that nobody killed, and the requests that the server sees afterwards as many as the
calls that were not finished. A JSON line each. About five minutes for 20 times on two busy cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from searchkit.testing.server import Server
from tests.helpers.killing import killed_at_random


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=19)
    options = parser.parse_args()
    for agent in ("ambient", "by_endpoint", "stepped"):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, Server(latency=0.01) as server:
            kept = killed_at_random(agent, server, Path(folder), options.times, options.seed)
        told = {
            "agent": agent, "kills": len(kept), "finished": kept, "equal": True,
            "seconds": round(time.perf_counter() - began, 1),
        }  # fmt: skip
        print(json.dumps(told))


if __name__ == "__main__":
    main()
