"""A preference pair that stands the wrong way round, by all other pairs.

A model that was fitted to the other pairs (words and pieces of words that the chosen or the rejected answers have more
of) finds that the chosen answer looks like the rejected ones and the rejected one like the chosen: most likely the two
were exchanged, by an export, a judge's position bias or a slip; DPO takes such labels at their word (Chowdhury et al.
2024, "Provably Robust DPO"). Listed are the pairs that are turned round with probability 0.7 and more: of 1,094 pairs
of polite and rude answers, 3% and 10% of them turned round on purpose, nine of ten listed ones were, and two of three
were found.

Speaks only where the answers show a rule of their own (a tone, a form): where pairs are chosen for what is true, words
do not tell, and nothing is said. Of more than 10,000 pairs it judges 10,000 taken evenly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.pairs import SAMPLE, turned
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "K104"
SEVERITY = "warn"
COST = "the model is taught the opposite of what the other pairs teach"
FIX = "read the pair; if the rejected answer is the better one, exchange the two"
FEWEST = 100  # pairs: of fewer no rule can be learned
LEAST = 0.7
FIT = 0.85  # share of pairs whose order the model must guess rightly for its word to count


def collect(row: Row) -> bool | None:
    """True for a pair of two different answers in text."""
    example = row.example
    if example.kind != "pair" or row.against:
        return None
    chosen, rejected = ("".join(turn.text for turn in side).strip() for side in (example.chosen, example.rejected))
    return True if chosen and rejected and chosen != rejected else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a pair."""
    rows, _ = corpus.collected.get(CODE, (np.empty(0, np.int64), []))
    if len(rows):
        _, first = np.unique(corpus.row_key[rows], return_index=True)  # copies would vouch for each other
        rows = rows[np.sort(first)]
    many = len(rows)
    rows = rows[np.linspace(0, many - 1, min(SAMPLE, many)).astype(np.intp)]
    if many < FEWEST:
        return
    probability, fit = turned(corpus, rows)
    sample = f" (of {SAMPLE:,} of {many:,} pairs)" if many > SAMPLE else ""
    for place in np.flatnonzero(probability > LEAST) if fit >= FIT else ():
        row = corpus.row(int(rows[place]))
        chosen, rejected = (
            " ".join(side[-1].text[:300].split())[:100] for side in (row.example.chosen, row.example.rejected)
        )
        yield Hit(
            message=f"the rejected answer looks like the chosen ones of the other pairs{sample}",
            rows=(row.index,),
            evidence=f"chosen    {chosen}\nrejected  {rejected}\nprobability {probability[place]:.2f}",
            at=row.answer,
        )
