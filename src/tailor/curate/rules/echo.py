"""An answer that repeats the question.

The answer is the user's last message, or the last paragraph of it, word for word (0.2% of Alpaca): the model learns to
copy. Where a good part of the rows does so, as when text is corrected or copied, it is the task and nothing is said.
Answers below four words, which may well stand in the question, and changes of case or marks are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "Q102"
SEVERITY = "warn"
COST = "the model learns to repeat what it is asked"
FIX = "write the answer, or take the row out"

_WORDS = 4
_TASK = 0.15  # share of rows from which copying is what the data teaches


def collect(row: Row) -> int | None:
    """1 for an answer that is the question."""
    given = row.answer.strip()
    if given.count(" ") < _WORDS - 1 or given[-8:] not in row.prompt or not row.example.prompt:
        return None
    asked = row.example.prompt[-1].text
    words = given.split()
    return 1 if words in (asked.split(), asked.rstrip().rpartition("\n\n")[2].split()) else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    indices, _ = corpus.collected.get(CODE, ([], []))
    found = [int(index) for index in indices if not corpus.against[index]]
    if len(found) <= _TASK * max(int((~corpus.against).sum()), 10):
        for index in found:
            row = corpus.row(index)
            yield Hit(
                message="the answer is the question", rows=(index,), evidence=row.excerpt(), at=row.example.answer
            )
