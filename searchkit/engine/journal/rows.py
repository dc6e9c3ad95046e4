"""The rows of a journal: what is written of a finished call, and how a row that is not as it was written is found."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

from searchkit.kinds import described

SCHEMA = (
    "CREATE TABLE call (id INTEGER PRIMARY KEY, key BLOB NOT NULL, problem TEXT NOT NULL, path TEXT NOT NULL, "
    "role TEXT NOT NULL, request BLOB NOT NULL, outcome TEXT NOT NULL, checksum BLOB NOT NULL)",
    "CREATE TABLE request (id INTEGER PRIMARY KEY, digest BLOB NOT NULL, content TEXT NOT NULL)",
)
# Texts are read as `bytearray`, so that one that is no text can be read too, and is told from bytes.
COLUMNS = "id, key, problem, path, role, request, outcome, checksum"
_CALL = (int, bytes, bytearray, bytearray, bytearray, bytes, bytearray, bytes)
_REQUEST = (int, bytes, bytearray)
FIX = "`searchkit journal check FILE --drop COPY` writes a copy without it, whose call is then paid again"


class Entry(NamedTuple):
    """What a call's row is found by, and what was asked: the digest of the request, and the request itself.

    around: calls may be made inside of it, which are then stored in its stead.
    """

    key: bytes
    request: bytes = b""
    asked: str = ""
    around: bool = False


class Origin(NamedTuple):
    """Where a row comes from. problem: its id. path: where in the search. role: of the call.

    request: the digest of what was asked; asked: what was asked, as text. model: whether it is a single call of a
    model, whose key says all that its outcome depends on; it is not stored.
    """

    problem: str = ""
    path: str = ""
    role: str = ""
    request: bytes = b""
    asked: str = ""
    model: bool = False


NOWHERE = Origin()


class Row(NamedTuple):
    """A row as it stands in the file, whatever that is."""

    id: Any
    key: Any
    problem: Any
    path: Any
    role: Any
    request: Any
    outcome: Any
    checksum: Any

    @property
    def place(self) -> str:
        """Its number, problem and path, for an error's sentence."""
        return f"row {text(self.id)} (problem {text(self.problem)!r:.80}, at {text(self.path)!r:.200})"


def text(value: Any) -> str:
    """What stands in a column, as text, whatever it is."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, (bytes, bytearray)) else str(value)


def storable(said: str) -> str:
    """`said` without lone surrogates, which no file can hold as they are."""
    return said if said.isascii() else said.encode("utf-8", "backslashreplace").decode()


def checksum(key: bytes, problem: str, path: str, role: str, request: bytes, outcome: str) -> bytes:
    """8 bytes that change when anything of a row does. Quick: every row comes through here, and is encoded once."""
    lengths = f"{len(key)} {len(request)} {len(problem)} {len(path)} {len(role)} "
    texts = f"{lengths}{problem}{path}{role}{outcome}".encode()
    return blake2b(texts + key + request, digest_size=8).digest()


def request_digest(content: bytes | bytearray) -> bytes:
    """16 bytes that name a request by its text."""
    return blake2b(content, digest_size=16).digest()


def damage(row: tuple[Any, ...]) -> str:
    """What is wrong with a row of calls as it was read; "" if it is as it was written."""
    if tuple(map(type, row)) != _CALL:
        return "a column is not of its type"
    _, key, problem, path, role, request, outcome, known = row
    try:
        found = checksum(key, problem.decode(), path.decode(), role.decode(), request, outcome.decode())
    except UnicodeDecodeError:
        return "a text is no UTF-8"
    return "" if found == known else "it is not as it was written: its checksum differs"


def request_damage(row: tuple[Any, ...]) -> str:
    """The same of a row of requests."""
    if tuple(map(type, row)) != _REQUEST:
        return "a column is not of its type"
    return "" if request_digest(row[2]) == row[1] else "the request is not as it was written: its digest differs"


def said(path: object, what: str, why: str | Exception) -> str:
    """The sentence of an error about a damaged row."""
    reason = described(why)[:160] if isinstance(why, Exception) else why
    return f"{what} of the journal {path} is damaged ({reason}); it was left as it is. {FIX}"
