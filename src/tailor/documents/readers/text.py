"""Plain text: paragraphs by blank lines or short lines, titles by their look, pages by form feeds."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from tailor.documents._lines import blocks
from tailor.documents.base import Block, Document, Unreadable

SUFFIXES = (".txt", ".text")
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read(path: Path) -> Document:
    """Raises Unreadable for a file in no known encoding, or without words."""
    pages = decoded(path).split("\f")
    found, left_out = blocks(pages)
    if not found:
        raise Unreadable(path, "no text in it")
    if len(pages) == 1:
        found = [Block(block.kind, block.text, None, block.level) for block in found]
    return Document(str(path), found, left_out)


def decoded(path: Path) -> str:
    """The text of a file: UTF-8, or UTF-16 with its mark; Windows-1252 is not guessed. Raises Unreadable."""
    data = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fix = f"convert it: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > {path.name}.utf8"
        raise Unreadable(path, f"not UTF-8 at line {line:,}", fix) from None
    if _BINARY.search(text):
        raise Unreadable(path, "control characters in it: this is no text", "is its name wrong?")
    return text.replace("\r\n", "\n").replace("\r", "\n")
