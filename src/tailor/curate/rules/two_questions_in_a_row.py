"""Two user turns with no answer between them.

An answer was lost, or one message was cut in two. Strict templates raise; others print two user blocks, which the model
never meets when it is served.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "R108"
SEVERITY = "warn"
COST = "strict templates refuse the row; others print what is never served"
FIX = "join the two turns, or put the lost answer between them"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    for before, message in pairwise(row.example.messages):
        if before.role == message.role == "user":
            evidence = f"{before.text[:60]} / {message.text[:60]}"
            yield Hit(message="two user turns in a row", evidence=evidence, at=message.text)
            return
