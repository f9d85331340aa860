"""A label that stands in one or two rows where others stand in many.

Often a slip of the pen, another scheme's name, or a sentence in the place of the label: where half of the rows are of
classes of 20 rows and more, a class of one or two is none that could be learned or measured. What is another spelling
of a large class is found by C301. Numbers and letters of options are no classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.labels import classes, named
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "C302"
SEVERITY = "warn"
COST = "a class of so few rows is guessed at, and cannot be measured"
FIX = "see whether another label is meant; if not, add rows of this class or leave it out"
RARE = 2
USUAL = 20


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, label, first, counts = classes(corpus)
    if not len(counts) or np.median(counts[label]) < USUAL or not named(corpus, first):
        return
    for place in np.flatnonzero(counts[label] <= RARE):
        row = corpus.row(rows[place])
        message = f"label {row.given(40)!r} in {counts[label[place]]} of {len(rows):,} rows"
        yield Hit(message=message, rows=(row.index,), evidence=row.excerpt(), at=row.answer)
