"""What a document is once it is read, and what its readers share.

A reader is a module of `tailor.documents.readers` (or an object behind an entry point of the group
`tailor.documents.readers`) with the members of `Reader`; a recipe makes rows of a Document, as `recipes/base.py` says.
"""

from __future__ import annotations

import importlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Literal, Protocol

from tailor.errors import Problem, ResourceError

LARGEST = 1 << 30  # bytes that an archive may unpack to
BOMB_RATIO = 200  # text packs 3- to 20-fold
BOMB_FLOOR = 64 << 20
LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00ad": None, "\u00a0": " "}
)
"""One letter a glyph, no hyphens that only mark where a word may be broken, no spaces that hold words together."""

_LABEL = re.compile(r"(exhibit|schedule|annex|appendix|attachment)\b|\W*\d|\[", re.IGNORECASE)

BlockKind = Literal["heading", "paragraph", "list", "table", "code", "note"]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document in reading order. `page` counts from 1 (slide, sheet), None where there are none.

    `level` is that of a heading, 1 the highest. A table is written as Markdown writes it, its names in the first line.
    """

    kind: BlockKind
    text: str
    page: int | None = None
    level: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A piece that is no part of the text: what it is (`page header or footer`), where, and its words."""

    reason: str
    page: int | None
    text: str


@dataclass(slots=True)
class Document:
    """What a file says: `name` is its path below the folder that was given."""

    name: str
    blocks: list[Block]
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    group: str = ""
    """What its rows share with those of files of the same text: the name of the first of them."""

    @property
    def title(self) -> str:
        """Its first heading that names no exhibit or number, else the name of the file without its ending."""
        headings = (block.text for block in self.blocks if block.kind == "heading")
        return next((text for text in headings if not _LABEL.match(text)), Path(self.name).stem)

    @property
    def text(self) -> str:
        """All of it, a blank line between two blocks."""
        return "\n\n".join(block.text for block in self.blocks)


class Reader(Protocol):
    """One format of documents."""

    SUFFIXES: tuple[str, ...]
    """Ends of the names of its files, in small letters."""

    def read(self, path: Path) -> Document:
        """The document; its name is set by who asked. Raises Unreadable, and ResourceError for a package not there."""
        ...


class Unreadable(Exception):
    """A file that cannot be read; carries the Problem to report."""

    def __init__(self, path: Path, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.problem = Problem(str(path), what, fix, "unreadable")


def need(module: str, extra: str = "documents") -> ModuleType:
    """An optional package. Raises ResourceError that names the extra where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise ResourceError(
            f"this needs {module}, which is not installed", fix=f"pip install 'tailor[{extra}]'"
        ) from None


def refuse_archive(path: Path, what: str) -> None:
    """Raises Unreadable for what is no sound zip archive of a reasonable size, as Office files are."""
    with open(path, "rb") as file:
        magic = file.read(8)
    if magic.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable(path, f"encrypted, or of an Office before 2007: no {what}", f"save it as {what}, no password")
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = [member.file_size for member in archive.infolist()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise Unreadable(path, f"damaged, or no {what}: {error}", "fetch or save it again") from None
    unpacked = sum(sizes)
    if unpacked > LARGEST or (unpacked > BOMB_FLOOR and unpacked > BOMB_RATIO * path.stat().st_size):
        raise Unreadable(path, f"unpacks to {unpacked >> 20:,} MB: it looks like a bomb", "unpack it if you trust it")


def table(rows: Iterator[list[str]] | list[list[str]]) -> str:
    """Rows of cells as a Markdown table; empty where no cell holds anything."""
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if not cells:
        return ""
    width = max(map(len, cells))
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])
