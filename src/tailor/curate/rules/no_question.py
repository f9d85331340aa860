"""A conversation in which the user says nothing.

The answer follows the system prompt or nothing at all. Templates that demand a user turn raise, and the model learns to
speak unasked. Text to go on from belongs into rows of the shape `text`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "R106"
SEVERITY = "warn"
COST = "templates refuse the row, or the model learns to speak unasked"
FIX = "add the user's turn, or give the row as text"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    messages = row.example.messages
    if messages and not any(message.role == "user" for message in messages):
        yield Hit(message="no user turn", evidence=row.excerpt())
