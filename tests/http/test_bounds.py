"""What is bounded: how much of all answers is held at once, how a body is put together, what one unpacks to."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.http import Pool, Room, Unreadable
from searchkit.http.framing import AT_ONCE, LINE_LIMIT, MOST_SMALL, Framing
from searchkit.http.head import HEAD_LIMIT, MOST_INTERIM, HeadReader, parse
from searchkit.http.room import Held
from searchkit.http.unpacking import MOST_CODINGS, unpacked
from tests.http.test_pool import CHUNKED, Script, serve

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


# ---------------------------------------------------------------- the room


def test_one_call_goes_on_where_the_room_is_full() -> None:
    """It is whoever filled it; the others are woken one by one, and all of them where there is room again."""
    room, woken = Room(100), list[str]()
    first, second, third, fourth = (room.call(1000) for _ in range(4))
    assert first.add(90)
    assert second.add(20)  # fills it, and goes on
    assert second.add(500)
    assert not third.add(5)
    assert not first.add(1)
    assert not fourth.add(200)
    for call, name in ((third, "third"), (first, "first"), (fourth, "fourth")):
        call.wait(lambda name=name: woken.append(name))  # type: ignore[misc]
    second.__exit__(None, None, None)
    assert woken == ["third"]  # 296 are held: the longest waiting goes on
    third.__exit__(None, None, None)
    assert woken == ["third", "first"]
    fourth.__exit__(None, None, None)
    first.__exit__(None, None, None)
    assert woken == ["third", "first"]
    assert room.held == 0
    assert room.call().add(100)


def test_a_call_that_ends_while_it_waits_is_not_woken() -> None:
    room, woken = Room(10), list[int]()
    one, two = room.call(), room.call()
    assert one.add(11)
    assert not two.add(1)
    two.wait(lambda: woken.append(2))
    two.__exit__(None, None, None)
    one.__exit__(None, None, None)
    assert (woken, room.held) == ([], 0)


@pytest.mark.parametrize("frame", ["length", "chunks", "end"])
def test_answers_that_do_not_fit_together_all_come(frame: str) -> None:
    """32 of 300 KB where 1 MB is held at once: each is whole, and never is much more held than that."""
    body, most = b"x" * 300_000, 0
    answer = {
        "length": OK % len(body) + body,
        "chunks": CHUNKED + b"".join(b"3E8\r\n%s\r\n" % body[:1000] for _ in range(300)) + b"0\r\n\r\n",
        "end": b"HTTP/1.0 200 OK\r\n\r\n" + body,
    }[frame]

    async def client(pool: Pool) -> None:
        nonlocal most
        pool.room.size = 10**6

        async def one() -> bytes:
            nonlocal most
            with pool.room.call() as held:
                reply = await pool.request("POST", "/", "", b"x", held=held)
                most = max(most, pool.room.held)
                return reply.body

        assert set(await asyncio.gather(*(one() for _ in range(32)))) == {body}
        assert pool.room.held == 0

    serve(Script(*[answer] * 32), client)
    assert most < 10**6 + 33 * 262_144  # of each, what one read of its socket can give beyond


def test_cancelled_calls_leave_the_room() -> None:
    """Cancelled while they wait for it: nothing is held, and the next one has all of it."""

    async def client(pool: Pool) -> None:
        pool.room.size = 1000
        calls = [asyncio.ensure_future(pool.request("GET", "/")) for _ in range(8)]
        while pool.room.held < 8 * 1000:  # noqa: ASYNC110 (the server is what is waited for)
            await asyncio.sleep(0.001)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert pool.room.held == 0

    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 2000
    serve(Script(*[begun] * 9), client)  # one more than is asked for: with the last, the server closes


def test_a_connection_that_stopped_reading_is_used_again() -> None:
    """Many chunks, of which only some are taken in a round, then another request on the same connection."""
    many = CHUNKED + b"14\r\n%s\r\n" % (b"x" * 20) * (4 * AT_ONCE) + b"0\r\n\r\n"
    script = Script(many, OK % 1 + b"a", many)

    async def client(pool: Pool) -> None:
        for size in (80 * AT_ONCE, 1, 80 * AT_ONCE):
            assert len((await pool.request("GET", "/")).body) == size

    serve(script, client)
    assert script.connections == 1


@given(st.integers(0, 3000), st.integers(1, 70))
def test_a_large_answer_takes_its_turn(size: int, limit: int) -> None:
    """Whatever the sizes, what was added is given back."""
    room = Room(1000)
    with room.call(limit * 50) as held:
        try:
            held.add(size)
        except ValueError:
            assert size > limit * 50
    assert room.held == 0


def test_large_answers_are_read_one_at_a_time() -> None:
    """In a thread, and the next one only when the call before it is over."""

    async def main() -> None:
        room, inside, most = Room(), 0, 0

        async def one(held: Held) -> None:
            nonlocal inside, most
            with held:
                await held.turn()
                inside += 1
                most = max(most, inside)
                assert await held.read(b"x" * 10**6, lambda: 7) == 7
                inside -= 1

        await asyncio.gather(*(one(room.call()) for _ in range(9)))
        assert most == 1

    asyncio.run(main())


# ---------------------------------------------------------------- heads and frames


def framed(data: bytes, head: bytes = CHUNKED, piece: int | None = None) -> bytes | None:
    """What a body is in these bytes; None if more has to come."""
    framing, buffer, found = Framing(parse(head.removesuffix(b"\r\n\r\n"))), bytearray(), b""
    for at in range(0, len(data), piece or len(data) or 1):
        buffer += data[at : at + (piece or len(data))]
        found += framing.take(buffer)
        while framing.stopped:
            found += framing.take(buffer)
    return found if framing.done else None


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=12), st.integers(1, 17))
def test_chunks_in_any_pieces(chunks: list[bytes], piece: int) -> None:
    """They are the body, however they are cut; what follows is left."""
    data = b"".join(b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nT: v\r\n\r\n"
    assert framed(data, piece=piece) == b"".join(chunks)
    assert framed(data[:-1], piece=piece) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\na\r\n",
        b"0x1\r\na\r\n",
        b"1 2\r\na\r\n",
        b"1.0\r\na\r\n",
        b"\xc2\xb2\r\n",
        b"1_0\r\n",
        b"f" * 16 + b"\r\n",
        b"1\r\nab\r\n",
        b"1\r\na0\r\n\r\n",
        b"1" * LINE_LIMIT,
        b"1;" + b"x" * LINE_LIMIT,
        b"0\r\n" + b"T: %s\r\n" % (b"v" * 4000) * 20,
        b"1\r\nx\r\n" * (MOST_SMALL + 1),
        b"f\r\n" + b"x" * 15 + b"\r\n" + b"1\r\nx\r\n" * MOST_SMALL,
    ],
)
@pytest.mark.parametrize("piece", [None, 7])
def test_chunks_that_are_none(data: bytes, piece: int | None) -> None:
    """Sizes that are no numbers, chunks that run on, lines and trailers without end, crumbs."""
    with pytest.raises(ValueError, match=r"chunk|trailers"):
        framed(data, piece=piece)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"<!DOCTYPE html>",
        b"{",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"220 ftp ready\r\n",
        b"* OK IMAP4rev1\r\n",
        b"RFB 003.008\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * HEAD_LIMIT,
        b"HTTP/1.1 102 Processing\r\n\r\n" * (MOST_INTERIM + 1),
    ],
)
def test_heads_that_are_none(head: bytes) -> None:
    """Said as soon as it can be told, without waiting for the end of a head."""
    with pytest.raises(ValueError, match=r"not HTTP|header is longer|interim"):
        HeadReader().take(bytearray(head))


@pytest.mark.parametrize("length", ["1, 2", "-1", "+1", "1.0", "0x1", "", "a", "²", "9" * 20, "1 1"])
def test_lengths_that_are_none(length: str) -> None:
    with pytest.raises(ValueError, match="content length"):
        Framing(parse(f"HTTP/1.1 200 OK\r\nContent-Length: {length}".encode("latin-1")))


# ---------------------------------------------------------------- packed bodies

TEXT = b'{"a": "' + b"four" * 500 + b'"}'


def raw(data: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(data) + squeezer.flush()


compress = functools.partial(gzip.compress, mtime=0)  # names of tests are made of what is packed
PACKED = [
    ("gzip", compress(TEXT)),
    (" GZip ", compress(TEXT)),
    ("x-gzip", compress(TEXT, 1)),
    ("gzip", b"".join(compress(TEXT[at : at + 9]) for at in range(0, len(TEXT), 9))),
    ("gzip", compress(TEXT) + b"\0" * 100),
    ("deflate", zlib.compress(TEXT)),
    ("deflate", zlib.compress(TEXT, 0)),
    ("deflate", raw(TEXT)),
    ("deflate, gzip", compress(zlib.compress(TEXT))),
    ("gzip,,identity", compress(TEXT)),
    ("", TEXT),
    ("identity", TEXT),
]


@pytest.mark.parametrize(("codings", "packed"), PACKED)
def test_what_is_packed_is_unpacked(codings: str, packed: bytes) -> None:
    assert unpacked(packed, codings, len(TEXT)) == TEXT


@pytest.mark.parametrize(("codings", "packed"), PACKED[:10])
def test_what_unpacks_to_too_much(codings: str, packed: bytes) -> None:
    """Refused, or cut where that was asked for."""
    with pytest.raises(ValueError, match="more than"):
        unpacked(packed, codings, len(TEXT) - 1)
    assert unpacked(packed, codings, 100, cut=True) in (TEXT[:100], b"")  # what is packed twice is cut inside


@pytest.mark.parametrize(("codings", "packed"), PACKED[:9])
@pytest.mark.parametrize("cut", [1, 5, 12, -1])
def test_what_breaks_off(codings: str, packed: bytes, cut: int) -> None:
    """Anywhere: an error that names the coding, unless nothing was lost."""
    with contextlib.suppress(ValueError):
        assert unpacked(packed.rstrip(b"\0")[:cut], codings, len(TEXT)) == TEXT
    assert TEXT.startswith(unpacked(packed[:cut], codings, 10**6, cut=True)) or "," in codings


@pytest.mark.parametrize("codings", ["br", "zstd", "compress", "rot13", "gzip\x1b[2J", "aes128gcm", "gzip;q=1", "*"])
def test_unknown_codings_are_named(codings: str) -> None:
    with pytest.raises(ValueError, match="encoding"):
        unpacked(TEXT, codings, 10**6)
    with pytest.raises(ValueError, match="encodings"):
        unpacked(TEXT, ", ".join(["gzip"] * (MOST_CODINGS + 1)), 10**6)


def test_a_bomb_within_an_answer() -> None:
    """A megabyte of blanks in two kilobytes: refused, and as an error still an error."""
    bomb = compress(b" " * 2**20)
    head = b"HTTP/1.1 %s\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"

    async def client(pool: Pool) -> None:
        with pool.room.call(2**20 - 1) as held, pytest.raises(Unreadable, match="more than"):
            await pool.request("GET", "/", held=held)
        found = await pool.request("GET", "/")
        assert (found.status, len(found.body)) == (429, 65536)

    serve(Script(*(head % (status, len(bomb)) + bomb for status in (b"200 OK", b"429 Slow"))), client)
