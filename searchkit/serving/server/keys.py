"""Who may ask: keys, of which the server has digests alone, and what each of them may have."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from searchkit.errors import ConfigError
from searchkit.types import Budget

PREFIX = "sk-search-"
_HEADERS = ("authorization", "x-api-key", "api-key")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Key:
    """What one client may have.

    - name: in logs, metrics and accounts.
    - digest: of the key, as `digest_of` makes it; the key itself is nowhere.
    - models: those that it may ask; None: all.
    - ceilings: on one request.
    - budget: all that it may ever spend, see `Accounts`.
    - concurrency: of its searches at once; None: as many as the server has.
    """

    name: str
    digest: str
    models: frozenset[str] | None = None
    ceilings: Budget = Budget()
    budget: Budget = Budget()
    concurrency: int | None = None

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest):
            raise ConfigError(f"the digest of key {self.name!r:.80} is 64 hexadecimal digits: `searchkit serve-key`")
        if self.concurrency is not None and self.concurrency < 1:
            raise ConfigError(f"the concurrency of key {self.name!r:.80} must be >= 1, got {self.concurrency}")


ANYBODY = Key("anybody", "0" * 64)
"""Who asks a server without keys."""


def new_key() -> str:
    """A key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> str:
    """What is kept of a key. Keys are random and long, so that one round of SHA-256 cannot be turned back.

    >>> digest_of("sk-search-example")[:16]
    'e9fb3d166e8be9f3'
    """
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


class Keyring:
    """The keys of a server. Without any, everybody who reaches it may ask."""

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        names = [key.name for key in keys]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ConfigError(f"two keys have the same name: {', '.join(sorted(twice))}")
        owners = dict[str, str]()
        for key in keys:
            if (other := owners.setdefault(key.digest, key.name)) != key.name:
                why = "is one key under two names, and nobody could say who pays: searchkit serve-key makes another"
                raise ConfigError(f"keys.{other}.digest and keys.{key.name}.digest are the same, which {why}")
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def bounded(self) -> bool:
        """Whether one of the keys may only spend so much in all."""
        return any(list(key.budget.ceilings()) for key in self._keys)

    def owner(self, headers: Mapping[str, str]) -> Key | None:
        """Whose key a request brings; None: nobody's, or keys of two. All keys are compared, in constant time."""
        if not self._keys:
            return ANYBODY
        found = list[Key]()
        for sent in {sent for name in _HEADERS if (sent := _sent(headers.get(name, "")))}:
            digest = digest_of(sent)
            for key in self._keys:
                if hmac.compare_digest(digest, key.digest):
                    found.append(key)
        return found[0] if len(found) == 1 else None


def _sent(value: str) -> str:
    scheme, found, rest = value.strip().partition(" ")
    return rest.strip() if found and scheme.lower() == "bearer" else value.strip()
