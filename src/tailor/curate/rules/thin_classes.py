"""Classes of fewer than eight rows.

A row or two of them are held out, and what is left is too little to learn from and too little to measure. Labels of one
or two rows among large classes are C302: perhaps they are none. Numbers and letters of options are no classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.labels import classes, named
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "V103"
SEVERITY = "warn"
COST = "the model hardly learns these classes, and the score of each is chance"
FIX = "add rows of these classes, or join them to others"
THIN = 8


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all thin classes, with a row of each."""
    _, _, first, counts = classes(corpus)
    thin = np.flatnonzero(counts < THIN)
    if len(thin) and len(counts) > 1 and named(corpus, first):
        thin = thin[np.argsort(counts[thin], kind="stable")]
        told = [f"{corpus.row(first[place]).given(30)!r} ({counts[place]})" for place in thin[:5]]
        more = f" and {len(thin) - 5:,} more" if len(thin) > 5 else ""
        message = f"{len(thin):,} of {len(counts):,} classes have fewer than {THIN} rows: {', '.join(told)}{more}"
        yield Hit(message=message, rows=tuple(int(first[place]) for place in thin[:10]))
