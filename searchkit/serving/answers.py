"""What was answered under each idempotency key, by whichever worker of a server: it is paid for once.

A name is claimed before its search begins, by one request of all workers; it is remembered for a day, with the digest
of what was asked, and what was answered. A claim of a process that died is anybody's.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from dataclasses import dataclass
from hashlib import blake2b

from searchkit.serving.shared import AGAIN, Refused, Shared

KEPT = 86400.0
"""Seconds that a name is remembered."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right, and the duty, to answer what goes by a name: `Answers.keep` or `Answers.forget` ends it."""

    id: str


class Answers:
    """The answers in a shared file. Cost: a transaction for each of its methods, about 0.1 ms.

    >>> import asyncio, tempfile
    >>> from pathlib import Path
    >>> async def main(path):
    ...     with Shared(path) as shared:
    ...         answers = Answers(shared)
    ...         claim = await answers.claim("a key's digest", "order 7", b"what was asked")
    ...         await answers.keep(claim, b"what was answered")
    ...         return await answers.claim("a key's digest", "order 7", b"what was asked")
    >>> asyncio.run(main(Path(tempfile.mkdtemp()) / "accounts.db"))
    b'what was answered'
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def claim(self, key: str, name: str, body: bytes) -> Claim | bytes:
        """The answer, if there is one; else a claim to make it.

        key: the digest of whose name it is; name: the idempotency key; body: the request. Raises `Refused`, with status
        409, for another body, and, with a `retry_after`, while another request under this name goes on.
        """
        claim = Claim(secrets.token_hex(8))
        known, asked = _digest(name.encode("utf-8", "backslashreplace")), _digest(body)

        def work(db: sqlite3.Connection) -> Claim | bytes | Refused:
            now = time.time()
            db.execute("DELETE FROM answer WHERE until < ?", (now,))
            query = "SELECT id, body, owner, answer FROM answer WHERE key = ? AND name = ?"
            if (row := db.execute(query, (key, known)).fetchone()) is not None:
                id, before, owner, answer = row
                if before != asked:
                    return Refused("this idempotency key was used for another request", 409)
                if answer is not None:
                    return bytes(answer)
                if not self._shared.is_dead(owner):
                    return Refused("the first request under this idempotency key goes on", 409, AGAIN)
                db.execute("DELETE FROM answer WHERE id = ?", (id,))
            row = (claim.id, key, known, asked, self._shared.owner, None, now + KEPT)
            db.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            return claim

        found = await self._shared.do(work, undo=lambda db: _forgotten(db, claim))
        if isinstance(found, Refused):
            raise found
        return found

    async def keep(self, claim: Claim, answer: bytes) -> None:
        """Answer so whoever asks again."""
        query = "UPDATE answer SET answer = ?, until = ? WHERE id = ?"
        await self._shared.do(lambda db: db.execute(query, (answer, time.time() + KEPT, claim.id)))

    async def forget(self, claim: Claim) -> None:
        """There is no answer: whoever asks again begins anew."""
        await self._shared.do(lambda db: _forgotten(db, claim))


def _forgotten(db: sqlite3.Connection, claim: Claim) -> None:
    db.execute("DELETE FROM answer WHERE id = ? AND answer IS NULL", (claim.id,))


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=32).digest()
