"""An answer far longer or far shorter than the rest.

By the robust z-score (median and median deviation, Iglewicz and Hoaglin 1993) of the logarithm of its length, among
the JSON answers and the texts by themselves where both are usual: more than 5 away, at least three times as long or as
short as the median, and 20 characters off. Often two answers in one, a page that was pasted whole, an answer lost but
for a word, a row of another task. It is for information: a few long answers may well be the best rows. Silent where
lengths vary freely.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.drift import FEWEST, USUAL, answered
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "Q303"
SEVERITY = "inform"
COST = "a row of another task, or of two answers in one, pulls the model away from the usual length"
FIX = "read it, and take it out if it is not meant"
FAR = 5.0  # deviations
TIMES = 3.0  # as long or as short as the median
SHORT = 20  # characters: among short answers some are three times as long
_LEAST = 0.15  # median deviation of the logarithm that is taken where lengths hardly vary


def collect(row: Row) -> bool | None:
    """Whether the answer is JSON."""
    return row.json is not None if answered(row) else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    indices, seen = corpus.collected.get(CODE, ((), []))
    rows, json = np.array(indices, np.int64), np.array(seen, bool)
    two = (1 - USUAL) * len(rows) < json.sum() < USUAL * len(rows)
    for some in (rows[json], rows[~json]) if two else (rows,):
        if len(some) < 2 * FEWEST:
            continue
        sizes = np.log(np.maximum(corpus.answer_chars[some], 1))
        middle = np.median(sizes)
        spread = max(1.4826 * float(np.median(np.abs(sizes - middle))), _LEAST)
        away = (sizes - middle) / spread
        off = np.abs(corpus.answer_chars[some] - np.exp(middle))
        for place in np.flatnonzero((np.abs(away) > FAR) & (np.abs(sizes - middle) >= np.log(TIMES)) & (off >= SHORT)):
            row = corpus.row(some[place])
            usual = round(float(np.exp(middle)))
            message = (
                f"{len(row.answer):,} characters, others have {usual:,} in the middle ({away[place]:+.0f} deviations)"
            )
            yield Hit(message=message, rows=(row.index,), evidence=row.given())
