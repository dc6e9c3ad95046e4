"""Where randomness comes from: a hash of the root seed and the path of a call, nothing else.

A call's path says where in the program it stands, not when it ran, so the same program gives the same seeds at any
concurrency, and no two calls share one. Neighbouring root seeds give unrelated streams (unlike `seed + i`).
"""

from __future__ import annotations

from hashlib import blake2b

SEED_BITS = 53  # exact in JSON numbers and in every server's integer type


def root(seed: int, problem: str) -> bytes:
    """The key of a whole search: 16 bytes from the user's seed and the problem's id."""
    return blake2b(f"{seed}\0{problem}".encode("utf-8", "surrogatepass"), digest_size=16, person=b"searchkit").digest()


def derive(key: bytes, name: str, ordinal: int, index: int) -> bytes:
    """The key of the child that the `ordinal`-th call under `key` made for item `index`."""
    return blake2b(b"%s%d/%d/%s" % (key, ordinal, index, name.encode()), digest_size=16).digest()


def seed_of(key: bytes) -> int:
    """A request seed, 0 <= seed < 2**53."""
    return int.from_bytes(key[:7], "big") >> 3
