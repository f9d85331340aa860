"""The bytes of a data file: found, unpacked in bounded pieces, and refused early where they are no rows."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tailor.errors import DataError, Problem

CHUNK = 1 << 20
LONGEST_ROW = 64 << 20  # bytes; what one row may take, so that a file without line ends cannot fill the memory
BOMB_RATIO = 200  # text packs 3- to 20-fold; gzip at its limit 1,032-fold
BOMB_FLOOR = 256 << 20  # bytes unpacked before the ratio is judged: short files of equal rows pack well

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx", ".txt", ".md")
_GZIP = b"\x1f\x8b"
_FOREIGN = (
    (b"%PDF", "a PDF document"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd"),
    (b"\xfd7zXZ", "packed with xz"),
    (b"BZh", "packed with bzip2"),
    (b"\xd0\xcf\x11\xe0", "an old Office document (.xls, .doc)"),
    (b"ARROW1", "an Arrow file"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\x89PNG", "an image"),
    (b"\x7fELF", "a program"),
    (b"PK\x03\x04", "a zip archive"),
)


class Unreadable(Exception):
    """A file, or the rest of one, that cannot be read on; carries the one Problem to report."""

    def __init__(self, where: str, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.problem = Problem(where, what, fix)

    def as_error(self) -> DataError:
        """The same as the error of the whole read."""
        return DataError(self.problem.what, where=self.problem.where, fix=self.problem.fix)


class Chunks:
    """The bytes of a file in pieces, without the BOM, unpacked where it is gzip; `head` is the first of them."""

    def __init__(self, path: Path, report: Callable[[int], None]) -> None:
        self.name = str(path)
        self.packed = False
        self._path = path
        self._report = report
        self._pieces = self._read()
        head = next(self._pieces, b"")
        self.head = head.removeprefix(codecs.BOM_UTF8)
        self.skipped = len(head) - len(self.head)
        _refuse_foreign(self.name, self.head)

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        yield from self._pieces

    def _read(self) -> Iterator[bytes]:
        with open(self._path, "rb") as file:
            self.packed = file.read(2) == _GZIP
            file.seek(0)
            if self._path.suffix == ".gz" and not self.packed and self._path.stat().st_size:
                raise Unreadable(self.name, "the name ends in .gz and the content is not gzip", "rename or repack it")
            yield from self._unpack(file) if self.packed else self._plain(file)

    def _plain(self, file: BinaryIO) -> Iterator[bytes]:
        while piece := file.read(CHUNK):
            self._report(file.tell())
            yield piece

    def _unpack(self, file: BinaryIO) -> Iterator[bytes]:
        unpacked = 0
        try:
            with gzip.GzipFile(fileobj=file) as stream:
                while piece := stream.read(CHUNK):
                    unpacked += len(piece)
                    if unpacked > BOMB_FLOOR and unpacked > BOMB_RATIO * file.tell():
                        what = f"this gzip unpacks to more than {BOMB_RATIO} times its size: it looks like a bomb"
                        raise Unreadable(self.name, what, "unpack it yourself if you trust it")
                    self._report(file.tell())
                    yield piece
        except EOFError:
            raise Unreadable(
                self.name, "the gzip ends before its end: the file was cut off", "fetch it again"
            ) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise Unreadable(self.name, f"the gzip is damaged: {error}", "fetch it again") from None


def _refuse_foreign(name: str, head: bytes) -> None:
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise Unreadable(name, f"this is {what}, not rows", f"tailor reads {', '.join(SUFFIXES)}, also as .gz")
    start = head[:4096]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or start[1::2].count(0) > 0.4 * len(start) > 1:
        raise Unreadable(name, "this is UTF-16", f"convert it: iconv -f UTF-16 -t UTF-8 {name} > {name}.utf8")
    if b"\x00" in head[: 1 << 16]:
        where = f"{name}:{head.count(10, 0, head.index(0)) + 1}"
        raise Unreadable(where, f"a zero byte at offset {head.index(0):,}: this is a binary file", "give a text file")


def lines(chunks: Chunks) -> Iterator[bytes]:
    """The lines of a file without their ends. Raises Unreadable where one is longer than any row."""
    number = size = 0
    held: list[bytes] = []  # the line that has not ended yet, joined once
    for piece in chunks:
        first, *others = piece.split(b"\n")
        held.append(first)
        size += len(first)
        if others:
            yield b"".join(held)
            yield from others[:-1]
            number += len(others)
            held, size = [others[-1]], len(others[-1])
        if size > LONGEST_ROW:
            what = f"this line is longer than {LONGEST_ROW >> 20} MB: no row is"
            raise Unreadable(f"{chunks.name}:{number + 1}", what, "put each row on a line of its own")
    if size:
        yield b"".join(held)


def encoding_problem(file: str, line: int, column: int, offset: int, byte: int) -> Problem:
    """A byte that is no UTF-8: where it stands, what it would be in the usual other encoding, and how to convert."""
    letter = bytes([byte]).decode("cp1252", "replace")
    meant = f"; in Windows-1252 (latin-1) it is {letter!r}" if letter.isprintable() and letter != "\ufffd" else ""
    return Problem(
        f"{file}:{line}:{column}",
        f"byte 0x{byte:02X} at byte offset {offset:,} is not UTF-8{meant}",
        f"convert the file: iconv -f WINDOWS-1252 -t UTF-8 {file} > {file}.utf8",
        "encoding",
    )
