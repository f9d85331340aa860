"""Text for continued pretraining: the document in passages, nothing added.

Source: continued pretraining on in-domain text, Gururangan 2020 (Don't Stop Pretraining).
"""

from __future__ import annotations

from collections.abc import Iterator

from tailor.documents.base import Document
from tailor.documents.recipes.base import Given, Made, passages

UNUSED = "stands in no passage"


def rows(document: Document, given: Given) -> Iterator[Made]:
    """One `text` a passage."""
    for passage in passages(document.blocks, given):
        yield Made({"text": passage.text}, passage.blocks)
