"""Which of many numbers stand apart from the rest, where some of the rest are wrong too: median and MAD."""

from __future__ import annotations

import numpy as np

APART = 3.5  # modified z-score from which a value is an outlier (Iglewicz and Hoaglin 1993)
ALIKE = 8  # rows with one key: a median of fewer says little about them
NORMAL = 1.4826  # MAD of a normal distribution is its standard deviation over this


def deviations(values: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Each value less the median of those with the same key where there are ALIKE of them, else of all; float64 [n]."""
    found: np.ndarray = values - np.median(values)
    _, of, counts = np.unique(keys, return_inverse=True, return_counts=True)
    for key in np.flatnonzero(counts >= ALIKE):
        mine = of == key
        found[mine] = values[mine] - np.median(values[mine])
    return found


def beyond(deviations: np.ndarray) -> np.ndarray:
    """Mask [n] of the deviations that lie above the rest: modified z-score over APART. None where half are equal."""
    centre = np.median(deviations)
    spread = NORMAL * np.median(np.abs(deviations - centre))
    above: np.ndarray = (deviations - centre > APART * spread) & (spread > 0)
    return above
