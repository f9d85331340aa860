"""CSV, TSV, Parquet and XLSX -> Records. The first row names the columns; a cell that is empty is a null."""

from __future__ import annotations

import contextlib
import csv
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from tailor.errors import Problem
from tailor.formats._open import BOMB_FLOOR, BOMB_RATIO, LONGEST_ROW, Chunks, Unreadable, encoding_problem, lines
from tailor.formats.base import Malformed

_BATCH = 1024


@dataclass(slots=True)
class TableRecord:
    """One row of a table, at `line` (its number in a Parquet file); `fault` is set where its cells do not fit.

    In a CSV file it takes the bytes from `start` to `end`, its last line end left out.
    """

    file: str
    line: int
    cells: dict[str, Any]
    fault: Malformed | None = None
    start: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        """Characters of its texts."""
        return sum(len(cell) for cell in self.cells.values() if isinstance(cell, str))

    def row(self) -> dict[str, Any]:
        """The cells by column. Raises Malformed where there are more or fewer than columns."""
        if self.fault is not None:
            raise self.fault
        return self.cells

    def problem(self, error: Malformed) -> Problem:
        """The Problem at `file:line`, with the number of the column where one cell is at fault."""
        if isinstance(error, _NotUtf8):
            return encoding_problem(self.file, *error.place)
        column = list(self.cells).index(str(error.at[0])) + 1 if error.at and error.at[0] in self.cells else None
        where = f"{self.file}:{self.line}"
        return Problem(where, f"{error.what} (column {column})" if column else error.what, error.fix, error.kind)


class _NotUtf8(Malformed):
    def __init__(self, place: tuple[int, int, int, int]) -> None:
        super().__init__("this is not UTF-8")
        self.place = place


# ------------------------------------------------------------------------------------------------ CSV and TSV


class _Text:
    """The lines of a file as csv.reader wants them; remembers the first byte that is no UTF-8 in the current row."""

    def __init__(self, chunks: Chunks) -> None:
        self.lines = lines(chunks)
        self.number = 0
        self.offset = chunks.skipped
        self.wrong: tuple[int, int, int, int] | None = None  # line, column, byte offset, byte

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.number += 1
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                column = len(line[: error.start].decode()) + 1
                self.wrong = self.wrong or (self.number, column, self.offset + error.start, line[error.start])
                text = line.decode("utf-8", "replace")
            self.offset += len(line) + 1
            yield text + "\n"


def csv_records(chunks: Chunks, mapped: Sequence[str], note: list[str]) -> Iterator[TableRecord]:
    """The rows of a CSV or TSV file; the delimiter is the one its first line has most of.

    Rows of empty cells only, as spreadsheets leave them behind, are passed over, and `note` is told how many.
    """
    csv.field_size_limit(LONGEST_ROW)
    text = _Text(chunks)
    delimiter = (
        "\t" if chunks.name.lower().removesuffix(".gz").endswith((".tsv", ".tab")) else delimiter_of(chunks.head)
    )
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    empty = 0
    while True:
        line, start = text.number + 1, text.offset
        text.wrong = None
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _csv_fault(chunks.name, line, text.number, error) from None
        if cells is None:
            break
        if not any(cells):
            empty += bool(cells)
            continue
        wrong = _NotUtf8(text.wrong) if text.wrong else None
        if columns is None:
            if wrong is not None:
                problem = encoding_problem(chunks.name, *wrong.place)
                raise Unreadable(problem.where, problem.what, problem.fix)
            columns = _header(cells, f"{chunks.name}:{line}", mapped)
        elif len(cells) != len(columns) and wrong is None:
            what = f"{len(cells)} cells where the first line names {len(columns)} columns"
            fault = Malformed(what, (), _quote_hint(delimiter), "cells")
            yield TableRecord(chunks.name, line, {}, fault, start, text.offset - 1)
        else:
            values = dict(zip(columns, [cell or None for cell in cells]))
            yield TableRecord(chunks.name, line, values, wrong, start, text.offset - 1)
    if empty:
        note.append(f"{empty:,} rows of empty cells passed over")


def _quote_hint(delimiter: str) -> str:
    return f"put cells that contain {delimiter!r} or a line end in double quotes"


