"""Excel through openpyxl: the sheet is the page, its name the heading; rows divided by empty ones are tables apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tailor.documents.base import LIGATURES, Block, Document, Unreadable, refuse_archive, table

SUFFIXES = (".xlsx", ".xlsm")


def read(path: Path) -> Document:
    """Raises Unreadable for a file that is encrypted, damaged or empty."""
    import openpyxl  # heavy, and needed for this format alone

    refuse_archive(path, "workbook (.xlsx)")
    found: list[Block] = []
    try:
        with open(path, "rb") as file, closing(openpyxl.load_workbook(file, read_only=True, data_only=True)) as book:
            for number, sheet in enumerate(book.worksheets, 1):
                tables = [Block("table", text, number) for rows in _tables(sheet) if (text := table(rows))]
                if tables:
                    found += [Block("heading", sheet.title.translate(LIGATURES), number, 1), *tables]
    except Exception as error:  # the XML of a stranger: whatever it breaks is the same fault
        fix = "open it in Excel and save it again"
        raise Unreadable(path, f"damaged: {type(error).__name__} {error}", fix) from None
    if not found:
        raise Unreadable(path, "no cell holds anything")
    return Document(str(path), found)


def _tables(sheet: Any) -> Iterator[list[list[str]]]:
    """Runs of rows that hold something, columns that hold nothing at their edges cut off."""
    rows: list[list[str]] = []
    for cells in sheet.iter_rows(values_only=True):
        row = ["" if cell is None else str(cell).translate(LIGATURES) for cell in cells]
        if any(row):
            rows.append(row)
        elif rows:
            yield _cut(rows)
            rows = []
    if rows:
        yield _cut(rows)


def _cut(rows: list[list[str]]) -> list[list[str]]:
    used = [index for row in rows for index, cell in enumerate(row) if cell]
    return [row[min(used) : max(used) + 1] for row in rows]
