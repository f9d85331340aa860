"""BLEU: n-grams of words up to 4 in common (Papineni et al. 2002), as sacrebleu computes it; 1.0 is its 100."""

from __future__ import annotations

from sacrebleu.metrics import BLEU

from tailor.metrics import _sacre
from tailor.metrics.base import Aggregate, Samples
from tailor.records import Completion, Example, Score

DESCRIPTION = "BLEU: word n-grams in common, over all answers (sacrebleu)"
AGGREGATE: Aggregate = "corpus"
BESIDE = ("chrf",)
SAMPLES: Samples = (("the cat sat on the mat", "the cat sat on the mat", 1.0), ("the cat", "xyz", 0.0))
_METRIC = BLEU(force=True)  # no warning about texts that look tokenised
_SENTENCE = BLEU(force=True, effective_order=True)  # a text of three words has no 4-grams
aggregate = _sacre.corpus(_METRIC)


def signature() -> str:
    """What sacrebleu needs to give the same number elsewhere."""
    return _sacre.signature(_METRIC)


def score(example: Example, completion: Completion) -> Score:
    """BLEU of one answer, to show beside it; the score of an arm is taken over all."""
    return _sacre.sentence("bleu", _SENTENCE, example, completion)
