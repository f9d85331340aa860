"""Ratings that are nearly all the same.

At least 95% of the rated rows are good, or 95% bad. A method that learns from ratings (KTO) weighs the two sides
against each other; with one of them nearly missing, what it learns of it hangs on a few rows. KTO's authors advise to
keep the weighted counts of the two sides within a factor of 4/3 (Ethayarajh et al. 2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "K201"
SEVERITY = "warn"
COST = "what is learned of the smaller side hangs on a few rows"
FIX = "add rows of the other side, or train on the good ones as plain examples"
SIDE = 0.95
FEWEST = 20
GOOD = 0.5


def collect(row: Row) -> bool | None:
    """Whether the row is rated good."""
    rating = row.example.rating
    return None if rating is None or row.against else rating > GOOD


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all rows."""
    rows, good = corpus.collected.get(CODE, ((), []))
    share = sum(good) / max(len(good), 1)
    if len(good) >= FEWEST and max(share, 1 - share) >= SIDE:
        side = "good" if share > GOOD else "bad"
        few = tuple(int(row) for row, found in zip(rows, good) if found is not (side == "good"))[:10]
        message = f"{max(share, 1 - share):.0%} of {len(good):,} rated rows are {side}"
        yield Hit(message=message, rows=few or tuple(int(row) for row in rows[:1]))
