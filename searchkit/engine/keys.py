"""The keys of calls in a journal, and what of a sample stands in a trace."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from searchkit.types import Sample

KEY_BYTES = 16


def key_of(*parts: object) -> bytes:
    """A journal key: 16 bytes that name a call by its content and position."""
    digest = blake2b(digest_size=KEY_BYTES)
    for part in parts:
        encoded = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.digest()


def shown(sample: Sample[Any]) -> str:
    """The beginning of a sample's text, for the trace. An agent's value may not even be printable."""
    try:
        return sample.text[:400]
    except Exception as error:
        return f"<{type(sample.value).__name__} that cannot be shown: {type(error).__name__}>"
