"""Routing: which endpoint or shard a problem belongs to, always the same one."""

from __future__ import annotations

from hashlib import blake2b


def place(problem: str, n: int, of: str) -> int:
    """A number in [0, n) that follows from the problem's id alone, in every process and on every machine.

    All requests about a problem go to one endpoint, so that what its server has read of the prompt is still cached. of:
    what is chosen among ("endpoint", "shard"), so that the problems of one shard are spread over all endpoints.
    """
    digest = blake2b(problem.encode("utf-8", "surrogatepass"), digest_size=8, person=of.encode()).digest()
    return int.from_bytes(digest, "big") % n
