"""Rows drawn by lot: the arm that every other has to beat.

Over pools of one to two million rows nearly all published ways of scoring rows do no better than this one (Xia et al.
2024, "Rethinking Data Selection at Scale: Random Selection is Almost All You Need"). The lot of a row depends on its
content and the seed alone, so rows that are added displace few of those drawn before.
"""

from __future__ import annotations

import numpy as np

from tailor.curate.selectors.base import Pool
from tailor.curate.shingles import mix

WHY = "drawn by lot"


def choose(pool: Pool, count: int) -> np.ndarray:
    """The rows with the lowest lots."""
    seed = mix(np.array([pool.seed + 1], np.uint64))
    lots = mix(pool.corpus.row_key[pool.rows] ^ seed)
    chosen: np.ndarray = pool.rows[np.argsort(lots, kind="stable")[:count]]
    return chosen
