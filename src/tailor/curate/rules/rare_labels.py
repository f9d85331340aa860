"""A label that stands in one or two rows where others stand in many.

Often a slip of the pen, another scheme's name, or a sentence in the place of the label: in a set where half of the
classes have 20 rows and more, a class of one or two is none that could be learned or measured. What is another spelling
of a large class is found by C301.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

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
    if not corpus.labelled:
        return
    rows = np.flatnonzero(corpus.asked)
    _, label, counts = np.unique(corpus.answer_key[rows], return_inverse=True, return_counts=True)
    if not len(counts) or np.median(counts) < USUAL:
        return
    for row in rows[counts[label] <= RARE]:
        name = corpus.row(row).given(40)
        message = f"label {name!r} in {counts[label[rows == row][0]]} of {len(rows):,} rows"
        yield Hit(message=message, rows=(int(row),), evidence=corpus.row(row).excerpt(), at=corpus.row(row).answer)
