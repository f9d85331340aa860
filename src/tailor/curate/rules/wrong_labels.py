"""A label that the other rows speak against.

A ridge regression on words, pairs of words and four-character pieces is asked for the label of each row that it was
fitted without. Confident learning (Northcutt et al. 2021) says how many labels are wrong: rows whose score for another
class reaches what rows of that class usually get. As many rows, those whose own label scores lowest, are listed
where that score is next to none and another label's is not. Ten well-known test sets hold 3.3% wrong labels by this
method (Northcutt et al. 2021, "Pervasive Label Errors"), and people confirmed half of what it listed there; on
banking77 with 3% of the labels exchanged it ranks a wrong one above a right one 99 times of 100.

Speaks only where answers are labels and the words of the prompt tell the classes apart (kappa 0.6); of more than 50,000
rows it judges 50,000 taken evenly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.labels import SAMPLE, judged
from tailor.curate.near import repetitive
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "C401"
SEVERITY = "warn"
COST = "the model learns the wrong class for questions like this one"
FIX = "read the row; if the label is wrong, put the right one"
FEWEST = 50  # rows: of fewer a model learns no classes
FIT = 0.6  # Cohen's kappa under which the model knows too little to speak
UNLIKELY, LIKELY = 0.04, 0.2  # scores: the own label under the one, another over the other; 8 of 10 listed are wrong
_WORD = re.compile(r"\w+")


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row; the row that shows the likelier label follows."""
    if not corpus.labelled or int(corpus.asked.sum()) < FEWEST:
        return
    found = judged(corpus)
    if found is None or found.fit < FIT:
        return
    many = int(corpus.asked.sum())
    sample = f" (of {SAMPLE:,} of {many:,} rows)" if many > SAMPLE else ""
    names = [corpus.row(index).given(40) for index in found.classes]
    lowest = np.argsort(found.of_own, kind="stable")[: int(found.doubted.sum())]
    wrong = (found.of_own[lowest] < UNLIKELY) & (found.of_other[lowest] > LIKELY)
    for place in np.sort(lowest[wrong]):
        row = corpus.row(found.rows[place])
        if repetitive(_WORD.findall(row.plain_prompt)):
            continue  # not (True or not False): what it says is in the order of its words
        own, other = names[found.own[place]], names[found.other[place]]
        score, better = found.of_own[place], found.of_other[place]
        yield Hit(
            message=f"label {own!r}, but rows with such words rather have {other!r}{sample}",
            rows=(row.index,),
            evidence=f"asked  {row.asked()}\nscores {own} {score:.2f}, {other} {better:.2f}",
            at=row.answer,
        )
