"""Classes of very different size.

The labels are spread as unevenly as over half as many classes or fewer (exp of the entropy of their shares, the
effective number of classes), and the largest has ten times the rows of the smallest and more. A model that is trained
on them leans to the large classes, and accuracy hides it: read the macro F1, and the figures of each class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.labels import classes
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "V102"
SEVERITY = "warn"
COST = "the model leans to the large classes, and accuracy hides it"
FIX = "add rows of the small classes or take fewer of the large ones, and judge by macro F1"
SPREAD = 0.5
TIMES = 10


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all rows; rows of the largest and of the smallest class are named."""
    _, _, first, counts = classes(corpus)
    if len(counts) < 2:
        return
    shares = counts / counts.sum()
    effective = float(np.exp(-(shares * np.log(shares)).sum()))
    if effective > SPREAD * len(counts) + 0.5 or counts.max() < TIMES * counts.min():
        return
    large, small = corpus.row(first[counts.argmax()]), corpus.row(first[counts.argmin()])
    message = (
        f"{len(counts)} classes spread like {effective:.1f} of equal size: {large.given(30)!r} has "
        f"{counts.max():,} rows, {small.given(30)!r} {counts.min():,}"
    )
    yield Hit(message=message, rows=(large.index, small.index))
