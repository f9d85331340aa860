"""Answers that break off at exactly one length.

Whoever wrote the answers had a limit, a cap on characters, words or tokens, and those that met it were cut there: many
answers without an end have one and the same number of characters, of words, or of words and marks (about what a
tokenizer counts), far more than have one more or one less. The model learns to stop in the middle at that length.
Answers that end as they should are left alone, also where they have that length; Q103 finds single ones that break
off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.drift import answered
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "Q104"
SEVERITY = "warn"
COST = "the model learns to stop in the middle at that length"
FIX = "have the answers written to their end, with a higher limit, or take the rows out"
_SHORTEST = (16, 8, 10)  # characters, words, words and marks: below, many answers are of one length by nature
_FEWEST = 5  # different answers of one length
_NEAR = 10  # lengths to each side that are compared
_END = re.compile(r"[\d.!?…:;)\]}>\"'”’»`*|~。！？]\s*$")
_ITEM = re.compile(r"\s*(?:[-*•+#>|]|\d+[.)]|[A-Za-z][.)] |[A-Z][\w ]{0,30}:)")
_PIECE = re.compile(r"\w+|[^\w\s]")
_UNITS = ("characters", "words", "words and marks")


def collect(row: Row) -> tuple[int, int, int] | None:
    """The lengths of an answer without an end."""
    text = row.answer
    if len(text) < _SHORTEST[0] or not answered(row):
        return None
    if text[0] in "{[" and text[1:2] in '"{[ \n' and row.json is None:
        pass
    elif _END.search(text[-4:]) or ("\n" in text and _ITEM.match(text, text.rfind("\n") + 1)):
        return None
    return len(text), len(text.split()), len(_PIECE.findall(text))


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    indices, seen = corpus.collected.get(CODE, ((), []))
    if len(seen) < _FEWEST or corpus.labelled:
        return
    rows, lengths = np.asarray(indices), np.array(seen)
    told: dict[int, str] = {}
    while len(rows) >= _FEWEST:
        _, first = np.unique(corpus.answer_key[rows], return_index=True)  # copies are of one length
        excess, column, length = max(_spike(lengths[first, column], column) for column in range(len(_UNITS)))
        if excess <= 0:
            break
        there = lengths[:, column] == length
        message = f"breaks off at {length:,} {_UNITS[column]}, as {there.sum():,} answers do"
        told |= {int(row): message for row in rows[there]}
        rows, lengths = rows[~there], lengths[~there]  # a cap on characters is none on words, too
    for index in sorted(told):
        row = corpus.row(index)
        end = row.answer.rstrip()[-60:]
        yield Hit(message=told[index], rows=(index,), evidence=f"…{' '.join(end.split())}", at=end[-20:])


def _spike(sizes: np.ndarray, column: int) -> tuple[float, int, int]:
    """By how much the most crowded length has more answers than chance gives it, the column, and that length."""
    counts = np.bincount(sizes, minlength=int(sizes.max()) + 1).astype(float)
    around = (
        np.convolve(counts, np.ones(2 * _NEAR + 1), "same")[: len(counts)] if len(counts) > 2 * _NEAR else counts.sum()
    )
    expected = (around - counts) / (2 * _NEAR)
    excess = counts - expected - 6 * np.sqrt(expected) - 3
    excess[counts < _FEWEST] = 0
    excess[: _SHORTEST[column]] = 0
    return float(excess.max()), column, int(excess.argmax())
