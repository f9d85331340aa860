"""A question about something that is not there.

It speaks of an attached file or an image, and none is there. The model learns to make up what it cannot see. A
question that brings a text or an address along is left alone, and so is talk of attachments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit
from tailor.records import Media

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q107"
SEVERITY = "warn"
COST = "the model learns to make up what it was never shown"
FIX = "put what is spoken of into the question, or take the row out"

_THINGS = (
    r"(?:image|picture|photo(?:graph)?|screenshot|scan|drawing|figure|map|table|file|document|pdf|spreadsheet|slide|chart"
    r"|graph|diagram|audio|recording|video)s?"
)
_SEEN = re.compile(
    r"\b(?:(?:in|from|at|describe|see|analy[sz]e|on|using|summari[sz]e|read|open|to|of) (?:the|this|my) "
    rf"(?:provided|above|following|given) {_THINGS}"
    rf"|(?:the|this|these|my) (?:attached|enclosed|uploaded) {_THINGS}"
    r"|(?:see|find|as in) (?:the )?attach(?:ed|ment)(?! to)"
    rf"|(?:the|this|these|my) {_THINGS} (?:above|below|shown|attached|enclosed|provided|here"
    r"|(?:that |which )?i(?:'ve| have)? (?:just )?(?:attached|uploaded|sent|shared|posted|enclosed))"
    rf"|this {_THINGS} (?:shows?|depicts?))\b"
)
_HINTS = re.compile(_THINGS[:-2] + "|attach")
_LONG = 400  # characters: such a question brings something along


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row, for the first question of it."""
    if len(row.prompt) > 4 * _LONG or not _HINTS.search(row.plain_prompt):
        return
    first = next((turn for turn in row.example.prompt if turn.role == "user"), None)
    if first is None or any(isinstance(part, Media) for part in first.parts):
        return
    text = first.text
    found = _SEEN.search(text.lower()) if len(text) <= _LONG and "http" not in text and "```" not in text else None
    if found and text.count("\n") < 2 and not re.search(r"[\"“:\n]\s*\S.{40}", text[found.end() :]):
        said = text[found.start() : found.end()]
        yield Hit(message=f"{said!r}, and nothing is there", evidence=row.asked(), at=said)
