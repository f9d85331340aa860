"""An answer that is none of the options offered.

The question lists options by letter ("(A) ...", "B. ..."), and the answer is a letter that is not among them.
No model can give it by reading the question, and a grader that knows the options never gives a point for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "K302"
SEVERITY = "block"
COST = "the row teaches an answer that the question rules out"
FIX = "put the letter of the right option, or leave the row out"
_LETTER = re.compile(r"\s*\(?([A-Za-z])[).]?\s*")
_OPTION = re.compile(r"^\s*(?:\(([A-Za-z])\)|([A-Za-z])[.):])\s+\S", re.MULTILINE)


def look(row: Row) -> Iterable[Hit]:
    """One Hit a row."""
    if len(row.answer) > 8 or row.example.kind not in ("chat", "pair"):
        return ()
    letter = _LETTER.fullmatch(row.answer)
    if letter is None:
        return ()
    asked = row.example.prompt[-1].text if row.example.prompt else ""
    options = [(a or b).upper() for a, b in _OPTION.findall(asked)]
    if len(options) < 2 or options != [chr(ord("A") + place) for place in range(len(options))]:
        return ()
    if letter[1].upper() in options:
        return ()
    message = f"answer {letter[1]} is none of the options {options[0]} to {options[-1]}"
    return (Hit(message=message, evidence=row.excerpt(), at=row.answer),)
