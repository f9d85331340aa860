"""A folder of documents -> rows. One file of `readers` is one format, one of `recipes` one way to make rows.

The way of a document: a reader gives its blocks (headings, paragraphs, tables) in reading order with their pages, and
what is no text of it (page headers, menus); a recipe makes rows of the blocks; `write` adds to each row where it comes
from and keeps account: every block stands in a row or in the Ledger, and so does every answer that was proposed.

A row names its document under `source`, and under `group` what it shares with others: a document, or several of the
same text. `tailor split`, `check` and `fit` keep a group on one side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tailor import plugins
from tailor.documents.base import Block, Document, LeftOut, Reader, Unreadable
from tailor.documents.recipes.base import Given, Made
from tailor.errors import ConfigError, Problem
from tailor.records import Ledger, Progress, quiet

__all__ = ["Account", "Library", "examples", "extract", "read", "write"]


@dataclass(slots=True)
class Library:
    """What a folder held: documents, files that cannot be read, and files of other kinds, which were not opened."""

    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Account:
    """What became of everything. `text` counts blocks (and what was taken off), `answers` what people or a writer
    proposed; in both `train` is what stands in rows. `duplicates` are (document, an earlier one of the same text)."""

    rows: int = 0
    groups: int = 0
    text: Ledger = field(default_factory=Ledger)
    answers: Ledger = field(default_factory=Ledger)
    duplicates: list[tuple[str, str]] = field(default_factory=list)


@cache
def suffixes() -> dict[str, str]:
    """End of a file's name -> the reader of such files."""
    return {end: name for name in plugins.names("documents.readers") for end in _reader(name).SUFFIXES}


def _reader(name: str) -> Reader:
    found: Reader = plugins.load("documents.readers", name)
    return found


def extract(path: Path, *, reader: str | None = None) -> Document | Problem:
    """One file as a Document, or the Problem of it. Raises ResourceError for a package that is not installed."""
    name = reader or suffixes().get(path.suffix.lower())
    if name is None:
        return Problem(str(path), "no kind of document that is known", f"known: {', '.join(sorted(suffixes()))}")
    try:
        return _reader(name).read(path)
    except Unreadable as error:
        return error.problem
    except OSError as error:
        return Problem(str(path), f"this file cannot be read: {error.strerror or error}", kind="unreadable")


def read(paths: Sequence[str], *, reader: str | None = None, progress: Progress = quiet) -> Library:
    """Every document of folders (searched to their depth) and files, in the order of their names.

    `reader` reads the files of all formats but Markdown and text. Raises ConfigError for a path that is not there or a
    reader that does not exist, ResourceError for a package that is not installed. A file that cannot be read is a
    Problem of the Library.
    """
    if reader is not None:
        _reader(reader)
    library = Library()
    found = list(_files(paths, library))
    seen: dict[bytes, str] = {}
    for number, (path, name) in enumerate(found):
        progress("reading", number, len(found))
        plain = suffixes()[path.suffix.lower()] in ("markdown", "text")
        document = extract(path, reader=None if plain else reader)
        if isinstance(document, Problem):
            library.problems.append(document)
            continue
        document.name = name
        digest = hashlib.blake2b(" ".join(document.text.split()).encode("utf-8", "replace")).digest()
        document.group = seen.setdefault(digest, name)
        library.documents.append(document)
    progress("reading", len(found), len(found))
    return library


def _files(paths: Sequence[str], library: Library) -> Iterator[tuple[Path, str]]:
    """(file, the name its rows carry); files of other kinds are noted, lock files of Office (`~$a.docx`) among them."""
    missing = [path for path in paths if not Path(path).exists()]
    if missing or not paths:
        raise ConfigError(f"not found: {', '.join(missing) or 'no folder is named'}", fix="tailor documents FOLDER")
    for given in map(Path, paths):
        inside = sorted(path for path in given.rglob("*") if path.is_file()) if given.is_dir() else [given]
        for path in inside:
            name = path.relative_to(given).as_posix() if given.is_dir() else path.name
            if path.suffix.lower() in suffixes() and not path.name.startswith(("~$", ".")):
                yield path, name
            else:
                library.others.append(name)


def examples(document: Document, *, recipe: str, given: Given | None = None) -> Iterator[dict[str, Any]]:
    """The rows that a recipe makes of a document, each with its `source` and `group`."""
    for made in plugins.load("documents.recipes", recipe).rows(document, given or Given()):
        if isinstance(made, Made):
            yield _row(document, made)


def write(
    library: Library, recipe: str, given: Given, put: Callable[[dict[str, Any]], None], progress: Progress = quiet
) -> Account:
    """Makes the rows of every document and hands each to `put`; returns what became of everything.

    Raises ConfigError for a recipe that does not exist or lacks something, DataError where the account does not add up.
    """
    chosen = plugins.load("documents.recipes", recipe)
    account = Account()
    for number, document in enumerate(library.documents):
        progress("writing", number, len(library.documents))
        if document.group != document.name:
            account.duplicates.append((document.name, document.group))
        used: set[int] = set()
        for made in chosen.rows(document, given):
            account.answers.rows_in += 1
            if isinstance(made, LeftOut):
                account.answers.drop(made.reason, [_place(document, made.page, made.text)])
                continue
            account.answers.train += 1
            used.update(made.blocks)
            put(_row(document, made))
        _count(account.text, document, used, chosen.UNUSED)
    account.rows = account.answers.train
    account.groups = len({document.group for document in library.documents})
    account.text.check()
    account.answers.check()
    progress("writing", len(library.documents), len(library.documents))
    return account


def _count(ledger: Ledger, document: Document, used: set[int], unused: str) -> None:
    """Enters the blocks of a document, and what its reader took off."""
    ledger.rows_in += len(document.blocks) + len(document.left_out)
    ledger.train += len(used)
    for piece in document.left_out:
        ledger.drop(piece.reason, [_place(document, piece.page, piece.text)])
    rest: list[Block] = [block for index, block in enumerate(document.blocks) if index not in used]
    ledger.drop(unused, [_place(document, block.page, block.text) for block in rest])


def _place(document: Document, page: int | None, text: str) -> str:
    shown = " ".join(text.split())
    shown = shown if len(shown) <= 80 else f"{shown[:79]}…"
    return f"{document.name}{f', page {page}' if page else ''}: {shown}"


def _row(document: Document, made: Made) -> dict[str, Any]:
    """The row as it is written: `source` says file and page, and the last page where there are several."""
    pages = [page for index in made.at or made.blocks if (page := document.blocks[index].page) is not None]
    source: dict[str, Any] = {"file": document.name}
    if pages:
        source["page"] = min(pages)
        if max(pages) > min(pages):
            source["last_page"] = max(pages)
    return {**made.values, "source": source, "group": document.group or document.name}
