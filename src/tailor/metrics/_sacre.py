"""Corpus scores of sacrebleu from counts that are taken once a pair.

An interval by resampling asks for the score of thousands of samples of the same rows: the counts of each row are kept
and only summed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from tailor.metrics.base import Pairs, scored
from tailor.records import Completion, Example, Score

KEPT = 100_000  # pairs whose counts are kept


def corpus(metric: Any) -> Callable[[Pairs], float]:
    """A function from pairs (wanted, given) to the corpus score in 0..1; 0 without pairs."""

    @lru_cache(maxsize=KEPT)
    def counts(wanted: str, given: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        [row] = metric._extract_corpus_statistics([given], [[wanted]])
        return np.array(row, dtype=np.int64)

    def score(pairs: Pairs) -> float:
        if not pairs:
            return 0.0
        sums = np.sum([counts(printable(wanted), printable(given)) for wanted, given in pairs], axis=0)
        return float(metric._compute_score_from_stats(sums.tolist()).score) / 100

    return score


def printable(text: str) -> str:
    """`text` without lone surrogates, which no UTF-8 holds."""
    return text.encode("utf-8", "replace").decode("utf-8")


def signature(metric: Any) -> str:
    """What sacrebleu needs to give the same number elsewhere."""
    corpus(metric)([("a", "a")])  # the signature names the number of references, known after the first use
    return str(metric.get_signature())


def sentence(name: str, metric: Any, example: Example, completion: Completion) -> Score:
    """`metric` of one answer, to show beside it; the score of an arm is taken over all."""
    wanted, given = printable(example.answer.strip()), printable(completion.text.strip())
    if not wanted or not given:
        return scored(name, completion, wanted == given, "one of the texts is empty")
    value = metric.sentence_score(given, [wanted]).score / 100
    return scored(name, completion, 1.0 if wanted == given else min(value, 1.0))
