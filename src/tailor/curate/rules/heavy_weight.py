"""A turn that weighs many times as much as others.

Weights scale the loss of a turn. OpenAI's format knows 0 and 1; a weight of 5 and more is mostly a rating, a percentage
or a count that stands in the wrong key, and it drowns the rows around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "M102"
SEVERITY = "warn"
COST = "one turn counts as much as many rows"
FIX = "use weights from 0 to 1; to repeat rows, mix the file with a weight (file:2)"
HEAVY = 5  # times a usual turn


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    for message in row.turns:
        if message.weight is not None and message.weight >= HEAVY:
            yield Hit(message=f"a turn of weight {message.weight:g}", evidence=message.text[:80], at=message.text)
            return
