"""Where the rows of a text file stand in its bytes, so that a repair can replace or take out single rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from tailor.errors import DataError
from tailor.formats import _tables
from tailor.formats._detect import shapes
from tailor.formats._open import Chunks, Unreadable
from tailor.formats._records import json_records


class Span(NamedTuple):
    """The bytes `[start, end)` of the row at `line`, without the line end or comma behind it."""

    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows follow one another: `lines` and `table` end each with a line end, a `list` divides them by commas."""

    kind: Literal["lines", "list", "table"]
    delimiter: str
    spans: Iterator[Span]


def layout(path: Path) -> Layout:
    """The rows of a JSON lines, JSON, CSV or TSV file. Raises DataError for what is no such text, or is damaged."""
    try:
        found = _layout(path)
    except Unreadable as error:
        raise error.as_error() from None
    return Layout(found.kind, found.delimiter, _whole(found.spans))


def _layout(path: Path) -> Layout:
    chunks = Chunks(path, lambda done: None)
    kind = path.suffix.lower()
    if chunks.packed or kind not in (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab"):
        fix = "unpack or export it as JSON lines or CSV first"
        raise DataError("only plain text files of rows can be repaired or divided", where=str(path), fix=fix)
    if kind in (".csv", ".tsv", ".tab"):
        delimiter = "\t" if kind != ".csv" else _tables.delimiter_of(chunks.head)
        size = path.stat().st_size
        rows = _tables.csv_records(chunks, (), [])
        return Layout("table", delimiter, (Span(row.line, row.start, min(row.end, size)) for row in rows))
    records = json_records(chunks, [key for shape in shapes().values() for key in shape.KEYS])
    spans = (Span(record.line, record.offset, record.offset + len(record.raw)) for record in records)
    first = next(spans, None)
    if first is None:
        return Layout("lines", "", iter(()))
    with open(path, "rb") as file:
        before = file.read(first.start).lstrip(b"\xef\xbb\xbf \t\r\n")
    return Layout("list" if before else "lines", "", _with(first, spans))


def _whole(spans: Iterator[Span]) -> Iterator[Span]:
    try:
        yield from spans
    except Unreadable as error:
        raise error.as_error() from None


def _with(first: Span, rest: Iterator[Span]) -> Iterator[Span]:
    yield first
    yield from rest
