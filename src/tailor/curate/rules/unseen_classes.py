"""A class of the held-out rows that no training row has.

Every held-out row of it is lost before the first step: nothing was there to learn it from. A split that is not
stratified, or a label that is spelt otherwise on one side. Where classes of the training rows are missing in the
held-out ones, that is said as information: what the model knows of them is not measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.corpus import KINDS
from tailor.curate.rules.base import Hit, Severity

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "V104"
SEVERITY = "block"
COST = "the score counts rows that could not be learned"
FIX = "split again by class (`tailor split`), or write the label as the training rows do"


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a class."""
    chats = (corpus.kind == KINDS.index("chat")) & (corpus.answer_key != 0)
    held = np.flatnonzero(chats & corpus.against)
    train = np.flatnonzero(corpus.asked)
    if not corpus.labelled or not len(held):
        return
    sides: list[tuple[np.ndarray, np.ndarray, str, Severity]] = [
        (held, train, "training", "block"),
        (train, held, "held-out", "inform"),
    ]
    for here, there, side, severity in sides:
        unseen = here[~np.isin(corpus.answer_key[here], corpus.answer_key[there])]
        _, first, counts = np.unique(corpus.answer_key[unseen], return_index=True, return_counts=True)
        for place in np.argsort(first):
            row = corpus.row(unseen[first[place]])
            message = f"no {side} row has the label {row.given(40)!r} of {counts[place]:,} here"
            yield Hit(message=message, rows=(row.index,), at=row.answer, severity=severity)
