"""Nearly all questions are one sentence with other words put in.

A template is what questions have in common: the words that stand in nine of ten of them. Where they are four and more,
and half of the words of a question, the model learns to answer to that wording; whoever words it otherwise gets worse
answers than the score of a held-out part shows, for that part has the same template. Nothing is wrong with it if it is
a program that asks, and always in these words. Only the last user turn counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "V106"
SEVERITY = "inform"
COST = "the model knows the question in this one wording, and the held-out score cannot show that"
FIX = "ask the same in other words in a part of the rows, unless a program will always ask in these"
FEWEST = 50
SAMPLE = 2000  # rows that are read
COMMON = 0.9  # of the questions that have a word of the template
WORDS = 4
PART = 0.5  # of a question's words that are of the template
TAIL = 2000  # characters of a question that are looked at
_WORD = re.compile(r"\w+")


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit for all rows."""
    rows = np.flatnonzero(corpus.asked)
    if len(rows) < FEWEST:
        return
    rows = rows[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(np.intp)]
    asked = [corpus.row(int(index)).example.prompt[-1].text[-TAIL:] for index in rows]
    words = [_WORD.findall(text.casefold()) for text in asked]
    often = Counter(word for found in words for word in set(found))
    template = {word for word, count in often.items() if count >= COMMON * len(rows)}
    part = np.median([sum(word in template for word in found) / max(len(found), 1) for found in words])
    if len(template) >= WORDS and part > PART and len(set(asked)) > len(asked) / 2:
        message = f"{part:.0%} of a question's words are the same in nearly all of {len(rows):,} questions"
        yield Hit(message=message, rows=tuple(rows[:5].tolist()), evidence=" ".join(asked[0].split())[:140])