def _csv_fault(file: str, line: int, reached: int, error: csv.Error) -> Unreadable:
    if "unexpected end of data" in str(error) or "field larger" in str(error):
        return Unreadable(f"{file}:{line}", "a quote that opens in this row is never closed", "close it, or double it")
    fix = 'a quote within a quoted cell is written twice: ""' if "expected after" in str(error) else ""
    return Unreadable(f"{file}:{reached}", f"not valid CSV: {error}", fix)


def delimiter_of(head: bytes) -> str:
    """The delimiter that the first line of a CSV file has most of."""
    unquoted = re.sub(r'"[^"]*"', "", head.decode("utf-8", "replace").partition("\n")[0])
    return max(",;\t|", key=unquoted.count)


def _header(cells: Sequence[Any], where: str, mapped: Sequence[str]) -> list[str]:
    """The names of the columns. Raises Unreadable where two are equal or they look like a row of data."""
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    twice = next((name for index, name in enumerate(names) if name and name in names[:index]), None)
    if twice is not None:
        raise Unreadable(where, f"two columns are called {twice!r}", "give each a name of its own")
    prose = next((name for name in names if _is_prose(name)), None)
    if prose is not None and not set(mapped) & set(names):
        what = f"the first line holds {prose[:40]!r}: that is data, not the name of a column"
        raise Unreadable(where, what, "put a line of column names first, such as prompt,completion")
    return [name or f"column {index}" for index, name in enumerate(names, 1)]


def _is_prose(name: str) -> bool:
    return len(name) > 60 or name.endswith((".", "?", "!")) or len(name.split()) > 6


# --------------------------------------------------------------------------------------------------- Parquet


def parquet_records(path: Path) -> Iterator[TableRecord]:
    """The rows of a Parquet file, a batch at a time; rows are numbered from 1."""
    from pyarrow import parquet  # heavy, and needed for this container alone

    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield TableRecord(str(path), number, {name: _cell(value) for name, value in row.items()})
    except Exception as error:  # a damaged file may hold anything, such as dates of no calendar
        raise Unreadable(str(path), f"the Parquet file is damaged: {error}", "write it again") from None


# ------------------------------------------------------------------------------------------------------ XLSX


def xlsx_records(path: Path, mapped: Sequence[str], note: list[str]) -> Iterator[TableRecord]:
    """The rows of the first sheet that has any; `note` is told which, where there are several."""
    import openpyxl  # heavy, and needed for this container alone

    _refuse_bomb(path)
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(path, "rb"))  # openpyxl leaves its own open where it stumbles
            book = stack.enter_context(contextlib.closing(openpyxl.load_workbook(file, read_only=True, data_only=True)))
            for sheet in book.worksheets:
                rows = enumerate(sheet.iter_rows(values_only=True), 1)
                named = next(((line, cells) for line, cells in rows if any(cell is not None for cell in cells)), None)
                if named is None:
                    continue
                if len(book.worksheets) > 1:
                    note.append(f"only sheet {sheet.title!r} of {len(book.worksheets)}")
                yield from _sheet(str(path), rows, named, mapped)
                return
    except Unreadable:
        raise
    except Exception as error:  # openpyxl calls its classes with whatever attributes the XML has
        raise Unreadable(str(path), f"not an XLSX workbook: {error}", "save it again as .xlsx, or as .csv") from None


def _sheet(
    file: str, rows: Iterator[tuple[int, Any]], named: tuple[int, Any], mapped: Sequence[str]
) -> Iterator[TableRecord]:
    width = max(index for index, cell in enumerate(named[1], 1) if cell is not None)
    columns = _header(named[1][:width], f"{file}:{named[0]}", mapped)
    for line, cells in rows:
        if all(cell is None for cell in cells):
            continue
        fault = None
        if any(cell is not None for cell in cells[width:]):
            fault = Malformed(
                f"a cell to the right of the {width} named columns", (), "name the column, or empty it", "cells"
            )
        yield TableRecord(file, line, dict(zip(columns, map(_cell, cells))), fault)


def _cell(value: Any) -> Any:
    """The value as JSON knows it: times and decimals as text, a float that is no number as the null it stands for."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return None if isinstance(value, float) and value != value else value


def _refuse_bomb(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise Unreadable(str(path), f"not an XLSX workbook: {error}", "was it cut off? save it again") from None
    if unpacked > BOMB_FLOOR and unpacked > BOMB_RATIO * path.stat().st_size:
        raise Unreadable(str(path), "this workbook unpacks to many times its size: it looks like a bomb")
