"""Answers that the model gives by itself already.

Every token of the answer, and the one that ends it, has more than half of the model's probability after the prompt, so
greedy decoding writes this answer to the letter. Such rows leave nothing to learn: their loss is near zero and so is
their gradient, while they cost a full pass in every epoch. A few of them keep the model from forgetting what it can; a
data set made of them is done by a prompt. Judged on `check.model_rows` rows with `--model`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "M302"
SEVERITY = "inform"
COST = "time in every epoch, and a set that looks larger than it is"
FIX = "put rows that the model cannot do yet in their place; where nearly all are known, prompting is enough"
NEEDS = "model"
HALF = float(np.log(0.5))  # what has more than half of the probability is what greedy decoding takes


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all of them."""
    judged = corpus.judged
    known = judged.rows[judged.scores.least > HALF]
    if not len(known):
        return
    able = int(np.isfinite(judged.scores.least).sum())
    assert corpus.model is not None
    yield Hit(
        message=f"{corpus.model.name} already gives {len(known):,} of {able:,} answers to the letter "
        f"({len(known) / able:.1%})",
        rows=tuple(known.tolist()),
        evidence="\n".join(corpus.row(row).excerpt() for row in known[:3]),
    )
