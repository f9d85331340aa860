"""A row in which no turn is trained on.

Every assistant turn has the weight 0, or there is none. The row costs time and memory in every epoch and changes
nothing; where many rows are so, a step may have nothing to learn from at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "M101"
SEVERITY = "block"
COST = "the row costs time in every epoch and teaches nothing"
FIX = "give its last answer a weight above 0, or take the row out"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    if row.example.kind not in ("chat", "pair"):
        return
    turns = [turn for turn in (*row.example.messages, *row.example.chosen) if turn.role == "assistant"]
    if turns and all(turn.weight == 0 for turn in turns):
        yield Hit(message="every assistant turn has the weight 0", evidence=row.excerpt())
