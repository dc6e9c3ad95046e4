"""What each key of a server may spend and has spent, whichever of its workers spends it.

A request holds all that its search may cost at most before it begins, and settles what it cost when it has ended. The
search keeps to what it holds (`Hold.budget`), so that no number of workers together exceeds what a key may spend in
generations, verifications, model calls and generated tokens; tokens read, money and seconds by the calls in flight at
most, as in every search (`Budget`).

A worker that dies, by kill -9 or otherwise, is charged what it held, by whoever looks next. Its journal is not asked:
that has the calls that were finished, and not those that were in flight, which were paid too.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from searchkit.engine.ledger import cost_of
from searchkit.serving.shared import AGAIN, CEILINGS, Refused, Shared
from searchkit.types import Budget, Usage

_NAMES = ", ".join(CEILINGS)
_MARKS = ", ".join("?" * len(CEILINGS))
_ADDED = ", ".join(f"{name} = {name} + excluded.{name}" for name in CEILINGS)
_SUMS = ", ".join(f"coalesce(sum({name}), 0)" for name in CEILINGS)
_CHARGE = f"INSERT INTO account (key, {_NAMES}) VALUES (?, {_MARKS}) ON CONFLICT (key) DO UPDATE SET {_ADDED}"
_HOLD = f"INSERT INTO hold (id, key, owner, {_NAMES}) VALUES (?, ?, ?, {_MARKS})"


@dataclass(frozen=True, slots=True)
class Hold:
    """What is set aside for one request. budget: what its search may spend; key: the digest of who pays."""

    id: str
    key: str
    budget: Budget


@dataclass(frozen=True, slots=True)
class Spent:
    """What stands in an account, by ceiling. held: for requests that go on."""

    spent: dict[str, float]
    held: dict[str, float]


class Accounts:
    """The accounts in a shared file. Cost: a transaction for each of its methods, about 0.1 ms.

    >>> import asyncio, tempfile
    >>> from pathlib import Path
    >>> from searchkit import Usage
    >>> async def main(path):
    ...     with Shared(path) as shared:
    ...         accounts = Accounts(shared)
    ...         hold = await accounts.hold("a key's digest", Budget(generations=10), Budget(generations=8))
    ...         await accounts.settle(hold, Usage(generations=5, model_calls=5), seconds=0.25)
    ...         rest = await accounts.hold("a key's digest", Budget(generations=10), Budget(generations=8))
    ...         return rest.budget.generations
    >>> asyncio.run(main(Path(tempfile.mkdtemp()) / "accounts.db"))
    5
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def hold(self, key: str, most: Budget, wanted: Budget) -> Hold:
        """Set `wanted` aside of what is left of `most`, all that `key` may ever spend.

        A ceiling that only `most` has takes all that is left of it, so give requests ceilings of their own. Where there
        is not enough because others hold it, this raises `Refused` with a `retry_after`; where nobody holds anything,
        what is left is granted, or, if that is nothing, refused for good.
        """
        hold = Hold(secrets.token_hex(8), key, wanted)

        def work(db: sqlite3.Connection) -> Budget | Refused:
            granted = _granted(db, key, most, wanted)
            if isinstance(granted, Refused) and self._bury(db, key):
                granted = _granted(db, key, most, wanted)
            if isinstance(granted, Budget):
                bound = dict(most.ceilings()).keys()
                amounts = [getattr(granted, name) if name in bound else 0 for name in CEILINGS]
                db.execute(_HOLD, (hold.id, key, self._shared.owner, *amounts))
            return granted

        found = await self._shared.do(work, undo=lambda db: _settled(db, hold.id, [0] * len(CEILINGS)))
        if isinstance(found, Refused):  # raised here: what is raised in there undoes the charge of the dead
            raise found
        return replace(hold, budget=found)

    async def settle(self, hold: Hold, usage: Usage, seconds: float) -> None:
        """Charge what the request cost in the place of what it held; once, however often it is called.

        seconds: of wall time. It is done also if who waits for it is cancelled.
        """
        amounts = (*cost_of(usage), seconds)
        await self._shared.do(lambda db: _settled(db, hold.id, amounts))

    async def spent(self, key: str) -> Spent:
        """What `key` has spent, and holds."""

        def work(db: sqlite3.Connection) -> Spent:
            self._bury(db, key)
            spent, held = _spent(db, key), _held(db, key)
            return Spent(dict(zip(CEILINGS, spent, strict=True)), dict(zip(CEILINGS, held, strict=True)))

        return await self._shared.do(work)

    def _bury(self, db: sqlite3.Connection, key: str) -> bool:
        """Charge dead processes what they held, if one of them held something of `key`. Returns whether one did."""
        owners = [row[0] for row in db.execute("SELECT DISTINCT owner FROM hold WHERE key = ?", (key,))]
        dead = [owner for owner in owners if self._shared.is_dead(owner)]
        for owner in dead:
            for id, *amounts in db.execute(f"SELECT id, {_NAMES} FROM hold WHERE owner = ?", (owner,)).fetchall():
                _settled(db, id, amounts)
        return bool(dead)


def _granted(db: sqlite3.Connection, key: str, most: Budget, wanted: Budget) -> Budget | Refused:
    """What a request may spend of what is left, or why it must not begin."""
    spent, held, limits = _spent(db, key), _held(db, key), dict(most.ceilings())
    left = {
        name: max(0, limits[name] - s - h) for name, s, h in zip(CEILINGS, spent, held, strict=True) if name in limits
    }
    asked = dict(wanted.ceilings())
    short = [name for name, rest in left.items() if rest < asked.get(name, 0) or (rest == 0 and name not in asked)]
    if short and db.execute("SELECT 1 FROM hold WHERE key = ? LIMIT 1", (key,)).fetchone():
        return Refused(f"other requests of this key hold what is left of its {_said(short[0])}", 429, AGAIN)
    if empty := [name for name in short if left[name] == 0]:
        return Refused(f"what this key may spend in {_said(empty[0])} is spent", 429)
    return replace(wanted, **{name: min(rest, asked.get(name, rest)) for name, rest in left.items()})  # type: ignore[arg-type]


def _settled(db: sqlite3.Connection, id: str, amounts: Sequence[float]) -> None:
    """End a hold, and charge `amounts`, if it has not ended before."""
    found = db.execute("DELETE FROM hold WHERE id = ? RETURNING key", (id,)).fetchone()
    if found is not None:
        db.execute(_CHARGE, (found[0], *amounts))


def _spent(db: sqlite3.Connection, key: str) -> Sequence[float]:
    found: Sequence[float] | None = db.execute(f"SELECT {_NAMES} FROM account WHERE key = ?", (key,)).fetchone()
    return found or [0] * len(CEILINGS)


def _held(db: sqlite3.Connection, key: str) -> Sequence[float]:
    found: Sequence[float] = db.execute(f"SELECT {_SUMS} FROM hold WHERE key = ?", (key,)).fetchone()
    return found


def _said(ceiling: str) -> str:
    return "money" if ceiling == "usd" else ceiling.replace("_", " ")
