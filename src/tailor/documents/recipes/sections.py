"""Section title -> section: how the house writes what stands under a title. Slides and sheets are sections too."""

from __future__ import annotations

from collections.abc import Iterator

from tailor.documents.base import Document
from tailor.documents.recipes.base import Given, Made, passages

UNUSED = "stands before the first title, or is a title over nothing"


def rows(document: Document, given: Given) -> Iterator[Made]:
    """A row a title with text under it; the prompt names the document, the titles above, and the part of a long one."""
    blocks = document.blocks
    above: list[tuple[int, str]] = []  # level and words of the titles that the section stands under
    starts = [index for index, block in enumerate(blocks) if block.kind == "heading"]
    for start, end in zip(starts, [*starts[1:], len(blocks)]):
        heading = blocks[start]
        above = [held for held in above if held[0] < heading.level]
        above.append((heading.level, heading.text))
        parts = list(passages(blocks[start + 1 : end], given, length=0))
        path = " > ".join(text for _, text in above if text != document.title) or heading.text
        for number, part in enumerate(parts, 1):
            name = f"{path} (part {number} of {len(parts)})" if len(parts) > 1 else path
            used = (start, *(start + 1 + index for index in part.blocks))
            yield Made({"prompt": f"Document: {document.title}\nSection: {name}", "completion": part.text}, used)
