"""A system turn that is not the first.

Most templates know a system prompt at the beginning only: some raise, some print it where it stands, some drop it. What
is trained on then differs from what is served.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "R105"
SEVERITY = "warn"
COST = "templates refuse, move or drop it, each in its own way"
FIX = "put it first, or make it part of the user's turn"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    for index, message in enumerate(row.example.messages):
        if index and message.role == "system":
            before = row.example.messages[index - 1].role
            yield Hit(message=f"a system turn after a {before} turn", evidence=message.text[:80], at=message.text)
            return
