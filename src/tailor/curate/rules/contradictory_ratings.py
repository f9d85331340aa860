"""The same answer to the same question, rated good here and bad there.

Prompt and answer are equal after Unicode normalisation and case folding; the ratings lie on both sides of the middle.
Two judges who disagree, or a slip. Trained on both, the row is pushed up and down and comes to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "K202"
SEVERITY = "block"
COST = "the rows cancel each other out"
FIX = "decide which rating is right, and correct or leave out the other"
GOOD = 0.5


def collect(row: Row) -> bool | None:
    """Whether the row is rated good."""
    rating = row.example.rating
    return None if rating is None or row.against else rating > GOOD


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row that is rated otherwise than the first."""
    rows, ratings = corpus.collected.get(CODE, ((), []))
    good = dict(zip((int(row) for row in rows), ratings))
    mask = np.zeros(len(corpus), np.bool_)
    mask[list(good)] = True
    both = corpus.prompt_key * np.uint64(0x9E3779B97F4A7C15) ^ corpus.answer_key
    for first, *others in corpus.groups(both, mask):
        for row in others:
            if good[row] is not good[first]:
                here, there = ("good", "bad") if good[row] else ("bad", "good")
                message = f"rated {here}, and {there} elsewhere"
                yield Hit(message=message, rows=(row, first), evidence=corpus.row(row).excerpt())
