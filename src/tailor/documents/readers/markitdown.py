"""PDF, Word, PowerPoint, Excel and HTML through markitdown, on request: better tables in PDF, but no pages."""

from __future__ import annotations

import re
from pathlib import Path

from tailor.documents.base import Document, Unreadable, need
from tailor.documents.readers.markdown import parsed

SUFFIXES = ()  # chosen by name (`--reader markitdown`), never by the file's

_SLIDE = re.compile(r"<!-- Slide number: \d+ -->")


def read(path: Path) -> Document:
    """Raises Unreadable for what markitdown cannot convert."""
    markitdown = need("markitdown", "markitdown")
    try:
        text = markitdown.MarkItDown().convert_local(path).text_content
    except OSError:
        raise
    except Exception as error:  # a dozen converters, each with errors of its own
        reason = str(error).partition("\n")[0]
        raise Unreadable(path, f"markitdown cannot read it: {reason}", "try it without --reader markitdown") from None
    blocks, left_out = parsed(_SLIDE.sub("", text))
    if not blocks:
        raise Unreadable(path, "no text in it", "is it a scan? recognise it first: ocrmypdf IN OUT")
    return Document(str(path), blocks, left_out)
