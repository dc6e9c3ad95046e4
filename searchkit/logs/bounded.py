"""Files of other tools, read with bounds: lines of JSON, one JSON document, the members of a zip. None is trusted.

What is too large, too dense, nested too deeply or damaged is a `ConfigError` that names the file, the place and the
fix. Nothing is ever unpacked to a disk, no name in an archive is used as a path, and a line at a time is in memory.
"""

from __future__ import annotations

import gzip
import importlib
import io
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from searchkit.errors import ConfigError
from searchkit.kinds import printable
from searchkit.wire.fields import check_depth, read_answer

LONGEST = 64 * 2**20  # bytes of a line
LARGEST = 512 * 2**20  # bytes of a document that is read in one piece, and of a member of a zip
MOST_PARTS = 2**23  # lists and objects in one of them: an empty list of two bytes takes seventy in memory
RATIO = 1000  # how often larger than the file what is in it may be; deflate reaches 1,032, and a bomb aims higher
SMALL = 256 * 2**20  # bytes that any file may unpack to
ZSTANDARD = 93  # the method of zips that Inspect writes
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
BLOCK = 2**20
Advance = Callable[[int], object]  # told how many more bytes of the file on the disk have been read


def head(path: Path, size: int = 4 * 2**20) -> bytes:
    """How the file begins, unpacked if it is packed by gzip."""
    with _reading(path), path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        if not packed:
            return file.read(size)
        with gzip.GzipFile(fileobj=file) as unpacked:
            return unpacked.read(size)


def lines(path: Path, advance: Advance) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line that is not blank, as (where it stands, its JSON object); also of a file packed by gzip.

    Raises `ConfigError`, naming the line, for what is no JSON object, too long, or nested too deeply.
    """
    with _reading(path), path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        source: BinaryIO = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        most, read, done = max(SMALL, RATIO * path.stat().st_size), 0, 0
        for number, line in enumerate(_lines(source, path), 1):
            read += len(line)
            if packed and read > most:
                raise ConfigError(f"{path} unpacks to more than {RATIO:,} times its size: unpack it, and look at it")
            here = file.tell() if packed else read
            advance(here - done)
            done = here
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                where = f"{path}, line {number}"
                found = document(line, where, "mend or delete the line")
                if not isinstance(found, dict):
                    raise ConfigError(
                        f"{where}: not a JSON object but {type(found).__name__}: one sample is one object"
                    )
                yield where, found


def _lines(source: BinaryIO, path: Path) -> Iterator[bytes]:
    number = 0
    while line := source.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise ConfigError(
                f"{path}, line {number}: longer than {LONGEST // 2**20} MiB: split the line, or leave it out"
            )
        yield line


def document(raw: bytes, where: str, fix: str) -> Any:
    """The JSON in `raw`. Raises `ConfigError`, which says `where` and the `fix`."""
    try:
        found = read_answer(raw, MOST_PARTS)
        check_depth(found if isinstance(found, (dict, list)) else [found])
        return found
    except ValueError as error:  # and what is malformed, which is one
        raise ConfigError(f"{where}: it cannot be read as JSON ({printable(str(error))}): {fix}") from None


def whole(path: Path, fix: str) -> bytes:
    """All of a file of at most `LARGEST` bytes. fix: what to do with a larger one."""
    with _reading(path):
        if (size := path.stat().st_size) > LARGEST:
            raise ConfigError(f"{path} has {size:,} bytes, and at most {LARGEST:,} are read in one piece: {fix}")
        return path.read_bytes()


class Archive:
    """The members of a zip by name, of several with one name the last, each read whole and checked.

    Raises `ConfigError` for what is no zip, is damaged or encrypted, or unpacks to more than `RATIO` times its size.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path):
            self._file = path.open("rb")
            try:
                self._zip = zipfile.ZipFile(self._file)
                self.members = {info.filename: info for info in self._zip.infolist()}
                total, size = sum(info.file_size for info in self.members.values()), path.stat().st_size
                if total > max(SMALL, RATIO * size):
                    raise ConfigError(
                        f"{path} unpacks to {total:,} bytes, {total // size:,} times its size: no log does"
                    )
            except BaseException:
                self._file.close()
                raise

    def read(self, name: str) -> bytes:
        """The content of a member."""
        info, where = self.members[name], f"{self.path}, member {printable(name)!r:.200}"
        if info.file_size > LARGEST:
            raise ConfigError(f"{where}: larger than {LARGEST // 2**20} MiB: leave the sample out of the log")
        if info.flag_bits & 1:
            raise ConfigError(f"{where}: it is encrypted: write the log without a password")
        with _reading(Path(where)):
            if info.compress_type == ZSTANDARD:
                content = _unpacked(self._raw(info), info.file_size)
            else:
                with self._zip.open(info) as member:
                    content = member.read(info.file_size + 1)
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise ConfigError(f"{where}: it is damaged (its checksum differs): copy the log again")
        return content

    def _raw(self, info: zipfile.ZipInfo) -> bytes:
        """The member as it is packed. Behind the fixed part of its header stand its name and extra fields."""
        self._file.seek(info.header_offset)
        header = self._file.read(30)
        if len(header) < 30 or header[:4] != ZIP:
            raise zipfile.BadZipFile("no header where the directory says")
        self._file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), io.SEEK_CUR)
        return self._file.read(info.compress_size)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()


def _unpacked(raw: bytes, size: int) -> bytes:
    """At most `size` + 1 bytes of what Zstandard packed."""
    source = _zstandard(raw)
    parts, left = [], size + 1
    while left > 0 and (part := source.read(min(BLOCK, left))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _zstandard(raw: bytes) -> Any:
    if sys.version_info >= (3, 14):
        return importlib.import_module("compression.zstd").ZstdFile(io.BytesIO(raw))
    try:
        arrow = importlib.import_module("pyarrow")
    except ImportError as error:
        raise ConfigError(
            "logs that Inspect packs by Zstandard need pyarrow before Python 3.14: pip install 'searchkit[parquet]'"
        ) from error
    return arrow.CompressedInputStream(arrow.BufferReader(raw), "zstd")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What goes wrong with a file is told by its name."""
    try:
        yield
    except ConfigError:
        raise
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ConfigError(
            f"{path} cannot be read ({printable(str(reason))}): name another file, or copy it again"
        ) from error
