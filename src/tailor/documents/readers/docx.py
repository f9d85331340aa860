"""Word through python-docx: paragraphs, lists and tables in the order of the body.

The body is walked in XML, because python-docx leaves out what stands in content controls and in accepted insertions.
Deleted text, comments, headers and footers are no part of it. Pages are those that Word drew when it saved last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tailor.documents.base import LIGATURES, Block, Document, Unreadable, need, refuse_archive, table

SUFFIXES = (".docx",)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_SKIP = {f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}delText", _FALLBACK}
_BREAKS = (f"{_W}lastRenderedPageBreak",)
_HEADING = re.compile(r"heading\s*(\d)", re.IGNORECASE)


def read(path: Path) -> Document:
    """Raises Unreadable for a file that is encrypted or damaged."""
    docx = need("docx")
    refuse_archive(path, "Word document (.docx)")
    try:
        with open(path, "rb") as file:
            opened = docx.Document(file)
        levels = {style.style_id: level for style in opened.styles if (level := _level(style)) is not None}
        found = list(_Walk(levels).blocks(opened.element.body))
    except Exception as error:  # the XML of a stranger: whatever it breaks is the same fault
        raise Unreadable(
            path, f"damaged: {type(error).__name__} {error}", "open it in Word and save it again"
        ) from None
    if not any(block.text.strip() for block in found):
        raise Unreadable(path, "no text in it", "does it hold pictures alone?")
    if all(block.page == 1 for block in found):  # never laid out, or one page
        found = [Block(block.kind, block.text, None, block.level) for block in found]
    return Document(str(path), found)


def _level(style: Any) -> int | None:
    """The level of a heading style, 1 the highest; None for other styles."""
    name = style.name or ""
    if name == "Title":
        return 1
    match = _HEADING.fullmatch(name)
    return int(match[1]) if match else None


class _Walk:
    """The blocks of a body, with the page each begins on."""

    def __init__(self, levels: dict[str, int]) -> None:
        self.levels = levels
        self.page = 1

    def blocks(self, parent: Any) -> Iterator[Block]:
        """Of everything within `parent`, content controls opened."""
        for element in parent:
            if element.tag == f"{_W}p":
                yield from self._paragraph(element)
            elif element.tag == f"{_W}tbl":
                page = self.page
                text = table([[self._text(cell) for cell in row.iter(f"{_W}tc")] for row in element.iter(f"{_W}tr")])
                if text:
                    yield Block("table", text, page)
            elif element.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}moveTo", f"{_W}customXml"):
                yield from self.blocks(element)

    def _paragraph(self, element: Any) -> Iterator[Block]:
        page = self.page
        text = self._text(element).strip()
        if not text:
            return
        style = element.find(f"{_W}pPr/{_W}pStyle")
        outline = element.find(f"{_W}pPr/{_W}outlineLvl")
        level = self.levels.get(style.get(f"{_W}val", "")) if style is not None else None
        if level is None and outline is not None and outline.get(f"{_W}val", "").isdecimal():
            level = int(outline.get(f"{_W}val")) + 1
        if level is not None and level <= 9:
            yield Block("heading", " ".join(text.split()), page, level)
        elif element.find(f"{_W}pPr/{_W}numPr") is not None:
            yield Block("list", f"- {text}", page)
        else:
            yield Block("paragraph", text, page)

    def _text(self, element: Any) -> str:
        """The words of an element; counts the pages it runs over."""
        pieces: list[str] = []
        todo = [element]
        while todo:
            node = todo.pop()
            if node.tag in _SKIP:
                continue
            if node.tag == f"{_W}t":
                pieces.append(node.text or "")
            elif node.tag == f"{_W}tab":
                pieces.append("\t" if node.getparent().tag == f"{_W}r" else "")
            elif node.tag in (f"{_W}br", f"{_W}cr"):
                pieces.append("\n")
            elif node.tag in _BREAKS:
                self.page += 1
            elif node.tag == f"{_W}p" and pieces:
                pieces.append("\n")
            todo += reversed(list(node))
        return "".join(pieces).translate(LIGATURES)
