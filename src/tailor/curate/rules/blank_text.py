"""A turn that holds nothing but white space.

An empty answer teaches the model to say nothing, and an empty question teaches it to answer without being asked. A turn
that calls a tool needs no text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit, Severity
from tailor.records import Message, Text, ToolCall

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "F009"
SEVERITY = "block"
COST = "the model learns to answer with nothing"
FIX = "write the text, or take the row out"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row, for its first blank turn."""
    for message in row.turns:
        if _blank(message):
            severity: Severity | None = None if message.role == "assistant" else "warn"
            yield Hit(message=f"the {message.role} turn is empty", evidence=row.excerpt(), severity=severity)
            return
    if row.example.kind == "text" and not row.example.text.strip():
        yield Hit(message="the text is empty")


def _blank(message: Message) -> bool:
    for part in message.parts:
        if type(part) is Text:
            if part.text and not part.text.isspace():
                return False
        elif type(part) is ToolCall or message.role != "assistant":
            return False
    return True
