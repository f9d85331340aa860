"""One file -> its Examples, the rows that cannot be used, and the line that says what was seen."""

from __future__ import annotations

import itertools
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tailor.errors import ConfigError, Problem, did_you_mean
from tailor.formats import _open, _tables, completion, sharegpt
from tailor.formats._detect import Choice, best, choose, rename
from tailor.formats._open import Chunks, Unreadable
from tailor.formats._records import Record, json_records
from tailor.formats.base import Format, Malformed, Path, Row, describe
from tailor.records import Example, Source

SAMPLE = 1000  # rows that are looked at to tell the shape: enough for a majority, few enough to be held
SAMPLE_BYTES = 16 << 20
_UNANSWERED = "nothing answers the last turn of this row"
_ANSWER_IT = "end it with an assistant turn; only a file without any answers is read as prompts"


@dataclass(slots=True)
class Options:
    """What the user asked for, the same for all files of a read."""

    known: Mapping[str, Format]
    format: str | None
    map: Mapping[str, str]
    group: str | None


@dataclass(slots=True)
class FileReading:
    """What came of one file; `fatal` ended it early."""

    name: str
    examples: list[Example] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    choice: Choice | None = None
    notes: list[str] = field(default_factory=list)
    rows: int = 0
    answered: bool = False  # whether some row has an answer: then each needs one
    mixed: dict[str, list[int]] = field(default_factory=dict)  # other shape -> lines of its rows
    fatal: Unreadable | None = None

    @property
    def seen(self) -> str:
        """What was recognised, how many rows of it, and why."""
        if self.choice is None:
            return f"{self.name}: nothing that could be read"
        rows = "row" if self.rows == 1 else "rows"
        shape = f"{rows} of a table" if self.choice.name == "table" else f"{self.choice.format.NAME} {rows}"
        told = [f"{self.rows:,} {shape}: {self.choice.reason}", *self.notes]
        if not self.answered and self.rows > len(self.problems):
            told.append("none has an answer; if it stands under another name, say --map completion=NAME")
        if self.choice.unused:
            told.append(f"not used: {', '.join(self.choice.unused)}")
        return f"{self.name}: {'; '.join(told)}"


def read_file(path: pathlib.Path, options: Options, report: Callable[[int], None]) -> FileReading:
    """Reads one file to its end. Raises ConfigError for a format or map that does not fit it."""
    reading = FileReading(str(path))
    for _ in _guarded(path, options, report, reading):
        pass
    return reading


def stream_file(
    path: pathlib.Path, options: Options, report: Callable[[int], None], reading: FileReading
) -> Iterator[Example]:
    """The same a row at a time: `reading` keeps all but the Examples that were handed out. Rows without an answer
    wait for the end of the file, because the first row that has one makes them problems."""
    for _ in _guarded(path, options, report, reading):
        if reading.answered:
            yield from reading.examples
            reading.examples.clear()
    yield from reading.examples
    reading.examples.clear()


def _guarded(
    path: pathlib.Path, options: Options, report: Callable[[int], None], reading: FileReading
) -> Iterator[None]:
    try:
        yield from _read(path, options, report, reading)
    except Unreadable as error:
        reading.fatal = error
    except OSError as error:
        reading.fatal = Unreadable(str(path), f"this file cannot be read: {error.strerror or error}")


def _read(path: pathlib.Path, options: Options, report: Callable[[int], None], reading: FileReading) -> Iterator[None]:
    """Takes in a row each time it is asked."""
    records = iter(_records(path, options, report, reading.notes))
    head, broken = _head(records)
    if not head:
        raise broken or Unreadable(str(path), "there are no rows in this file")
    reading.choice = _choose(head, options)
    builder = _Builder(reading, options)
    try:
        for record in itertools.chain(head, records):
            builder.add(record)
            yield
        if broken is not None:
            raise broken
    finally:
        builder.finish()


def _head(records: Iterator[Record]) -> tuple[list[Record], Unreadable | None]:
    """The first rows, and what ended the file among them."""
    head: list[Record] = []
    size = 0
    try:
        for record in records:
            head.append(record)
            size += record.size
            if len(head) == SAMPLE or size > SAMPLE_BYTES:
                break
    except Unreadable as error:
        return head, error
    return head, None


