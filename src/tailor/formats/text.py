"""Plain text for continued pretraining: `text` (or `content`) and nothing else that a shape would use."""

from __future__ import annotations

from tailor.formats.base import Malformed, Row, describe, first_key, missing
from tailor.records import Example, Source

KEYS: tuple[str, ...] = ("text", "content")
NAME = "text"


def recognise(row: Row) -> tuple[str, ...]:
    """Rows with a text."""
    key = first_key(row, KEYS)
    return (key,) if key is not None and isinstance(row[key], str) else ()


def example(row: Row, source: Source) -> Example:
    """Kind `text`."""
    key = first_key(row, KEYS)
    if key is None:
        raise missing(row, KEYS)
    if not isinstance(row[key], str):
        raise Malformed(f"{key} is {describe(row[key])}, not text", (key,))
    if not row[key].strip():
        raise Malformed("the text is empty", (key,))
    return Example(kind="text", source=source, text=row[key])
