"""A preference pair whose two answers are the same.

The chosen and the rejected answer are equal after Unicode normalisation, case folding and collapsing of white space, or
are both empty. The loss of such a pair is a constant: it trains nothing, and it says that the export or the judge that
made the pair went wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tailor.curate.rows import plain
from tailor.curate.rules.base import Hit
from tailor.records import Text

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "K101"
SEVERITY = "block"
COST = "the pair costs time and teaches nothing"
FIX = "leave the pair out, or put the answer that was really rejected"
DROPS = True


def look(row: Row) -> Iterable[Hit]:
    """One Hit a pair."""
    example = row.example
    if example.kind != "pair" or example.chosen == () or len(example.chosen) != len(example.rejected):
        return ()
    if example.chosen != example.rejected and any(
        plain(a.text) != plain(b.text) or _other(a.parts) != _other(b.parts)
        for a, b in zip(example.chosen, example.rejected)
    ):
        return ()
    return (Hit(message="chosen and rejected answer are the same", evidence=row.excerpt(), at=row.answer, drop=True),)


def _other(parts: tuple[object, ...]) -> list[object]:
    """What stands beside text: reasoning, calls, results, media."""
    return [part for part in parts if not isinstance(part, Text)]
