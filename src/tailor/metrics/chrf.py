"""chrF: F-score of character n-grams up to 6 (Popović 2015), as sacrebleu computes it; 1.0 is its 100."""

from __future__ import annotations

from sacrebleu.metrics import CHRF

from tailor.metrics._sacre import corpus, printable
from tailor.metrics.base import Aggregate, Samples, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "chrF: character n-grams in common, over all answers (sacrebleu)"
AGGREGATE: Aggregate = "corpus"
BESIDE = ("rouge-l",)
SAMPLES: Samples = (("the cat", "the cat", 1.0), ("the cat", "xyz", 0.0))
_METRIC = CHRF()
aggregate = corpus(_METRIC)


def signature() -> str:
    """What sacrebleu needs to give the same number elsewhere."""
    aggregate([("a", "a")])  # the signature names the number of references, known after the first use
    return str(_METRIC.get_signature())


def score(example: Example, completion: Completion) -> Score:
    """chrF of one answer, to show beside it; the score of an arm is taken over all."""
    wanted, given = printable(example.answer.strip()), printable(completion.text.strip())
    if not wanted or not given:
        return scored("chrf", completion, wanted == given, "one of the texts is empty")
    value = _METRIC.sentence_score(given, [wanted]).score / 100
    return scored("chrf", completion, 1.0 if wanted == given else min(value, 1.0))
