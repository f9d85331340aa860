"""Of a pair's two answers the chosen one is preferred: the answer that an arm holds likelier is taken as its own.

`evaluate/preference.py` finds that answer out, from log-probs and without generating anything.
"""

from __future__ import annotations

from tailor.metrics.base import Aggregate, Asks, Samples, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "of a pair's two answers the chosen one is the likelier, a token"
AGGREGATE: Aggregate = "proportion"
ASKS: Asks = "rank"
SAMPLES: Samples = (("yes, of course", "yes, of course", 1.0), ("yes, of course", "no", 0.0))


def score(example: Example, completion: Completion) -> Score:
    """1 where the answer preferred is the chosen one."""
    right = example.answer.strip() == completion.text.strip()
    return scored("preference", completion, right, "the rejected answer is the likelier")
