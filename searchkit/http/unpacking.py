"""Bodies that a server packed, whether it was asked to or not: gzip and deflate, bounded."""

from __future__ import annotations

import zlib

MOST_CODINGS = 4  # one around the other
_GZIP = b"\x1f\x8b"
_KNOWN = ("gzip", "x-gzip", "deflate")
_SAID = (
    "none null no plain text raw binary 8bit 7bit chunked aws-chunked json application/json utf-8 utf8 utf-8-sig ascii "
    "us-ascii iso-8859-1 latin-1 windows-1252 identity"
)
_NONE = frozenset(_SAID.split())  # what servers say of bodies that nobody packed
_TEXT = (b"{", b"[", b"<", b'"', b"data:", b"event:", b":")  # how a body begins that nobody packed


def unpacked(body: bytes, codings: str, limit: int, *, cut: bool = False) -> bytes:
    """`body` without what the header Content-Encoding names. Of a plain text it may name what is no coding ("utf-8",
    "none"), as some servers misunderstand it.

    limit: bytes of what it unpacks to. cut: give the beginning of what is longer, broken off or damaged. Raises
    ValueError for that otherwise, and for a coding that is not known. Takes time linear in the limit.
    """
    names = [name for part in codings.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if len(names) > MOST_CODINGS:
        raise ValueError(f"the answer has {len(names)} encodings, one around the other")
    for name in reversed(names):
        if name.partition(";")[0].strip() in _NONE and body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_TEXT):
            continue
        if name not in _KNOWN:
            raise ValueError(f"the answer is packed in the encoding {name[:40]!r}, which nobody asked for")
        body = _unpacked(body, name, limit, cut)
    return body


def _unpacked(body: bytes, name: str, limit: int, cut: bool) -> bytes:
    found, left = bytearray(), body
    try:
        while left:  # gzip may come in several members
            unpacker = zlib.decompressobj(_window(name, left))
            found += unpacker.decompress(left, limit + 1 - len(found))
            if len(found) > limit or not unpacker.eof:
                if not cut:
                    how = f"has more than {limit} bytes" if len(found) > limit else "broke off"
                    raise ValueError(f"the answer, packed as {name}, {how}")
                break
            left = unpacker.unused_data if unpacker.unused_data.startswith(_GZIP) else b""
    except zlib.error as error:
        if not cut:
            raise ValueError(f"the answer, packed as {name}, cannot be unpacked: {error}") from error
    return bytes(found[:limit])


def _window(name: str, packed: bytes) -> int:
    """zlib's wbits: of gzip, of zlib's own format, or of deflate without a head, which some servers mean."""
    if name != "deflate":
        return zlib.MAX_WBITS | 16
    headed = packed[0] & 0x0F == 8 and int.from_bytes(packed[:2]) % 31 == 0
    return zlib.MAX_WBITS if headed else -zlib.MAX_WBITS
