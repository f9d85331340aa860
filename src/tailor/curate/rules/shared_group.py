"""A group that stands in the training rows and in the held-out rows.

Rows of one customer, document or conversation (`data.group`) repeat names, numbers and phrases. Where some of them are
trained on and others held out, the score tells how well the group was remembered, not how new ones are handled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "L104"
SEVERITY = "block"
COST = "the held-out score tells how well known groups were remembered"
FIX = "keep each group on one side: tailor split --group does"


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a group."""
    held = np.unique(corpus.group_key[corpus.against & (corpus.group_key != 0)])
    shared = np.isin(corpus.group_key, held)
    for rows in corpus.groups(corpus.group_key, shared):
        train = [index for index in rows if not corpus.against[index]]
        if train:
            held_out = [index for index in rows if corpus.against[index]]
            group = corpus.row(train[0]).example.group
            message = f"group {group!r}: {len(train):,} training and {len(held_out):,} held-out rows"
            yield Hit(message=message, rows=(*train[:10], *held_out[:10]))
