"""The answer is the wanted one, character for character, but for blanks around it."""

from __future__ import annotations

from tailor.metrics.base import Aggregate, shown, verdict
from tailor.records import Completion, Example, Score

DESCRIPTION = "the answer is the wanted one, character for character"
AGGREGATE: Aggregate = "proportion"


def score(example: Example, completion: Completion) -> Score:
    """1 where the texts are equal."""
    wanted, given = example.answer.strip(), completion.text.strip()
    return verdict("exact", wanted == given, f"wanted {shown(wanted)}, given {shown(given)}")
