"""A row that training did not come round to while similar rows were learned.

From the run folder: the loss of every row at every epoch. A row's confidence is the probability of a token of its
answer (geometric mean), averaged over the epochs after the first (data maps, Swayamdipta et al. 2020). The finding is a
row whose confidence lies 3.5 robust deviations below the rest (below rows with the same answer, where there are eight)
and whose least likely token kept less than half of the probability. Wrong labels are learned last, by heart; so are
rows that are merely hard. With 10% of the labels wrong, nine in ten of the rows found were wrong ones. Needs a run of
two epochs and more.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.outliers import beyond, deviations
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.dynamics import Dynamics

CODE = "M305"
SEVERITY = "warn"
COST = "the model spends its capacity on learning errors by heart"
FIX = "see whether the answer is right: mend it or take the row out"
NEEDS = "run"
FEWEST = 20  # rows


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row, in order; the message tells its losses beside those of the others."""
    assert corpus.dynamics is not None
    rows = np.flatnonzero(~corpus.against)
    late = lateness(corpus.dynamics, corpus.answer_key[rows])
    if late is None or len(rows) < FEWEST:
        return
    usual = np.nanmedian(corpus.dynamics.loss, axis=0)
    for place in np.flatnonzero(beyond(late) & _unsure(corpus.dynamics)).tolist():
        losses = corpus.dynamics.loss[place]
        met = np.flatnonzero(np.isfinite(losses))
        told = (", ".join(f"{values[epoch]:.2f}" for epoch in met[:8]) for values in (losses, usual))
        message = "its loss went {}; the median row's {}".format(*told)
        yield Hit(message=message, rows=(int(rows[place]),), evidence=corpus.row(int(rows[place])).excerpt())


def lateness(dynamics: Dynamics, keys: np.ndarray) -> np.ndarray | None:
    """How far each row's confidence lies below that of rows like it, [n]; None where rows were met but once.

    `keys` tells which rows have the same answer. The higher, the later it was learned.
    """
    epochs = _epochs(dynamics)
    if not len(epochs):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row that was never met
        confidence = np.nanmean(np.exp(-dynamics.loss[:, epochs].astype(np.float64)), axis=1)
    return deviations(-np.nan_to_num(confidence, nan=1.0), keys)


def _epochs(dynamics: Dynamics) -> np.ndarray:
    """The visits that nearly all rows had, without the first: its losses tell when a row came, not what it is."""
    return np.flatnonzero(np.isfinite(dynamics.loss).mean(0) > 0.95)[1:]


def _unsure(dynamics: Dynamics) -> np.ndarray:
    """Rows with a token of which the model was not sure, on average."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        sure = np.nanmean(np.exp(dynamics.least[:, _epochs(dynamics)].astype(np.float64)), axis=1)
    unsure: np.ndarray = sure < 0.5  # false for NaN
    return unsure
