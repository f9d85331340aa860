"""Macro-F1: the mean over labels of the harmonic mean of precision and recall.

Labels are those that the wanted answers hold. An answer that is none of them counts against the recall of the wanted
label, and against no precision: made-up labels are no classes. A single row scores 1 or 0, as by `exact`.
"""

from __future__ import annotations

from collections import Counter

from tailor.metrics.base import Aggregate, Pairs, Samples, compared, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "mean F1 over the labels: rare labels count as much as frequent ones"
AGGREGATE: Aggregate = "corpus"
BESIDE = ("exact",)
SAMPLES: Samples = (("spam", "spam\n", 1.0), ("spam", "ham", 0.0))


def score(example: Example, completion: Completion) -> Score:
    """1 where the label is right."""
    wanted, given = example.answer.strip(), completion.text.strip()
    return scored("macro-f1", completion, wanted == given, compared(wanted, given))


def aggregate(pairs: Pairs) -> float:
    """Macro-F1 of (wanted, given); 0 without pairs."""
    wanted = Counter(one.strip() for one, _ in pairs)
    given = Counter(other.strip() for _, other in pairs)
    right = Counter(one.strip() for one, other in pairs if one.strip() == other.strip())
    if not wanted:
        return 0.0
    return sum(2 * right[label] / (count + given[label]) for label, count in wanted.items()) / len(wanted)
