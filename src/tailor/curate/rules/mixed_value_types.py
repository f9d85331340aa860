"""A JSON value of another type than the rest have under the same key.

`"12"` where others write 12, a text where others give a list, `"true"` for true. At least 80% of the objects that have
the key (20 and more) hold one type there, and this one another. `null` goes with every type. Readers with a schema
refuse the answer, readers without one compare a text with a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.drift import Piece, json_object, odd
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C204"
SEVERITY = "block"
COST = "the program that reads the answers refuses the value, or compares it wrongly"
FIX = "write the value as the type that the others have"
TYPES = {str: "a text", int: "a number", float: "a number", bool: "true or false", list: "a list", dict: "an object"}


def collect(row: Row) -> tuple[Piece, ...] | None:
    """The type of each value that is not null."""
    value = json_object(row)
    return tuple(Piece(key, TYPES[type(item)]) for key, item in value.items() if item is not None) if value else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a value."""
    for index, key, kind, wanted in odd(corpus, CODE):
        row = corpus.row(index)
        message = f"{key!r} is {kind}, elsewhere {wanted}"
        yield Hit(message=message, rows=(index,), evidence=row.given(), at=row.answer)
