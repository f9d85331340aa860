"""Nearly the same row more than once.

Prompt and answer share at least `check.near` (0.8) of their five-byte pieces (Jaccard) with an earlier row, after what
all rows share, such as a prompt template, has been taken off: without that, 83% of one tool-use set count as near
duplicates of each other. Near duplicates are as common as exact ones, and removing them makes models memorise less
(Lee et al. 2021). Rows whose prompts differ in a number or a negation are left alone, and so are rows with another
question or another answer, and rows whose answers follow the word that differs in their questions: those are
variations or contradictions, not duplicates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.answers import parting
from tailor.curate.rules.base import KEPT, Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "D102"
SEVERITY = "warn"
COST = "variants of one row outweigh the others and are learned by heart"
FIX = "keep one of them, or see that they differ in what matters"
_WORD = re.compile(r"\w+")
SAME_QUESTION = 0.5  # similarity of prompts: a long common answer does not make one of two questions


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row, with the earlier row that it is closest to."""
    found = corpus.near.rows
    first, second = found.pairs.T
    alike = ~corpus.against[first] & ~corpus.against[second]
    alike &= corpus.prompt_facts[first] == corpus.prompt_facts[second]
    open_ = np.flatnonzero(alike & (corpus.answer_key[first] != corpus.answer_key[second]))
    alike[open_] = corpus.near.compare(found.pairs[open_], "answer") >= corpus.settings.near
    open_ = np.flatnonzero(alike & (corpus.prompt_key[first] != corpus.prompt_key[second]))
    alike[open_] = corpus.near.compare(found.pairs[open_], "prompt") >= SAME_QUESTION
    order = np.flatnonzero(alike)[np.argsort(-found.similarity[alike], kind="stable")]
    closest: dict[int, tuple[float, int]] = {}
    for place in order.tolist():
        a, b = found.pairs[place].tolist()
        if b not in closest and not _variation(corpus.row(a), corpus.row(b)):
            closest[b] = found.similarity[place], a
    for number, (b, (similarity, a)) in enumerate(sorted(closest.items())):
        evidence = parting(corpus.row(b), corpus.row(a)) if number < KEPT else ""
        share = min(similarity, 0.99)  # what is the same to the last word is another rule's
        yield Hit(message=f"{share:.0%} the same as another row", rows=(b, a), evidence=evidence)


def _variation(a: Row, b: Row) -> bool:
    """Whether the answer follows what differs in the question: a word of both in one row, of neither in the other."""
    only = [
        set(_WORD.findall(one.plain_prompt))
        & set(_WORD.findall(one.plain_answer))
        - set(_WORD.findall(other.plain_prompt))
        - set(_WORD.findall(other.plain_answer))
        for one, other in ((a, b), (b, a))
    ]
    return bool(only[0] or only[1])
