"""The answer is the wanted one but for case, blanks, Unicode form and punctuation at its end."""

from __future__ import annotations

from tailor.metrics.base import Aggregate, Samples, compared, normalised, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "the answer is the wanted one but for case, blanks and punctuation at its end"
AGGREGATE: Aggregate = "proportion"
BESIDE = ("exact",)
SAMPLES: Samples = (
    ("New York", " new \n york. ", 1.0),
    ("Straße", "STRASSE", 1.0),
    ("2 km²", "２ km2", 1.0),
    ("New York", "NewYork", 0.0),
)


def score(example: Example, completion: Completion) -> Score:
    """1 where the normalised texts are equal (`base.normalised`)."""
    right = normalised(example.answer) == normalised(completion.text)
    return scored("exact-normalised", completion, right, compared(example.answer.strip(), completion.text.strip()))
