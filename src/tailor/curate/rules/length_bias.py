"""Preference pairs in which the longer answer mostly wins, or the shorter.

In more than 70% of the pairs whose answers differ in length by a tenth and more the longer answer is the chosen one (or
in more than 70% the rejected one). A preference loss takes the easiest difference first, and length is the easiest:
most of what DPO and RLHF gain on such data is length (Singhal et al. 2023, "A Long Way to Go"; Park et al. 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "K102"
SEVERITY = "warn"
COST = "the model learns to write at length (or curtly) instead of well"
FIX = "add pairs in which the other length wins, or train with a loss that takes length off"
BIAS = 0.7
FEWEST = 30  # pairs: at 20 of 30 chance alone comes near
APART = 1.1


def collect(row: Row) -> int | None:
    """1 where the chosen answer is clearly longer, -1 where it is clearly shorter."""
    if row.example.kind != "pair" or row.against:
        return None
    chosen, rejected = (sum(len(turn.text) for turn in side) for side in (row.example.chosen, row.example.rejected))
    return 1 if chosen > APART * rejected else -1 if rejected > APART * chosen else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all pairs."""
    rows, signs = corpus.collected.get(CODE, ((), []))
    longer = float(np.mean(np.array(signs) > 0)) if signs else 0.5
    if len(signs) < FEWEST or max(longer, 1 - longer) <= BIAS:
        return
    sign, share, word = (1, longer, "longer") if longer > 0.5 else (-1, 1 - longer, "shorter")
    examples = tuple(int(row) for row, found in zip(rows, signs) if found == sign)[:10]
    yield Hit(message=f"the {word} answer is the chosen one in {share:.0%} of {len(signs):,} pairs", rows=examples)
