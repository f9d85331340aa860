"""A prompt that does not help the model to the answer.

The answer costs the model as much after its own prompt as after a blank one (system turns stay): its
instruction-following difficulty, IFD = NLL(answer | prompt) / NLL(answer), is 1 or more (Li et al. 2024, "From Quantity
to Quality"), while it lies far below in the other rows (3.5 robust deviations of its logarithm). Mostly the answer
belongs to another prompt: a column shifted by a row, a bad join. Where answers of rows that the model masters are
permuted, IFD jumps from under 0.1 to over 1. Where prompts help in fewer than half of the rows the rule cannot tell bad
rows: the model may not know the task (a house style, private labels), or all answers may be out of step. It says so
once. Silent below 20 rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.outliers import beyond
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "M304"
SEVERITY = "warn"
COST = "the model learns to answer without regard to the question"
FIX = "see whether the answer belongs to this prompt"
NEEDS = "model"
FEWEST = 20  # rows
LEAST = 1e-6  # nats: an answer that costs nothing is as good as certain


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row; or one for all where the model cannot tell."""
    judged, scores = corpus.judged, corpus.judged.scores
    able = np.isfinite(scores.nll) & np.isfinite(scores.alone)
    rows, nll, alone = judged.rows[able], scores.nll[able], scores.alone[able]
    if len(rows) < FEWEST:
        return
    ifd = np.log(np.maximum(nll, LEAST)) - np.log(np.maximum(alone, LEAST))
    helpless = int((ifd >= 0).sum())
    if 2 * helpless > len(rows):
        yield Hit(
            message=f"the prompt makes the answer no likelier in {helpless:,} of {len(rows):,} rows: "
            "this model cannot tell which answers are out of place",
            rows=tuple(rows[ifd >= 0][:3].tolist()),
            evidence="\n".join(corpus.row(row).excerpt() for row in rows[ifd >= 0][:3]),
            fix="see whether answers stand beside their own prompts; if they do, ask a model that knows the task",
            severity="inform",
        )
        return
    for place in np.flatnonzero((ifd >= 0) & beyond(ifd)).tolist():
        row = int(rows[place])
        cost = f"its answer costs {nll[place]:.2f} nats a token after its prompt, {alone[place]:.2f} after a blank one"
        yield Hit(message=cost, rows=(row,), evidence=corpus.row(row).excerpt())
