"""An answer that speaks from a day that has passed.

"As of 2021", "at the time of writing", "my knowledge ends in September 2021", "the current president is": true once,
and learned as true for ever; the first ones are the voice of the model that wrote the answer besides. Silent where the
question names that year or says the same, and where a tool is called for what is so today.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q108"
SEVERITY = "warn"
COST = "the model says as true today what was true when the answer was written"
FIX = "write what holds whenever it is read, or give the text that it was taken from"
_TEXT = 4000
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,? "
_SAID = re.compile(
    r"\bas of (?:(?:early|late|mid|the (?:start|beginning|end|middle|summer|fall|spring|winter) of)[ -])?"
    rf"(?:{_MONTH}(?:\d\d?,? )?)?(?P<year>(?:19|20)\d\d)\b"
    r"|\bmy (?:last|latest|most recent|current) (?:knowledge|training|data|information)(?: update| cut-?off)?\b"
    r"|\bthe (?:last|latest|most recent|current) (?:knowledge|training)(?: data)? (?:update|cut-?off)\b"
    r"|\b(?:my|our) (?:last|latest|most recent) (?:update|cut-?off)\b|\b(?:knowledge|training)(?: data)? cut-?off\b"
    r"|\bmy (?:knowledge|training|information)(?: data)? (?:cuts? off|ends|ended|stops|goes|only|was|extends"
    r"|is (?:current|limited|based|up))"
    r"|\b(?:as of|at the time of) (?:this |my )?(?:writing|publication|the current date)\b"
    r"|\bthe (?:current|incumbent|sitting|reigning) (?:u\.?s\.? |american |french |british )?(?:president"
    r"|prime minister|chancellor|ceo|chief executive|pope|monarch|king|queen|(?:world )?champions?|governor|mayor)"
    r"\b(?: of (?:the )?[\w. ]{2,30}| \w+)? (?:is|are)\b(?!:? ?\w+\()"
    r"|\bthe (?:latest|newest|most recent) (?:stable )?(?:version|release|model|edition|iphone|census|world cup"
    r"|olympics)\b[\w. ]{0,30} (?:is|was)\b(?! released on \w+\(|:? ?\w+\()"
)
_HINTS = (
    *("as of", "my last", "my latest", "my most", "cutoff", "cut-off", "my knowledge", "my training", "my information"),
    *("the latest", "the last", "the newest", "the most recent", "time of", "the current", "incumbent", "reigning"),
    "sitting",
)


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row, for the first such piece."""
    if row.example.kind == "text" or row.against:
        return
    text = row.answer[:_TEXT].lower()
    found = _SAID.search(text) if any(hint in text for hint in _HINTS) else None
    if found is None or (found["year"] and found["year"] in row.prompt) or found[0] in row.prompt.lower():
        return
    said = row.answer[found.start() : found.end()]
    yield Hit(message=f"{said!r} was true once", evidence=row.given(), at=said)