def _records(path: pathlib.Path, options: Options, report: Callable[[int], None], notes: list[str]) -> Iterator[Record]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1]
    mapped = tuple(options.map.values())
    with open(path, "rb") as file:
        magic = file.read(4)
    if not magic:
        raise Unreadable(str(path), "this file is empty", "give a file with at least one row")
    if magic == b"PAR1":
        return _tables.parquet_records(path)
    if magic == b"PK\x03\x04" and kind == ".xlsx":
        return _tables.xlsx_records(path, mapped, notes)
    if kind in (".parquet", ".xlsx"):
        fix = "unpack it first" if suffixes[-1] == ".gz" else "was it cut off, or renamed?"
        raise Unreadable(str(path), f"the name says {kind[1:]}, the content does not", fix)
    chunks = Chunks(path, report)
    if kind in (".csv", ".tsv", ".tab"):
        return _tables.csv_records(chunks, mapped, notes)
    if kind in (".txt", ".md"):
        return iter([_document(chunks)])
    if kind in (".jsonl", ".ndjson", ".json") or chunks.head.lstrip()[:1] in (b"{", b"["):
        return json_records(chunks, [key for shape in options.known.values() for key in shape.KEYS])
    raise Unreadable(str(path), "this is no kind of file that holds rows", f"known: {', '.join(_open.SUFFIXES)}")


def _document(chunks: Chunks) -> Record:
    """A text file as one row."""
    data = bytearray()
    for piece in chunks:
        data += piece
        if len(data) > _open.LONGEST_ROW:
            raise Unreadable(chunks.name, f"a text of more than {_open.LONGEST_ROW >> 20} MB", "cut it into files")
    try:
        return _tables.TableRecord(chunks.name, 1, {"text": data.decode()})
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        offset = chunks.skipped + error.start
        problem = _open.encoding_problem(chunks.name, line, column, offset, data[error.start])
        raise Unreadable(problem.where, problem.what, problem.fix) from None


def _choose(head: Sequence[Record], options: Options) -> Choice | None:
    """The shape of the first rows; None where not one of them can be decoded."""
    rows: list[Row] = []
    first = None
    for record in head:
        try:
            rows.append(record.row())
        except Malformed:
            continue
        first = first or record
    if first is None:
        return None
    if options.group is not None and all(_member(row, options.group) is _MISSING for row in rows):
        keys = dict.fromkeys(key for row in rows for key in row)
        raise ConfigError(f"the rows have no key {options.group!r} to group by", fix=did_you_mean(options.group, keys))
    try:
        choice = choose(rows, options.known, options.format, options.map)
        if options.group is not None:
            used = (options.group, options.group.split(".")[0])
            choice.unused = tuple(key for key in choice.unused if key not in used)
        elif any(_its_document(row) is not None for row in rows):
            choice.unused = tuple(key for key in choice.unused if key not in ("source", "group"))
            choice.reason += "; rows of one document stay on one side of a split"
        return choice
    except Malformed as error:
        problem = first.problem(error)
        raise Unreadable(problem.where, problem.what, problem.fix) from None


