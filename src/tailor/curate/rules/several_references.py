"""Data that gives several answers to most of its questions.

Reference sets for generation (E2E has eight sentences a record, summaries have several writers) hold each question
several times on purpose. Rows are then not listed as contradictions one by one. Trained as they are, each question
counts as often as it has answers, and rows of one question belong on one side of every split.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "C103"
SEVERITY = "inform"
COST = "questions with more answers weigh more"
FIX = "nothing, if the answers are meant as alternatives; else see C101 with fewer rows"


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all rows."""
    if corpus.many_answers:
        asked = corpus.asked
        questions = len(np.unique(corpus.prompt_key[asked]))
        share = int(asked.sum()) / questions
        message = f"{int(asked.sum()):,} rows ask {questions:,} questions, {share:.1f} answers each: taken as meant"
        yield Hit(message=message, rows=tuple(next(corpus.groups(corpus.prompt_key, asked))[:10]))
