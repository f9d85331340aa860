"""Repairs as a patch beside the data: the user's file stays, a new one is written, and the patch leads back.

A patch is JSON lines. The first says which file it is of and the hashes of both files; each further one is one step:
`{"row": {"file", "line"}, "rule", "at", "before", "after"}`, or `"drop": true` for `after`. `at` is the byte of the
original file where `before` stands. Several steps on one row follow each other. What no step names stays byte for byte:
line ends, a BOM, spaces, rows that cannot be read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import msgspec

from tailor.errors import DataError
from tailor.records import Example, Message, Reasoning, Source, Text, ToolResult

_BLOCK = 1 << 20
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


class Repair(NamedTuple):
    """What one rule does to a row: text -> text to put instead, or None where the row is dropped."""

    rule: str
    texts: Mapping[str, str] | None


class Span(Protocol):
    """The bytes of a row, as `formats.layout` gives them."""

    @property
    def line(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class Layout(Protocol):
    """How the rows of a file follow one another."""

    @property
    def kind(self) -> str: ...
    @property
    def delimiter(self) -> str: ...
    @property
    def spans(self) -> Iterator[Span]: ...


class Step(NamedTuple):
    """A replacement in bytes: at `at` of the original file `before` stands, `after` replaces it."""

    line: int
    rule: str
    at: int
    before: bytes
    after: bytes
    drop: bool = False


def mended(example: Example, texts: Mapping[str, str]) -> Example:
    """The row with its texts replaced."""

    def turn(message: Message) -> Message:
        parts = []
        for part in message.parts:
            if isinstance(part, Text | Reasoning):
                part = type(part)(texts.get(part.text, part.text))
            elif isinstance(part, ToolResult):
                part = msgspec.structs.replace(part, content=texts.get(part.content, part.content))
            parts.append(part)
        return msgspec.structs.replace(message, parts=tuple(parts))

    if not texts:
        return example
    sides = {name: tuple(map(turn, getattr(example, name))) for name in ("messages", "chosen", "rejected")}
    return msgspec.structs.replace(example, text=texts.get(example.text, example.text), **sides)


# -------------------------------------------------------------------------------------------------- writing


def write(
    path: Path, layout: Layout, repairs: Mapping[int, Sequence[Repair]], fixed: Path, patch: Path
) -> tuple[int, list[Source]]:
    """Writes the repaired file and the patch; returns (rows changed, rows that could not be).

    `repairs` is line -> what is to be done to the row there. A row cannot be changed where the text that a rule saw
    does not stand in the file as one value (two columns that the shape joins).
    """
    steps, failed = _steps(path, layout, repairs)
    with open(path, "rb") as source, open(fixed, "wb") as target:
        _splice(source, target, [(step.at, step.before, step.after) for step in _joined(steps)])
    with open(patch, "w", encoding="utf-8") as file:
        head = {"patch": 1, "file": str(path), "fixed": str(fixed), "sha256": _hash(path), "fixed_sha256": _hash(fixed)}
        file.write(json.dumps(head) + "\n")
        for step in steps:
            line = {"row": {"file": str(path), "line": step.line}, "rule": step.rule, "at": step.at}
            after = {"drop": True} if step.drop else {"after": step.after.decode()}
            file.write(json.dumps(line | {"before": step.before.decode()} | after, ensure_ascii=False) + "\n")
    return len({step.line for step in steps}), failed


def _steps(path: Path, layout: Layout, repairs: Mapping[int, Sequence[Repair]]) -> tuple[list[Step], list[Source]]:
    steps: list[Step] = []
    failed: list[Source] = []
    dropped: list[tuple[Span, str]] = []  # of a list, while no row that stays has followed
    last: Span | None = None  # the last row that stays
    with open(path, "rb") as file:
        for span in layout.spans:
            todo = repairs.get(span.line, ())
            drop = next((repair.rule for repair in todo if repair.texts is None), None)
            if drop is not None and layout.kind == "list":
                dropped.append((span, drop))
                continue
            steps += [
                _drop(file, gone, rule, gone.start, follower.start) for gone, rule, follower in _pairs(dropped, span)
            ]
            dropped = []
            if drop is not None:
                steps.append(_drop(file, span, drop, span.start, span.end + 1))
                continue
            last = span
            changed = _change(file, span, layout, todo)
            if len(changed) < len(todo):
                failed.append(Source(str(path), span.line))
            steps += changed
        for gone, rule in dropped:  # the list ends with them: the comma before goes too
            steps.append(_drop(file, gone, rule, last.end if last else gone.start, gone.end))
            last = gone
    return steps, failed


def _pairs(dropped: Sequence[tuple[Span, str]], follower: Span) -> Iterator[tuple[Span, str, Span]]:
    for number, (span, rule) in enumerate(dropped):
        yield span, rule, dropped[number + 1][0] if number + 1 < len(dropped) else follower


def _drop(file: BinaryIO, span: Span, rule: str, start: int, end: int) -> Step:
    return Step(span.line, rule, start, _read(file, start, end), b"", drop=True)


def _change(file: BinaryIO, span: Span, layout: Layout, todo: Sequence[Repair]) -> list[Step]:
    raw = _read(file, span.start, span.end) if todo else b""
    return [Step(span.line, rule, span.start, old, new) for rule, old, new in changes(raw, layout, todo)]


def changes(raw: bytes, layout: Layout, todo: Sequence[Repair]) -> Iterator[tuple[str, bytes, bytes]]:
    """(rule, the row before, the row after) of each repair that changes the bytes of the row `raw`."""
    replace = _in_table if layout.kind == "table" else _in_json
    before = raw.decode() if todo else ""
    for repair in todo:
        after = replace(before, repair.texts or {}, layout.delimiter)
        if after != before:
            yield repair.rule, before.encode(), after.encode()
            before = after


def _in_json(raw: str, texts: Mapping[str, str], _: str) -> str:
    """The JSON text with its string values replaced, spelt as they were: escaped to ASCII, or not."""

    def put(match: re.Match[str]) -> str:
        old = json.loads(match[0])
        new = texts.get(old)
        if new is None:
            return match[0]
        return json.dumps(new, ensure_ascii=match[0].isascii() and not old.isascii())

    return _STRING.sub(put, raw)


def _in_table(raw: str, texts: Mapping[str, str], delimiter: str) -> str:
    """The line of a table with its cells replaced; a cell keeps its quotes."""
    cell = re.compile(rf'(?:^|(?<={re.escape(delimiter)}))(?:"((?:[^"]|"")*)"|([^"{re.escape(delimiter)}\r\n]*))')

    def put(match: re.Match[str]) -> str:
        quoted = match[1] is not None
        old = match[1].replace('""', '"') if quoted else match[2]
        new = texts.get(old)
        if new is None or not old:
            return match[0]
        if quoted or any(mark in new for mark in ('"', delimiter, "\n", "\r")):
            return '"' + new.replace('"', '""') + '"'
        return new

    return cell.sub(put, raw)


# ------------------------------------------------------------------------------------------------- undoing


def undo(patch: Path, folder: Path | None = None) -> Path:
    """Writes the original file from the repaired one and the patch; returns its path.

    It is called `NAME.restored.SUFFIX` and stands in `folder`, beside the repaired file where none is given. Raises
    DataError for a file that is no patch, or where the repaired file has changed since.
    """
    try:
        lines = patch.read_bytes().decode().rstrip("\n").split("\n")
        head = json.loads(lines[0])
        steps = [_parsed(json.loads(line)) for line in lines[1:]]
        fixed, original = Path(head["fixed"]), Path(head["file"])
    except FileNotFoundError:
        raise DataError("there is no such patch", where=str(patch)) from None
    except (ValueError, KeyError, IndexError, TypeError):
        raise DataError("this is no patch of tailor", where=str(patch), fix="name the .patch.jsonl file") from None
    if not fixed.exists() and (patch.parent / fixed.name).exists():
        fixed = patch.parent / fixed.name
    if not fixed.exists():
        raise DataError("the repaired file is gone", where=str(fixed), fix="the patch leads back from it alone")
    if _hash(fixed) != head["fixed_sha256"]:
        raise DataError(
            "this file has changed since it was repaired", where=str(fixed), fix="undo a copy of it as it was"
        )
    target = (folder or fixed.parent) / f"{original.stem}.restored{original.suffix}"
    shift = 0
    back = []
    for step in _joined(steps):
        back.append((step.at + shift, step.after, step.before))
        shift += len(step.after) - len(step.before)
    with open(fixed, "rb") as source, open(target, "wb") as file:
        _splice(source, file, back)
    if _hash(target) != head["sha256"]:
        raise DataError("the patch does not lead back to the original", where=str(patch), fix="was it edited?")
    return target


def _parsed(line: dict[str, object]) -> Step:
    row, at, before, after = line["row"], line["at"], line["before"], line.get("after", "")
    assert isinstance(row, dict) and isinstance(at, int) and isinstance(before, str) and isinstance(after, str)
    return Step(int(row["line"]), str(line["rule"]), at, before.encode(), after.encode(), bool(line.get("drop")))


# --------------------------------------------------------------------------------------------------- bytes


def _joined(steps: Iterable[Step]) -> Iterator[Step]:
    """One step a place: the first `before` of it and the last `after`."""
    for _, same in groupby(sorted(steps, key=lambda step: step.at), key=lambda step: step.at):
        several = list(same)
        yield several[0]._replace(after=several[-1].after)


def _splice(source: BinaryIO, target: BinaryIO, changes: Iterable[tuple[int, bytes, bytes]]) -> None:
    """Copies `source`, each `(offset, before, after)` of it replaced."""
    at = 0
    for offset, before, after in changes:
        _copy(source, target, offset - at)
        source.seek(len(before), 1)
        target.write(after)
        at = offset + len(before)
    _copy(source, target, None)


def _copy(source: BinaryIO, target: BinaryIO, count: int | None) -> None:
    while count is None or count > 0:
        piece = source.read(_BLOCK if count is None else min(count, _BLOCK))
        if not piece:
            return
        target.write(piece)
        count = None if count is None else count - len(piece)


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
