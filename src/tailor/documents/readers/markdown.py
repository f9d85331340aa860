"""Markdown: headings of both kinds, lists, tables, code and paragraphs; front matter is left out."""

from __future__ import annotations

import re
from pathlib import Path

from tailor.documents.base import LIGATURES, Block, Document, LeftOut, Unreadable
from tailor.documents.readers.text import decoded

SUFFIXES = (".md", ".markdown")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")


def read(path: Path) -> Document:
    """Raises Unreadable for a file in no known encoding, or without words."""
    blocks, left_out = parsed(decoded(path))
    if not blocks:
        raise Unreadable(path, "no text in it")
    return Document(str(path), blocks, left_out)


def parsed(text: str) -> tuple[list[Block], list[LeftOut]]:
    """The blocks of a Markdown text."""
    lines, left_out = _front_matter(text.translate(LIGATURES).splitlines())
    blocks: list[Block] = []
    held: list[str] = []

    def end_paragraph() -> None:
        if held:
            blocks.append(_block(held))
            held.clear()

    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        fence = _FENCE.match(line)
        heading = _ATX.fullmatch(line)
        underline = _SETEXT.fullmatch(line)
        if fence:
            end_paragraph()
            start = number
            while number < len(lines) and not lines[number].strip().startswith(fence[1]):
                number += 1
            body = "\n".join(lines[start:number])
            number += 1
            if body.strip():
                blocks.append(Block("code", body))
        elif heading:
            end_paragraph()
            if heading[2]:
                blocks.append(Block("heading", heading[2], None, len(heading[1])))
        elif underline and len(held) == 1 and not held[0].startswith("|"):
            blocks.append(Block("heading", held.pop().strip(), None, 1 if underline[1][0] == "=" else 2))
        elif not line.strip():
            end_paragraph()
        else:
            if held and bool(_ITEM.match(line)) > bool(_ITEM.match(held[0])):
                end_paragraph()
            held.append(line)
    end_paragraph()
    return blocks, left_out


def _front_matter(lines: list[str]) -> tuple[list[str], list[LeftOut]]:
    if lines[:1] != ["---"] or "---" not in lines[1:]:
        return lines, []
    end = lines.index("---", 1)
    return lines[end + 1 :], [LeftOut("front matter", None, "\n".join(lines[1:end]))]


def _block(lines: list[str]) -> Block:
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    if all(line.lstrip().startswith("|") for line in lines):
        return Block("table", text)
    return Block("list" if _ITEM.match(lines[0]) else "paragraph", text.strip())
