"""Lists whose items begin with other marks than in the other answers.

`*` or `•` where the lists of other answers have `-`, `1)` where they have `1.`: at least 80% of the answers with a
list (two items and more) use one mark, and this one another; or nearly all answers are lists of one kind, with bullets
or with numbers, and this one is of the other. What shows the answer draws two kinds of list, and one of them often not
as a list at all. Items within items are left alone. `--fix` sets the mark of the other answers in place of another
bullet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.drift import Piece, answered, odd
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C213"
SEVERITY = "warn"
COST = "what shows the answers draws two kinds of list, and one of them often not as a list"
FIX = "begin the items as the other answers do"
_ITEM = re.compile(
    r"^(?:(?P<bullet>[-*+•·‣◦▪●○–—])[ \t]+|(?P<open>\(?)\d{1,3}(?P<close>[.):])[ \t]+)(?=\S)",
    re.MULTILINE,
)


def collect(row: Row) -> tuple[Piece, ...] | None:
    """The marks of the items in each text."""
    if "\n" not in row.answer and "\\n" not in row.answer:
        return None
    return tuple(Piece(slot, style) for slot, style, _ in _lists(row)) or None if answered(row) else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row and mark."""
    for index, slot, style, wanted in odd(corpus, CODE):
        row = corpus.row(index)
        text = next(text for place, told, text in _lists(row) if (place, told) == (slot, style))
        put = None
        if slot.endswith("\0bullets") and text == row.answer:
            put = re.sub(rf"^{re.escape(style)}(?=[ \t]+\S)", wanted, text, flags=re.MULTILINE)
        seen = f"items begin with {style!r}, elsewhere with {wanted!r}"
        message = seen if "\0kind" not in slot else f"a list with {style}, elsewhere with {wanted}"
        yield Hit(message=message, rows=(index,), evidence=row.given(), at=text, put=put)


def _lists(row: Row) -> Iterator[tuple[str, str, str]]:
    """(slot, style, text) of each mark in each text that is a list."""
    for key, text in row.leaves:
        items = list(_ITEM.finditer(text)) if "\n" in text else []
        bullets = {item["bullet"] for item in items if item["bullet"]}
        numbers = {f"{item['open']}1{item['close']}" for item in items if item["close"]}
        if len(items) < 2:
            continue
        yield from ((f"{key or 'text'}\0bullets", bullet, text) for bullet in sorted(bullets))
        yield from ((f"{key or 'text'}\0numbers", number, text) for number in sorted(numbers))
        if bool(bullets) != bool(numbers):
            yield f"{key}\0kind", "bullets" if bullets else "numbers", text
