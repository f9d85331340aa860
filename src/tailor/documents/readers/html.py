"""HTML through the standard library: headings, paragraphs, lists, tables and code, without menus and scripts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from tailor.documents.base import LIGATURES, Block, Document, LeftOut, Unreadable, table
from tailor.documents.readers.text import decoded

SUFFIXES = (".html", ".htm", ".xhtml")
_NO_TEXT = {"script", "style", "noscript", "template", "svg", "head", "iframe", "object", "select", "button", "form"}
_FURNITURE = {"nav", "footer", "aside"}  # `header` often holds the title of an article
_VOID = {"br", "hr", "img", "input", "link", "meta", "wbr", "area", "base", "col", "embed", "source", "track"}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BREAKS = {"p", "div", "section", "article", "header", "main", "ul", "ol", "dl", "dt", "dd", "blockquote", "figure",
           "figcaption", "address", "tr", "body", "html", "hr", "details", "summary", "fieldset"}  # fmt: skip


def read(path: Path) -> Document:
    """Raises Unreadable for a file in no known encoding, or without words."""
    text = decoded(path)
    parser = _Parser()
    parser.feed(text)
    parser.close()
    parser.flush()
    if not parser.blocks:
        raise Unreadable(path, "no text in it", "is the page filled by a script? save it from a browser")
    return Document(str(path), parser.blocks, parser.left_out)


class _Parser(HTMLParser):
    """Gathers blocks; what browsers forgive (tags never closed) is forgiven."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.left_out: list[LeftOut] = []
        self.words: list[str] = []
        self.skipping: list[str] = []  # open elements within the one that is left out
        self.furniture: list[str] = []
        self.heading = 0
        self.item = False
        self.code = 0
        self.rows: list[list[str]] = []
        self.tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opens an element."""
        if self.skipping or tag in _NO_TEXT or tag in _FURNITURE:
            if tag not in _VOID:
                if not self.skipping:
                    self.flush()
                self.skipping.append(tag)
            return
        if tag in ("td", "th"):
            self._cell()
            if not self.rows:
                self.rows.append([])
        elif tag == "tr" and self.tables:
            self._cell()
            self.rows.append([])
        elif tag == "table":
            if not self.tables:
                self.flush()
            self.tables += 1
        elif tag == "br":
            self.words.append("\n")
        elif self.tables:
            self.words.append(" ")
        elif tag in _HEADINGS or tag == "li" or tag in _BREAKS or tag == "pre":
            self.flush()
            self.heading = _HEADINGS.get(tag, 0)
            self.item = tag == "li" or (self.item and tag in ("p", "div"))
            self.code += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        """Closes an element."""
        if self.skipping:
            if tag in self.skipping:
                del self.skipping[len(self.skipping) - 1 - self.skipping[::-1].index(tag) :]
                if not self.skipping:
                    self._end_of_furniture()
        elif tag == "table" and self.tables:
            self._cell()
            self.tables -= 1
            if not self.tables:
                self._table()
        elif tag in ("td", "th"):
            self._cell()
        elif not self.tables and (tag in _HEADINGS or tag == "li" or tag in _BREAKS or tag == "pre"):
            self.flush()
            self.heading, self.item = 0, False
            self.code = max(0, self.code - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        """Takes in words."""
        if not self.skipping:
            self.words.append(data)
        elif self.skipping[0] in _FURNITURE and not _NO_TEXT & set(self.skipping):
            self.furniture.append(data)

    def flush(self) -> None:
        """Ends the block at hand."""
        if self.tables:
            self._cell()
            self._table()
            self.tables = 0
        raw = "".join(self.words).translate(LIGATURES)
        self.words = []
        if self.code:
            text = raw.strip("\n")
        else:
            text = "\n".join(" ".join(line.split()) for line in re.sub(r"[ \t\r\n]*\n[ \t]*\n", "\n", raw).split("\n"))
            text = text.strip()
        if not text.strip():
            return
        if self.heading:
            self.blocks.append(Block("heading", " ".join(text.split()), None, self.heading))
        elif self.code:
            self.blocks.append(Block("code", text))
        elif self.item:
            self.blocks.append(Block("list", f"- {text}"))
        else:
            self.blocks.append(Block("paragraph", text))

    def _cell(self) -> None:
        text = " ".join("".join(self.words).translate(LIGATURES).split())
        self.words = []
        if text and not self.rows:
            self.rows.append([])
        if text:
            self.rows[-1].append(text)

    def _table(self) -> None:
        text = table(self.rows)
        self.rows = []
        if text:
            self.blocks.append(Block("table", text))

    def _end_of_furniture(self) -> None:
        text = " ".join("".join(self.furniture).split())
        self.furniture = []
        if text:
            self.left_out.append(LeftOut("menu, footer or aside of a page", None, text))
