"""Rated answers (KTO and its kin): a conversation or a prompt with its answer, and `label`, `kto_tag` or `rating`.

True is 1, false is 0, a number stays as it is. The rest of the row is of any shape that holds one answer.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailor.formats import alpaca, chat, completion, sharegpt
from tailor.formats.base import Format, Malformed, Row, describe, first_key, missing
from tailor.records import Example, Source

RATINGS = ("label", "kto_tag", "rating")
BASES: tuple[Format, ...] = (chat, sharegpt, alpaca, completion)
KEYS: tuple[str, ...] = tuple(dict.fromkeys((*RATINGS, *(key for base in BASES for key in base.KEYS))))
NAME = "rated"


def recognise(row: Row) -> tuple[str, ...]:
    """Rows with an answer and a rating that is true, false or a number; a label that is a word is no rating."""
    key = first_key(row, RATINGS)
    if key is None or _rating(row[key]) is None:
        return ()
    used = max((base.recognise(row) for base in BASES), key=len)
    answered = set(used) & {"messages", *sharegpt.TURNS, *completion.COMPLETIONS}
    return (*used, key) if answered else ()


def example(row: Row, source: Source) -> Example:
    """Kind `rated`."""
    key = first_key(row, RATINGS)
    if key is None:
        raise missing(row, RATINGS)
    rating = _rating(row[key])
    if rating is None:
        shown = repr(row[key]) if isinstance(row[key], str) else describe(row[key])
        raise Malformed(f"{key} is {shown}, no rating", (key,), "a rating is true, false or a number")
    judged = max(BASES, key=lambda base: len(base.recognise(row))).example(row, source)
    if judged.kind != "chat":
        raise Malformed("there is no answer to rate", (), "the last turn has to be the assistant's")
    return msgspec.structs.replace(judged, kind="rated", rating=rating)


def _rating(value: Any) -> float | None:
    """The number of a rating; tables hold it as text."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("true", "false"):
            return float(word == "true")
        try:
            value = float(word)
        except ValueError:
            return None
    if isinstance(value, bool | int | float) and abs(value) < float("inf"):
        return float(value)
    return None
