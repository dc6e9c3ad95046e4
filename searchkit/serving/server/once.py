"""Requests with an idempotency key: the first is answered, and whoever sends it again gets that answer, paid once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from searchkit.serving.answers import Answers, Claim
from searchkit.serving.server.choosing import Choice
from searchkit.serving.server.keys import Key
from searchkit.serving.server.refusing import Refusal

IDEMPOTENCY = "idempotency-key"
LONGEST = 255


@dataclass
class Claimed:
    """One request: what was answered `before`, or the right to answer it."""

    before: bytes | None = None
    answers: Answers | None = None
    claim: Claim | None = None

    async def keep(self, answer: Mapping[str, Any]) -> None:
        """Answer so whoever asks again."""
        if self.answers is not None and self.claim is not None:
            await self.answers.keep(self.claim, json.dumps(answer).encode())
            self.claim = None


@asynccontextmanager
async def once(
    answers: Answers | None, key: Key, name: str | None, route: str, body: bytes, choice: Choice
) -> AsyncIterator[Claimed]:
    """The right to answer; given back where there is no answer, so that whoever asks again begins anew.

    Raises `Refusal` for a key that cannot be kept, and what `Answers.claim` refuses.
    """
    if name is None:
        yield Claimed()
        return
    if answers is None:
        raise Refusal(400, "this server keeps no answers (accounts=): leave out the header Idempotency-Key")
    if not 0 < len(name) <= LONGEST:
        raise Refusal(400, f"an Idempotency-Key has 1 to {LONGEST} characters")
    found = await answers.claim(key.digest, name, f"{route} {choice} ".encode() + body)
    if isinstance(found, bytes):
        yield Claimed(found)
        return
    claimed = Claimed(None, answers, found)
    try:
        yield claimed
    finally:
        if claimed.claim is not None:
            await answers.forget(claimed.claim)
