"""Summary -> body: a document is written out from its own summary, abstract or overview."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tailor.documents.base import Document
from tailor.documents.recipes.base import Given, Made

UNUSED = "the document has no summary, or nothing beside it"
_SUMMARY = re.compile(
    r"\W*(?:\d+(?:\.\d+)*[.)]?\s*)?(?:executive |management )?"
    r"(?:summary|abstract|overview|synopsis|key points|tl;?dr)\W*",
    re.IGNORECASE,
)


def rows(document: Document, given: Given) -> Iterator[Made]:
    """One row: the first summary, up to the next title of its level, and all the rest."""
    blocks = document.blocks
    found = next(
        (i for i, block in enumerate(blocks) if block.kind == "heading" and _SUMMARY.fullmatch(block.text)), -1
    )
    if found < 0:
        return
    end = found + 1
    while end < len(blocks) and not (blocks[end].kind == "heading" and blocks[end].level <= blocks[found].level):
        end += 1
    summary = [block.text for block in blocks[found + 1 : end]]
    before = [block.text for block in blocks[:found] if block.text != document.title]
    body = before + [block.text for block in blocks[end:]]
    if summary and body:
        prompt = f"Document: {document.title}\nSummary: " + "\n\n".join(summary)
        yield Made({"prompt": prompt, "completion": "\n\n".join(body)}, tuple(range(len(blocks))))
