"""Dates that are written otherwise than in the other answers.

`March 4, 2024` or `04/03/2024` where the others write `2024-03-04`: at least 80% of the dates under a key of a JSON
answer, or in the text of answers (most of which have one), are written in one style, and this one in another. The
program that reads the answers refuses the date or, worse, takes the day for the month. 03/04/2024 goes with either
order. A date that stands so in the question is left alone where the others are copied as well. `--fix` writes the date
as the others do where only one day can be meant and its year is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.dates import Date, dates, told_apart, whole, written
from tailor.curate.drift import Piece, answered, odd
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C205"
SEVERITY = "warn"
COST = "the reader of the answers refuses the date, or takes the day for the month"
FIX = "write the date as the other answers do"
_PADDED = {True: "with a zero before single digits", False: "without a zero before single digits"}
_TEXT = 400  # characters at the beginning of a text that are looked at
_DIGIT = re.compile(r"\d")


def collect(row: Row) -> tuple[Piece, ...] | None:
    """The style of each date."""
    if not answered(row) or not _DIGIT.search(row.answer):
        return None
    found = []
    for slot, date in _dates(row):
        copied = date.text in row.prompt
        found.append(Piece(slot, date.style, copied))
        if slot and date.padded is not None:
            found.append(Piece(f"{slot}\0", _pad(date), copied))
    return tuple(found) or None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a date."""
    _, seen = corpus.collected.get(CODE, ((), []))
    for index, slot, style, wanted in odd(corpus, CODE, told_apart):
        key = slot.removesuffix("\0")
        padded = [told == _PADDED[True] for pieces in seen for name, told, _ in pieces if name == f"{key}\0"]
        row = corpus.row(index)
        for where, date in _dates(row):
            if where == key and style in (date.style, told_apart([date.style, style]).get(date.style), _pad(date)):
                quote = '"' if key else ""
                put = written(date.day, wanted, sum(padded) * 2 >= len(padded)) if date.day and slot == key else None
                message = f"{date.text!r}{key and f' under {key!r}'} is written {style}, elsewhere {wanted}"
                at = f"{quote}{date.text}{quote}"
                put = put and f"{quote}{put}{quote}"
                yield Hit(message=message, rows=(index,), evidence=row.given(), at=at, put=put)
                break


def _pad(date: Date) -> str:
    return "" if date.padded is None else _PADDED[date.padded]


def _dates(row: Row) -> Iterator[tuple[str, Date]]:
    """(key, date) of each value that is a date, ("", date) of each one in text."""
    for key, text in row.leaves:
        date = whole(text) if len(text) <= 32 else None
        if date is not None:
            yield key, date
        else:
            yield from (("", date) for date in dates(text[:_TEXT]))
