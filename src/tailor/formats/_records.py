"""JSON lines, a JSON list, or an object that holds one -> Records: one row each, with its place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tailor.errors import Problem
from tailor.formats._json import Broken, NotUtf8, decode, locate
from tailor.formats._open import LONGEST_ROW, Chunks, Unreadable, encoding_problem, lines
from tailor.formats.base import Malformed, describe


class Record(Protocol):
    """One row of a file, not yet looked at."""

    @property
    def line(self) -> int:
        """Its line, or its number where the file has no lines."""
        ...

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        ...

    def row(self) -> dict[str, Any]:
        """Its values. Raises Malformed."""
        ...

    def problem(self, error: Malformed) -> Problem:
        """What is wrong with it, with the exact place."""
        ...


@dataclass(slots=True)
class JsonRecord:
    """A JSON text that starts `column` characters into line `first` of its file, `offset` bytes from its start."""

    file: str
    line: int
    raw: bytes
    offset: int
    first: int
    column: int = 0

    @property
    def size(self) -> int:
        """Bytes of the text."""
        return len(self.raw)

    def row(self) -> dict[str, Any]:
        """Its values. Raises Malformed where it is no JSON object."""
        value = decode(self.raw)
        if type(value) is not dict:
            fix = 'write a row as an object: {"messages": [...]}'
            raise Malformed(f"a row is an object, this is {describe(value)}", (), fix)
        return value

    def problem(self, error: Malformed) -> Problem:
        """The Problem at `file:line:column`; columns count characters from 1."""
        text = self.raw.decode("utf-8", "surrogateescape")
        offset = error.offset if isinstance(error, Broken) else locate(text, error.at)
        before = text[:offset]
        line = self.first + before.count("\n")
        column = len(before) - before.rfind("\n") if "\n" in before else self.column + len(before) + 1
        if isinstance(error, NotUtf8):
            return encoding_problem(self.file, line, column, self.offset + error.start, error.byte)
        return Problem(f"{self.file}:{line}:{column}", error.what, error.fix, error.kind)


def json_records(chunks: Chunks, row_keys: Sequence[str]) -> Iterator[JsonRecord]:
    """The rows of a JSON file. `row_keys` are keys whose lists belong to a row (`messages`), not to the file."""
    start = chunks.head.lstrip()
    first_line, _, more = start.partition(b"\n")
    if chunks.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        one_value = first_line.strip() == b"{" and more.lstrip()[:1] == b'"'  # an object over several lines
    else:
        one_value = start[:1] == b"{" and not (more.strip() and _complete(first_line))
    if one_value or start[:1] == b"[":
        return _Scanner(chunks, row_keys).records()
    return _json_lines(chunks)


def _complete(line: bytes) -> bool:
    try:
        decode(line)
    except Malformed:
        return False
    return True


def _json_lines(chunks: Chunks) -> Iterator[JsonRecord]:
    offset = chunks.skipped
    name = chunks.name
    for number, line in enumerate(lines(chunks), 1):
        if line and not line.isspace():
            yield JsonRecord(name, number, line, offset, number)
        offset += len(line) + 1


_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}"]', re.DOTALL)
_SCALAR = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^,\[\]{}\s"]+', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*")


class _Scanner:
    """Walks a JSON text that comes in pieces and cuts it into the elements of its list, without decoding them."""

    def __init__(self, chunks: Chunks, row_keys: Sequence[str]) -> None:
        self.chunks = chunks
        self.row_keys = row_keys
        self.pieces = iter(chunks)
        self.data = b""
        self.at = 0  # what is before it has been taken
        self.keep = -1  # from here on nothing is forgotten; -1 for nothing to keep
        self.offset = chunks.skipped  # bytes of the file before `data`
        self.depth = self.scanned = 0  # brackets open, and bytes looked through, in the value at `at`
        self.line = 1
        self.column = 0  # characters of this line before `at`

    def records(self) -> Iterator[JsonRecord]:
        """One Record an element. Raises Unreadable where the text between the elements is not JSON."""
        found = self._elements() if self._peek() == b"[" else self._members()
        first = next(found, None)
        if first is None:
            return
        second = next(found, None)
        # A list on one line has no lines to name its rows by: they are numbered.
        numbered = second is not None and second.first == first.first
        yield first
        number = 1
        while second is not None:
            number += 1
            if numbered:
                second.line = number
            yield second
            second = next(found, None)

    # -------------------------------------------------------------------------------------- the list

    def _elements(self) -> Iterator[JsonRecord]:
        yield from self._list()
        self._end()

    def _list(self) -> Iterator[JsonRecord]:
        self._take(1)
        if self._peek() == b"]":
            self._take(1)
            return
        while True:
            yield self._value()
            separator = self._peek()
            if separator == b"]":
                self._take(1)
                return
            if separator != b",":
                raise self._fault("a comma or the end of the list is missing here", "the file is cut off or damaged")
            self._take(1)
            if self._peek() == b"]":
                raise self._fault("a comma after the last element", "JSON allows none: take it away")

    def _end(self) -> None:
        if self._peek():
            fix = "one list a file, or one row a line (jq -c . makes lines of loose objects)"
            raise self._fault("something follows the end of the JSON value", fix)

    # ------------------------------------------------------------------------- an object that holds it

    def _members(self) -> Iterator[JsonRecord]:
        """The rows of the one list of objects within the top object, or the object itself where it is a row."""
        self.keep = self.at
        start = (self.line, self.column, self.offset + self.at)
        held = ""
        self._take(1)
        while self._peek() != b"}":
            key = self._key()
            if self._peek() == b"[" and key not in self.row_keys and self._holds_objects():
                if held:
                    raise self._fault(f"a second list of rows, {key!r} beside {held!r}", "put each in its own file")
                held, self.keep = key, -1
                yield from self._list()
            else:
                self._checked_value()
            if self._peek() == b",":
                self._take(1)
                if self._peek() == b'"':
                    continue
            if self._peek() != b"}":
                raise self._fault("a comma, a key or the end of the object is missing here", "the file is damaged")
        self._take(1)
        if not held:
            line, column, offset = start
            yield JsonRecord(self.chunks.name, line, self.data[self.keep : self.at], offset, line, column)
            self.keep = -1
        self._end()

    def _key(self) -> str:
        if self._peek() != b'"':
            raise self._fault("a key in double quotes is missing here", "the file is damaged, or not JSON")
        key = self._checked_value()
        if self._peek() != b":":
            raise self._fault(f"a colon is missing after the key {key!r}", "the file is damaged, or not JSON")
        self._take(1)
        return str(key)

    def _checked_value(self) -> Any:
        record = self._value()
        try:
            return decode(record.raw)
        except Malformed as error:
            problem = record.problem(error)
            raise Unreadable(problem.where, problem.what, problem.fix) from None

    def _holds_objects(self) -> bool:
        """Whether the list at `at` begins with an object."""
        while True:
            space = _SPACE.match(self.data, self.at + 1)
            end = space.end() if space else self.at + 1
            if end < len(self.data) or not self._more():
                return self.data[end : end + 1] == b"{"

    # ---------------------------------------------------------------------------------------- bytes

    def _value(self) -> JsonRecord:
        """Takes the next value as it stands, decoding nothing."""
        bracket = self._peek() in (b"{", b"[")
        line, column = self.line, self.column
        self.depth = self.scanned = 0
        while True:
            end = self._closing() if bracket else self._scalar()
            if end:
                break
            if len(self.data) - self.at > LONGEST_ROW:
                raise self._fault(f"this row is longer than {LONGEST_ROW >> 20} MB: no row is", "is a quote missing?")
            if not self._more():
                raise self._cut_off()
        raw = self.data[self.at : end]
        record = JsonRecord(self.chunks.name, line, raw, self.offset + self.at, line, column)
        self._take(len(raw))
        return record

    def _closing(self) -> int:
        """Index after the bracket that closes the one at `at`; 0 where it has not come yet.

        `scanned` and `depth` say how far it came, so that a row over many pieces is looked through once.
        """
        for token in _TOKENS.finditer(self.data, self.at + self.scanned):
            sign = token[0]
            if sign == b"{" or sign == b"[":
                self.depth += 1
            elif sign == b"}" or sign == b"]":
                self.depth -= 1
                if not self.depth:
                    return token.end()
            elif sign == b'"':  # a text that has not ended yet
                self.scanned = token.start() - self.at
                return 0
        self.scanned = len(self.data) - self.at
        return 0

    def _scalar(self) -> int:
        match = _SCALAR.match(self.data, self.at)
        if match is None:
            if self.data[self.at : self.at + 1] == b'"':
                return 0
            raise self._fault("a value is missing here", "the file is cut off or damaged")
        return 0 if match.end() == len(self.data) and self._more() else match.end()

    def _cut_off(self) -> Unreadable:
        """The fault of a value that the file ends within: where the JSON decoder stumbles first."""
        record = JsonRecord(self.chunks.name, self.line, self.data[self.at :], self.offset + self.at, self.line)
        record.column = self.column
        try:
            decode(record.raw)
        except Malformed as error:
            problem = record.problem(error)
            return Unreadable(problem.where, problem.what, problem.fix)
        return self._fault("the file ends here, in the middle", "it was cut off")

    def _peek(self) -> bytes:
        """The next byte that is no space; empty at the end of the file."""
        while True:
            space = _SPACE.match(self.data, self.at)
            if space and space.end() > self.at:
                self._take(space.end() - self.at)
            if self.at < len(self.data):
                return self.data[self.at : self.at + 1]
            if not self._more():
                return b""

    def _take(self, count: int) -> None:
        taken = self.data[self.at : self.at + count]
        self.at += count
        newlines = taken.count(b"\n")
        if newlines:
            self.line += newlines
            self.column = 0
            taken = taken[taken.rfind(b"\n") + 1 :]
        self.column += len(taken.decode("utf-8", "surrogateescape"))

    def _more(self) -> bool:
        piece = next(self.pieces, b"")
        if not piece:
            return False
        cut = self.at if self.keep < 0 else self.keep
        self.data = self.data[cut:] + piece
        self.offset += cut
        self.at -= cut
        self.keep = min(self.keep, 0)
        return True

    def _fault(self, what: str, fix: str) -> Unreadable:
        return Unreadable(f"{self.chunks.name}:{self.line}:{self.column + 1}", what, fix)
