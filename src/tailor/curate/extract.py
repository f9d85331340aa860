"""Some rows of text files as a file of their own, and what became of the others.

Rows are written in the shape, columns and order of the input, their bytes as they stood. Beside them stands the ledger
as JSON lines: the first has the sums; each further one is a row that left (`where`, `step`, `rule`, `why`, `beside`) or
a row that was repaired (`where`, `step`, `rule`, and in `texts` what was there and what stands there now).
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from tailor.curate.patch import Layout, Repair, Span, changes
from tailor.disk import disk_errors, written
from tailor.errors import DataError
from tailor.records import Ledger, Source

Wanted = Mapping[str, Mapping[int, Sequence[Repair]]]
"""file -> line of a row to be written -> what is done to it first."""


def extract(files: Sequence[Path], layout: Callable[[Path], Layout], wanted: Wanted, target: Path) -> list[Source]:
    """Writes the wanted rows of `files` to `target`, whole or not at all; returns the rows that could not be repaired.

    What stands before the first row of a file (a header, `[`) and behind its last is taken over from the first file.
    Raises DataError for files that are no text, and for several that differ in it: their rows have no shape in common.
    """
    failed: list[Source] = []
    with written(target) as out:
        _write(files, layout, wanted, out, failed)
    return failed


def keep_books(target: Path, ledger: Ledger, gone: Iterable[Mapping[str, str]], wanted: Wanted, out: str) -> None:
    """Writes the ledger to `target`; `out` names what the rows that stay were written to."""
    with disk_errors(target.parent), open(target, "w", encoding="utf-8") as file:
        kept = {side: count for side in ("train", "validation", "test") if (count := getattr(ledger, side))}
        head = {"ledger": 1, "rows_in": ledger.rows_in, "kept": kept, "dropped": ledger.dropped, "out": out}
        file.write(json.dumps(head, ensure_ascii=False) + "\n")
        for row in gone:
            file.write(json.dumps({key: text for key, text in row.items() if text}, ensure_ascii=False) + "\n")
        for name, lines in wanted.items():
            for line, steps in lines.items():
                for step in steps:
                    row = {"where": f"{name}:{line}", "step": "repair", "rule": step.rule}
                    file.write(json.dumps(row | {"texts": dict(step.texts or {})}, ensure_ascii=False) + "\n")


def _write(
    files: Sequence[Path], layout: Callable[[Path], Layout], wanted: Wanted, out: BinaryIO, failed: list[Source]
) -> None:
    first: tuple[str, str, bytes] | None = None
    between = after = b""
    for path in files:
        found = layout(path)
        todo = wanted.get(str(path), {})
        with open(path, "rb") as file:
            last = None
            for span in found.spans:
                if last is None:
                    before = _read(file, 0, span.start) if found.kind != "lines" else b""
                    columns = before.removeprefix(BOM_UTF8).strip() if found.kind == "table" else b""
                    shape = found.kind, found.delimiter, columns
                    if first is None:
                        first = shape
                        out.write(before)
                    elif first != shape:
                        raise _unlike(files[0], path)
                last = span
                if span.line in todo:
                    out.write(between + _repaired(file, span, found, todo[span.line], path, failed))
                    between = b",\n" if found.kind == "list" else b"\n"
            if last is not None and found.kind == "list" and not after:
                after = _read(file, last.end, path.stat().st_size)
    out.write(after or between)


def _repaired(
    file: BinaryIO, span: Span, layout: Layout, todo: Sequence[Repair], path: Path, failed: list[Source]
) -> bytes:
    raw = _read(file, span.start, span.end).rstrip(b"\n")
    done = list(changes(raw, layout, todo))
    if len(done) < len(todo):
        failed.append(Source(str(path), span.line))
    return done[-1][2] if done else raw


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _unlike(first: Path, other: Path) -> DataError:
    return DataError(
        f"its rows have not the shape or the columns of those in {first}, so one file cannot hold both",
        where=str(other),
        fix="do them one by one",
    )
