"""PDF through pypdf: pages of text in the order in which the file draws them; its bookmarks are titles."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tailor.documents._lines import blocks
from tailor.documents.base import Document, Unreadable, need

SUFFIXES = (".pdf",)
_WORDLESS = 20  # letters: a scanned page may hold a stamp or a page number as text


def read(path: Path) -> Document:
    """Raises Unreadable for a file that is encrypted, damaged, or holds pictures of pages alone."""
    pypdf = need("pypdf")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it mends what it can and reports every stitch
    data = io.BytesIO(path.read_bytes())
    try:
        reader = pypdf.PdfReader(data)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable(path, "this PDF is encrypted", "save it without its password: qpdf --decrypt IN OUT")
        pages = [page.extract_text() or "" for page in reader.pages]
        titles = dict(_bookmarks(reader, reader.outline))
    except Unreadable:
        raise
    except pypdf.errors.DependencyError:
        fix = "save it without its password, or pip install 'pypdf[crypto]'"
        raise Unreadable(path, "this PDF is encrypted with AES", fix) from None
    except (Exception, RecursionError) as error:  # pypdf lets what it stumbles over pass as it is
        fix = "open it in a viewer and save it again"
        raise Unreadable(path, f"damaged, or no PDF: {type(error).__name__} {error}".rstrip(), fix) from None
    without = [number for number, text in enumerate(pages, 1) if sum(map(str.isalnum, text)) < _WORDLESS]
    if not pages or len(without) == len(pages):
        count = f"{len(pages)} page" + ("s" if len(pages) != 1 else "")
        raise Unreadable(path, f"no text on its {count}: it is a scan", "recognise it first: ocrmypdf IN OUT")
    found, left_out = blocks([text.encode("utf-8", "replace").decode() for text in pages], titles)
    notes = []
    if without:
        shown = ", ".join(map(str, without[:10])) + (", …" if len(without) > 10 else "")
        notes.append(f"{len(without)} of {len(pages)} pages hold no text (blank, or scanned): {shown}")
    return Document(str(path), found, left_out, notes)


def _bookmarks(reader: Any, outline: Any, level: int = 1) -> Iterator[tuple[tuple[int, str], int]]:
    """Page and words, in small letters, of each bookmark, and its level."""
    for entry in outline:
        if isinstance(entry, list):
            yield from _bookmarks(reader, entry, level + 1)
        elif entry.title:
            page = reader.get_destination_page_number(entry)
            if page is not None and page >= 0:
                yield (page + 1, " ".join(str(entry.title).lower().split())), level
