"""The answer is the wanted one, character for character, but for blanks around it."""

from __future__ import annotations

from tailor.metrics.base import Aggregate, Samples, compared, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "the answer is the wanted one, character for character"
AGGREGATE: Aggregate = "proportion"
BESIDE = ("macro-f1",)
SAMPLES: Samples = (("card_lost", " card_lost\n", 1.0), ("card_lost", "Card_lost", 0.0), ("yes", "yes.", 0.0))


def score(example: Example, completion: Completion) -> Score:
    """1 where the texts are equal."""
    wanted, given = example.answer.strip(), completion.text.strip()
    return scored("exact", completion, wanted == given, compared(wanted, given))
