"""What a selector is.

A selector is a module of this room (or an object behind an entry point of the group `tailor.curate.selectors`) with

    WHY                  which rows it chooses, in words that follow `200 rows`
    choose(pool, count)  `count` of `pool.rows`, in any order; the same ones for the same pool

Its docstring is its documentation, with the source of what it promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus


class Pool(NamedTuple):
    """The rows to choose from.

    `rows` are indices into the corpus, rising; `strata` says of each which stratum it belongs to (its label; all 0
    where answers are no labels); `seed` is for what is random.
    """

    corpus: Corpus
    rows: np.ndarray  # int64 [n]
    strata: np.ndarray  # int64 [n], from 0
    seed: int = 0


def quotas(sizes: np.ndarray, count: int) -> np.ndarray:
    """`count` divided by the sizes of strata: none gets more than it has, and each at least one where `count` allows.

    Largest remainders (Hamilton); of equal ones the first. Where `count` is less than there are strata, the largest
    ones get one each.
    """
    share = count * sizes / max(sizes.sum(), 1)
    given: np.ndarray = np.minimum(np.maximum(np.floor(share).astype(np.int64), 1), sizes)
    while given.sum() < count:
        given[np.where(given < sizes, share - given, -np.inf).argmax()] += 1
    while given.sum() > count:
        spare = np.where(given > 1, given - share, -np.inf)
        if not np.isfinite(spare).any():
            spare = np.where(given > 0, -sizes, -np.inf)
        given[len(spare) - 1 - spare[::-1].argmax()] -= 1  # of equal ones the last, so that the first keep theirs
    return given
