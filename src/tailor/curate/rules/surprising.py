"""An answer that the model finds far less likely than the other rows' answers.

The mean -log p of its tokens after the prompt lies more than 3.5 robust deviations (median and MAD; Iglewicz and
Hoaglin 1993) above the rest, above one nat, and among the highest 2%. Where several rows share an answer, as labels do,
it is compared with those. Garbage, another language, a broken encoding and wrong pairings look like this, and so do the
rows that are worth most: a person has to look. Silent below 50 rows, and where the model finds all answers alike
unlikely, which only says that it has not learned the task.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.outliers import beyond, deviations
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "M303"
SEVERITY = "warn"
COST = "the largest gradients come from the rows most likely to be wrong"
FIX = "read the row: mend it, take it out, or keep it where the model has this yet to learn"
NEEDS = "model"
FEWEST = 50  # rows: of fewer no tail can be told
SHARE = 0.02
NATS = 1.0  # a token: below it, more than a third of the probability is no surprise


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row, the most surprising 2% at most."""
    judged = corpus.judged
    able = np.isfinite(judged.scores.nll)
    rows, nll = judged.rows[able], judged.scores.nll[able]
    if len(rows) < FEWEST:
        return
    usual = float(np.median(nll))
    odd = beyond(deviations(nll, corpus.answer_key[rows])) & (nll > NATS)
    worst = np.flatnonzero(odd)[np.argsort(-nll[odd], kind="stable")][: max(1, int(SHARE * len(rows)))]
    for place in sorted(worst.tolist()):
        row = int(rows[place])
        yield Hit(
            message=f"its answer costs {nll[place]:.2f} nats a token; half of the rows cost under {usual:.2f}",
            rows=(row,),
            evidence=corpus.row(row).excerpt(),
        )