class _Builder:
    """Turns Records into Examples and keeps account of those that cannot be."""

    def __init__(self, reading: FileReading, options: Options) -> None:
        self.reading = reading
        self.options = options
        self.problems: list[tuple[int, Problem]] = []  # with the line, because some are found late
        self.others: dict[tuple[str, ...], str] = {}  # keys of rows -> the other shape they are of, empty for ours
        self.waiting: list[Record | None] = []  # rows without answer while no other has one; None for a large one

    def add(self, record: Record) -> None:
        """Takes in one row."""
        reading = self.reading
        reading.rows += 1
        try:
            row = record.row()
            choice = reading.choice
            if choice is None:
                choice = reading.choice = _choose([record], self.options)
            assert choice is not None  # the row has just been decoded
            keys = tuple(row)
            other = self.others.get(keys)
            if other or (other is None and self._is_other(row, keys, choice)):
                raise self._other(keys, record, choice)
            example = choice.format.example(choice.renamed(row), Source(reading.name, record.line))
            group = _its_document(row) if self.options.group is None else _group(row, self.options.group)
            if group is not None:
                example = msgspec.structs.replace(example, group=group)
            if example.kind == "prompt":
                self._unanswered(row, record, choice)
            elif not reading.answered:
                self._first_answer(choice)
        except Malformed as error:
            self.problems.append((record.line, record.problem(_theirs(error, reading.choice))))
            return
        reading.examples.append(example)

    def finish(self) -> None:
        """Hands over the problems in the order of the file."""
        self.reading.problems = [problem for _, problem in sorted(self.problems, key=lambda found: found[0])]

    # ------------------------------------------------------------------------------------- mixed shapes

    def _is_other(self, row: Row, keys: tuple[str, ...], choice: Choice) -> bool:
        """Whether a row with keys not met before is better explained by another shape than the file's."""
        other = ""
        if self.options.format is None:
            theirs = rename(row, self.options.map)
            name, used = best(theirs, self.options.known)
            ours = choice.recognise(row)
            # A row that lacks one key of the shape is a faulty row of it, though the rest may look like another.
            if name != choice.name and len(used) > len(ours) and (ours or not set(used) & set(choice.keys)):
                other = name
        if len(self.others) >= 10 * SAMPLE:  # rows with free keys: forget rather than grow
            self.others.clear()
        self.others[keys] = other
        return other != ""

    def _other(self, keys: tuple[str, ...], record: Record, choice: Choice) -> Malformed:
        name = self.others[keys]
        self.reading.mixed.setdefault(name, []).append(record.line)
        what = f"a row of the shape {name!r} in a file of {choice.name!r}"
        return Malformed(what, (), "give each shape a file of its own", "mixed")

    # ------------------------------------------------------------------------------- rows without answer

    def _unanswered(self, row: Row, record: Record, choice: Choice) -> None:
        """Raises Malformed where other rows have answers; else waits whether one comes."""
        if self.reading.answered:
            raise Malformed(_UNANSWERED, _end(choice.renamed(row)), _ANSWER_IT, "unanswered")
        if len(self.waiting) < SAMPLE:
            self.waiting.append(record if record.size * SAMPLE <= SAMPLE_BYTES else None)

    def _first_answer(self, choice: Choice) -> None:
        """All rows so far had no answer, and here is one: they become problems."""
        self.reading.answered = True
        for example, record in itertools.zip_longest(self.reading.examples, self.waiting):
            problem = Problem(str(example.source), _UNANSWERED, _ANSWER_IT, "unanswered")
            if record is not None:
                error = Malformed(_UNANSWERED, _end(choice.renamed(record.row())), _ANSWER_IT, "unanswered")
                problem = record.problem(_theirs(error, choice))
            self.problems.append((example.source.line, problem))
        self.waiting.clear()
        self.reading.examples.clear()


def _end(row: Row) -> Path:
    """Where the answer of a row is missing: its last turn, or its empty completion."""
    for key in ("messages", *sharegpt.TURNS):
        if isinstance(row.get(key), list):
            return (key, len(row[key]) - 1)
    return next(((key,) for key in completion.COMPLETIONS if key in row), ())


def _theirs(error: Malformed, choice: Choice | None) -> Malformed:
    """The same error with the keys that stand in the file, where `--map` renamed them."""
    if error.at and choice is not None and isinstance(error.at[0], str):
        error.at = (choice.map.get(error.at[0], error.at[0]), *error.at[1:])
    return error


_MISSING = object()


def _member(row: Row, key: str) -> Any:
    """The value of a key, or of a key within (`meta.customer`); _MISSING where there is none."""
    if key in row:
        return row[key]
    value: Any = row
    for step in key.split("."):
        if not isinstance(value, dict) or step not in value:
            return _MISSING
        value = value[step]
    return value


def _its_document(row: Row) -> str | None:
    """The document that a row was made from, where it names one as `tailor documents` does; None elsewhere."""
    source = row.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("file"), str):
        return None
    group = row.get("group")
    return group if isinstance(group, str) else str(source["file"])


def _group(row: Row, key: str) -> str | None:
    """What the row shares with others; None where it says null. Raises Malformed where the key is missing."""
    value = _member(row, key)
    if value is None or isinstance(value, str):
        return value
    if value is _MISSING:
        raise Malformed(f"this row has no {key!r} to group by", (), "null says that it shares nothing")
    if isinstance(value, dict | list):
        raise Malformed(f"{key} is {describe(value)}, no group", tuple(key.split(".")), "a group is a word or a number")
    return json.dumps(value)
