"""Many rows, few questions.

Fewer than half of the questions are different ones, near-equal questions (C102's measure) taken as one, in data that
does not mean to give several answers to each. The model learns these few by heart, and a random split puts the same
question on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "V105"
SEVERITY = "warn"
COST = "the model learns a few questions by heart, and a random split shares them"
FIX = "add rows that ask something else, and split by group"
VARIETY = 0.5
FEWEST = 50


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all rows."""
    rows = np.flatnonzero(corpus.asked)
    if len(rows) < FEWEST or corpus.many_answers:
        return
    _, first, question = np.unique(corpus.question_key[rows], return_index=True, return_inverse=True)
    place = np.full(len(corpus), -1)
    place[rows] = question
    head = np.arange(len(first))
    for cluster in corpus.near.prompts.clusters():
        joined = np.unique(place[cluster])
        joined = joined[joined >= 0]
        head[joined] = head[joined].min() if len(joined) else 0
    groups, begin, counts = np.unique(head[question], return_index=True, return_counts=True)
    if len(groups) < VARIETY * len(rows):
        largest = rows[head[question] == groups[np.lexsort((begin, -counts))[0]]]
        message = f"{len(rows):,} rows ask {len(groups):,} different questions, one of them {counts.max():,} times"
        yield Hit(message=message, rows=tuple(largest[:10].tolist()), evidence=corpus.row(largest[0]).asked())
