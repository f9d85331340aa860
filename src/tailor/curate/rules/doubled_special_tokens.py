"""A special token of this model twice in a row, or written out in the text.

Two beginnings or two ends of text (the template writes one, and so does the tokenizer or the row) are a sequence that
the model has not met in pretraining, and an answer that ends twice teaches to go on after its end. A special token of
this very tokenizer, written out in a row, is kept apart from the real one by tailor; most servers and other trainers
take it for real, and then turns end where they do not. Tokens of any model that are known by name are found without
`--model` (Q205).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "M202"
SEVERITY = "warn"
COST = "where the row is served or trained elsewhere, turns begin and end where they do not"
FIX = "take the token out of the text: the template writes it"
NEEDS = "tokenizer"


def look(row: Row) -> Iterator[Hit]:
    """At most two Hits a row: what is doubled, and what is written out."""
    found = row.rendering
    if found is None:
        return
    if found.doubled:
        fix = "mend the model's chat template, or take the token out of the row"
        message = f"{found.doubled} stands twice in a row once the template is applied"
        yield Hit(message=message, evidence=row.excerpt(), fix=fix, severity="block")
    literal = _pattern(found.marks).search(row.whole)
    if literal:
        line = " ".join(row.whole[max(0, literal.start() - 40) : literal.end() + 40].split())
        yield Hit(message=f"{literal[0]}, a special token of this model, within the text", evidence=line, at=literal[0])


@functools.lru_cache(8)
def _pattern(marks: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(marks, key=lambda mark: (-len(mark), mark))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
