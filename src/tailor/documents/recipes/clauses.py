"""Clause type -> clause: what people marked in a table, found again in the passage where it stands.

A row asks for one type of clause in one passage; the answer is JSON: `{"clause", "spans", "answer"}`. A type that the
document lacks makes one row, on a passage drawn by a hash, whose `spans` are empty: a model that has seen clauses alone
finds one everywhere. Spans are written as the passage has them, so that each can be checked word for word.

Source: CUAD, Hendrycks 2021 (41 types of clauses in commercial contracts).
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from tailor.documents.base import Document, LeftOut
from tailor.documents.recipes.base import (
    PASSAGE_TOKENS,
    Given,
    Made,
    Passage,
    Words,
    blocks_at,
    joined,
    passages,
    required,
)
from tailor.errors import ConfigError, DataError

UNUSED = "no clause was asked for in it"
NOT_FOUND = "the clause does not stand in the text"
_NAMES = ("file", "filename", "file name", "document", "path")
_OMITTED = "<omitted>"  # CUAD's mark of words that a span leaves out

Clauses = Mapping[str, tuple[Sequence[str], str]]


def table(path: Path) -> dict[str, Clauses]:
    """A CSV as document -> clause type -> (spans, answer).

    The column `file` names the document, with or without its ending; any other column is a clause type whose cells hold
    a text or a list of texts (`["a", "b"]`); a column called `TYPE-Answer` holds the short answer. Raises DataError for
    a table without documents or with a cell that is no list, ConfigError for no such file.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
    except OSError as error:
        raise ConfigError(f"--clauses {path}: {error.strerror}", fix="name a CSV with a column `file`") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"this table cannot be read: {error}", where=str(path), fix="save it as CSV in UTF-8") from None
    columns = list(lines[0]) if lines else []
    named = next((column for column in columns if column and column.strip().lower() in _NAMES), None)
    if named is None:
        raise DataError("no column says which document a row is about", where=str(path), fix="call it `file`")
    answers = {_type(column): column for column in columns if column and _type(column) != column}
    types = [column for column in columns if column and column != named and column not in answers.values()]
    found: dict[str, Clauses] = {}
    for number, line in enumerate(lines, 2):
        where = f"{path}, row {number}"
        found[line[named] or ""] = {
            name: (_spans(line[name] or "", f"{where}, column {name!r}"), line.get(answers.get(name, ""), "") or "")
            for name in types
        }
    return found


def _type(column: str) -> str:
    """`Governing Law` of `Governing Law-Answer` and `Governing Law- Answer`; other names as they are."""
    name, dash, rest = column.rpartition("-")
    return name.strip() if dash and rest.strip().lower() == "answer" else column


def _spans(cell: str, where: str) -> tuple[str, ...]:
    if not cell.startswith("["):
        return (cell,) if cell.strip() else ()
    try:
        value = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise DataError("this cell begins as a list and is none", where=where, fix='["first", "second"]') from None
    return tuple(str(item) for item in value if str(item).strip())


def rows(document: Document, given: Given) -> Iterator[Made | LeftOut]:
    """The rows of each clause type of the table."""
    tables = required(given.clauses, "the recipe `clauses` needs the clauses that people marked", "--clauses TABLE.csv")
    clauses = tables.get(document.name) or tables.get(Path(document.name).stem) or tables.get(Path(document.name).name)
    if clauses is None:
        yield LeftOut("the table has no row for this document", None, document.name)
        return
    windows = list(passages(document.blocks, given, length=PASSAGE_TOKENS))
    words = Words(joined(windows).text)
    for name, (spans, answer) in clauses.items():
        held: dict[tuple[int, int], list[str]] = {}  # first and last window -> what stands there
        for part in (part for span in spans for part in span.split(_OMITTED) if part.strip()):
            place = words.find(part)
            if place is None:
                yield LeftOut(NOT_FOUND, None, f"{name}: {part}")
            else:
                held.setdefault(_across(windows, place), []).append(words.text[slice(*place)])
        for (first, last), quoted in sorted(held.items()):
            yield _made(name, joined(windows[first : last + 1]), quoted, answer or None)
        if not spans:
            drawn = hashlib.blake2b(f"{document.name}\0{name}".encode(), digest_size=8).digest()
            yield _made(name, windows[int.from_bytes(drawn, "big") % len(windows)], [], None)


def _across(windows: Sequence[Passage], place: tuple[int, int]) -> tuple[int, int]:
    """The first and the last window that the characters `place` of all of them touch."""
    starts = list(accumulate((len(window.text) + 2 for window in windows), initial=0))
    return bisect_right(starts, place[0]) - 1, bisect_right(starts, place[1] - 1) - 1


def _made(name: str, window: Passage, spans: Sequence[str], answer: str | None) -> Made:
    prompt = f"Which words of the passage are the clause {name!r}?\n\nPassage: {window.text}"
    spans = sorted(dict.fromkeys(spans), key=window.text.index)
    completion = json.dumps({"clause": name, "spans": spans, "answer": answer}, ensure_ascii=False)
    at = {index for span in spans for index in blocks_at(window, span)}
    return Made({"prompt": prompt, "completion": completion}, window.blocks, tuple(sorted(at)))
