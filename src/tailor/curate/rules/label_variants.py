"""Two spellings of one label.

A class whose name is that of a much larger one but for marks, spaces, an ending or a letter or two (`card-lost`,
`card_lost.`, `card_lsot` beside `card_lost`). Each spelling is a class of its own to the model, and to whoever counts
what it gets right. Case and white space at the ends are found as well. Names that differ in a number, or of less than
five letters, are left alone where a letter differs, and so are classes of like size: `pin_changed` and `pin_charged`
may both be meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.answers import LABEL
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C301"
SEVERITY = "warn"
COST = "the model learns a class that does not exist and divides its answers between both"
FIX = "write the label as the other rows do"
SHARE = 5  # times as many rows that the usual spelling has
LETTERS = 5
_DIGITS = re.compile(r"\d+")
_SPLIT = re.compile(r"[^\W_]+")


def collect(row: Row) -> str | None:
    """The label as it is written."""
    if row.against or row.example.kind != "chat" or len(row.answer) > LABEL or "\n" in row.answer.strip():
        return None
    return row.answer or None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    if not corpus.labelled:
        return
    rows, written = corpus.collected.get(CODE, ((), []))
    counts = Counter(written)
    meant: dict[str, str] = {}
    names = [name for name, _ in counts.most_common()]
    bare = {name: "".join(_SPLIT.findall(name.casefold())) for name in names}
    by_bare: dict[str, str] = {}
    for name in names:
        first = by_bare.setdefault(bare[name], name)
        if first != name and bare[name]:
            meant[name] = first
    heads = [name for name in names if name not in meant]
    for place, name in enumerate(heads):
        for other in heads[:place]:
            if counts[other] < SHARE * counts[name]:
                break
            if _typo(bare[name], bare[other]):
                meant[name] = other
                break
    for row, name in zip(rows, written):
        if name in meant:
            usual = meant[name]
            many = f"{counts[usual]:,} rows"
            yield Hit(message=f"label {name!r} beside {usual!r} in {many}", rows=(int(row),), at=name)


def _typo(a: str, b: str) -> bool:
    """Whether two names differ in one letter, or two that changed places, or the ending s."""
    if min(len(a), len(b)) < LETTERS or abs(len(a) - len(b)) > 1 or _DIGITS.findall(a) != _DIGITS.findall(b):
        return False
    start = next((at for at, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    swapped = a[:start] + a[start + 1 : start + 2] + a[start : start + 1] + a[start + 2 :]
    return swapped == b or a[start + 1 :] in (b[start:], b[start + 1 :]) or a[start:] == b[start + 1 :]
