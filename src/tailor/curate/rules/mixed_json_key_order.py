"""JSON answers with their keys in another order than the rest.

For two keys, at least 80% of the objects that have both (20 and more) name one before the other, and this one does not.
To a program the order means nothing; to a model that writes one token after another it decides what each value may
build on, and it has to learn both orders.
Silent where no order is meant: where more than a tenth of the pairs of keys stand now so, now so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from tailor.curate.drift import FEWEST, USUAL, json_object
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C203"
SEVERITY = "warn"
COST = "part of what the model learns goes into two orders of the same thing"
FIX = "write the keys in the order of the others"
FREE = 0.1  # of the pairs of keys
KEYS = 30  # objects with more are records of names, not of fields


def collect(row: Row) -> tuple[str, ...] | None:
    """The keys in order."""
    value = json_object(row)
    return tuple(value) if value is not None and 1 < len(value) <= KEYS else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, orders = corpus.collected.get(CODE, ((), []))
    counts: Counter[tuple[str, str]] = Counter()
    for order, count in Counter(orders).items():
        counts.update(dict.fromkeys(combinations(order, 2), count))
    often = [
        max(count, counts[b, a]) / (count + counts[b, a])
        for (a, b), count in counts.items()
        if (a < b or not counts[b, a]) and count + counts[b, a] >= FEWEST
    ]
    if sum(share < USUAL for share in often) > FREE * len(often):
        return
    odd = {
        order: f"{second!r} stands after {first!r} elsewhere"
        for order in set(orders)
        for second, first in combinations(order, 2)
        if counts[first, second] + counts[second, first] >= FEWEST
        and counts[first, second] >= USUAL * (counts[first, second] + counts[second, first])
    }
    for index, order in zip(rows, orders):
        if order in odd:
            row = corpus.row(index)
            yield Hit(message=odd[order], rows=(row.index,), evidence=row.given(), at=row.answer)
