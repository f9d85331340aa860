"""chrF: F-score of character n-grams up to 6 (Popović 2015), as sacrebleu computes it; 1.0 is its 100."""

from __future__ import annotations

from sacrebleu.metrics import CHRF

from tailor.metrics import _sacre
from tailor.metrics.base import Aggregate, Samples
from tailor.records import Completion, Example, Score

DESCRIPTION = "chrF: character n-grams in common, over all answers (sacrebleu)"
AGGREGATE: Aggregate = "corpus"
BESIDE = ("rouge-l",)
SAMPLES: Samples = (("the cat", "the cat", 1.0), ("the cat", "xyz", 0.0))
_METRIC = CHRF()
aggregate = _sacre.corpus(_METRIC)


def signature() -> str:
    """What sacrebleu needs to give the same number elsewhere."""
    return _sacre.signature(_METRIC)


def score(example: Example, completion: Completion) -> Score:
    """chrF of one answer, to show beside it; the score of an arm is taken over all."""
    return _sacre.sentence("chrf", _METRIC, example, completion)
