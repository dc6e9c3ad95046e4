"""How close two texts are, without a model: their common character trigrams, hashed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from zlib import crc32

LONGEST, BUCKETS = 20_000, 4096  # characters that are read, and what trigrams are hashed to


def ngrams(first: str, second: str) -> float:
    """The cosine of the counts of hashed character trigrams, in [0, 1]; 1 for texts that are equal but for case and
    white space, 0 where one has none. Of each the first 20,000 characters are read. Deterministic across processes.

    >>> from searchkit.memory import ngrams
    >>> ngrams("Add 2 and 3", "add 2  AND 3")
    1.0
    >>> ngrams("put a mug on the desk", "put a cup on the desk") > ngrams("put a mug on the desk", "buy a ticket")
    True
    """
    if len(first) > len(second):  # the same number, not the same but for rounding, in either order
        first, second = second, first
    one, other = counts(first), counts(second)
    if one == other:
        return float(bool(one))
    common = sum(count * other.get(bucket, 0) for bucket, count in one.items())
    lengths = sum(n * n for n in one.values()) * sum(n * n for n in other.values())
    return min(1.0, common / math.sqrt(lengths)) if common else 0.0


def counts(text: str) -> Mapping[int, int]:
    """How often each bucket is hit by the trigrams of a text; a word's beginning and end count, too."""
    return _counts(text[:LONGEST])


@lru_cache(maxsize=1024)
def _counts(text: str) -> Mapping[int, int]:
    words = " ".join(text.casefold().split())
    spaced = f" {words} " if words else ""
    grams = (spaced[i : i + 3] for i in range(len(spaced) - 2))
    return Counter(crc32(gram.encode("utf-8", "surrogatepass")) % BUCKETS for gram in grams)
