"""Too few rows to fine-tune on.

Under 50 rows, put the rows into the prompt first: few-shot prompting and retrieval cost nothing to try, and a set held
out from so few rows cannot show a gain. Providers of fine-tuning see gains from 50 to 100 well-made rows on; under 10
they refuse the file, and so should you. Under 200 it is said as information: what is held out of them is so small that
only a large gain shows. Copies are counted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import Hit, Severity

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "V101"
SEVERITY = "warn"
COST = "the model learns these rows by heart, and no test can tell whether that helped"
FIX = "try few-shot and retrieval first; `tailor fit DATA` measures few-shot on the rows that it holds out"
FEW = 50
NONE = 10
THIN = 200


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all rows."""
    rows = np.flatnonzero(~corpus.against)
    count = len(np.unique(corpus.row_key[rows]))
    if not 0 < count < THIN:
        return
    told = f"{count} different row{'s' if count > 1 else ''} to learn from"
    if count < FEW:
        severity: Severity | None = "block" if count < NONE else None
        yield Hit(message=f"{told}: try few-shot and retrieval first", rows=(int(rows[0]),), severity=severity)
    else:
        held = f"a fifth held out leaves {count // 5} to measure with, and only a large gain shows on them"
        fix = "add rows, or read the interval of every score before believing it"
        yield Hit(message=f"{told}: {held}", rows=(int(rows[0]),), severity="inform", fix=fix)
