"""Nearly the same question with different answers.

The prompts share at least `check.near` (0.8) of their five-byte pieces (Jaccard, after taking off what all rows share),
name the same numbers and negations and differ in few words; the answers are labels, numbers or JSON that differ. Often
one annotator's convention against another's; sometimes the one word that differs is what matters, so a person should
look. Silent where the answer follows that word (`weather in Rome`, `{"city": "Rome"}`). Prose is left to C101: other
words there are no other answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.answers import agree, follows, form, side_by_side
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "C102"
SEVERITY = "warn"
COST = "the model draws a line where there is none"
FIX = "see whether the words that differ ask for another answer; if not, decide which is right"


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a pair."""
    if corpus.many_answers:
        return
    pairs = corpus.near.prompts.pairs
    first, second = pairs.T
    differ = corpus.asked[first] & corpus.asked[second]
    differ &= corpus.answer_key[first] != corpus.answer_key[second]
    differ &= corpus.prompt_facts[first] == corpus.prompt_facts[second]
    differ &= corpus.question_key[first] != corpus.question_key[second]
    for place in np.flatnonzero(differ).tolist():
        a, b = (corpus.row(index) for index in pairs[place].tolist())
        forms = {form(a.answer), form(b.answer)}
        if not corpus.labelled and not forms <= {"json", "number"}:
            continue
        if agree(a.answer, b.answer, labels=corpus.labelled) or follows(a, b):
            continue
        similarity = corpus.near.prompts.similarity[place]
        yield Hit(
            message=f"answer differs from that to a question {similarity:.0%} the same",
            rows=(b.index, a.index),
            evidence=side_by_side(b, a),
            at=b.answer,
        )
