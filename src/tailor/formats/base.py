"""What a shape of rows is, and how it says that a row does not fit.

A shape is a module of this room (or an object behind an entry point of the group `tailor.formats`) with the members of
`Format`. It sees one row at a time, as plain values, and knows nothing of files; its complaints name a path within the
row, from which the reader finds line and column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tailor.errors import did_you_mean
from tailor.records import Example, Source

Row = Mapping[str, Any]
Path = tuple[str | int, ...]
"""Where a value stands in a row: `("messages", 2, "role")`."""


class Malformed(Exception):
    """A row that cannot be used: `what` is wrong, `at` which value of the row, the remedy, and the `kind` of fault.

    Kinds: `syntax`, `encoding`, `repeated-key`, `shape` (keys and types), `mixed` (the shape of another file), `cells`,
    `role`, `order`, `tool`, `empty`, `unanswered`. `tailor check` has one rule for each.
    """

    def __init__(self, what: str, at: Path = (), fix: str = "", kind: str = "shape") -> None:
        super().__init__(what)
        self.what = what
        self.at = at
        self.fix = fix
        self.kind = kind


class Format(Protocol):
    """One shape of rows. `tailor.testing.formats.FormatContract` is the test that each has to pass."""

    KEYS: tuple[str, ...]
    """The keys of a row that the shape may use: what the left side of `--map` may name."""
    NAME: str
    """What its rows are called in a sentence: `{n} {NAME} rows`."""

    def recognise(self, row: Row) -> tuple[str, ...]:
        """The keys by which the row is of this shape; none where it is not. The shape that uses most keys wins."""
        ...

    def example(self, row: Row, source: Source) -> Example:
        """The row as an Example. Raises Malformed where it is not as the shape wants it."""
        ...


_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def describe(value: Any) -> str:
    """What a JSON value is, in words."""
    kind = _KINDS.get(type(value))
    return kind or ("a number" if isinstance(value, int | float) else f"of type {type(value).__name__}")


def missing(row: Row, names: tuple[str, ...]) -> Malformed:
    """The complaint of a row that has none of `names`, with the key that was perhaps meant."""
    close = next((fix for fix in (did_you_mean(name, row) for name in names if row) if fix.startswith("did")), "")
    fix = close or (f"it stands under one of: {', '.join(names)}" if len(names) > 1 else "")
    return Malformed(f"this row has no {names[0]}", (), fix)


def first_key(row: Row, names: tuple[str, ...]) -> str | None:
    """The first of `names` that the row has with a value; null counts as absent."""
    for name in names:
        if row.get(name) is not None:
            return name
    return None
