"""Too few rows to fine-tune on.

Under 50 rows, put the rows into the prompt first: few-shot prompting and retrieval cost nothing to try, and a set held
out from so few rows cannot show a gain. Providers of fine-tuning see gains from 50 to 100 well-made rows on; under 10
they refuse the file, and so should you. Copies are counted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "V101"
SEVERITY = "warn"
COST = "the model learns these rows by heart, and no test can tell whether that helped"
FIX = "try few-shot and retrieval first: `tailor advise DATA` measures both without training"
FEW = 50
NONE = 10


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all rows."""
    rows = np.flatnonzero(~corpus.against)
    count = len(np.unique(corpus.row_key[rows]))
    if 0 < count < FEW:
        message = f"{count} different row{'s' if count > 1 else ''} to learn from: try few-shot and retrieval first"
        yield Hit(message=message, rows=(int(rows[0]),), severity="block" if count < NONE else None)
