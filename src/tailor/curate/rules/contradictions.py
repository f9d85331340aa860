"""The same question with different answers.

The prompts have the same words after Unicode normalisation and case folding, punctuation aside; the answers are
compared by what they are: labels by name, numbers by value, JSON by content, prose by its words (another answer shares
less than half of them, F1, or each names somebody whom the other does not). Nothing can learn both: the loss cannot
fall below the disagreement, and the model answers either way at random. The answer that most rows give is taken as the
usual one; rows that differ from it are listed: to block where labels, numbers or JSON differ, to inform where prose
still shares words, because a task may have several good answers. Data that gives several answers to most of its
questions means to: see C103.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.answers import agree, form, overlap, side_by_side
from tailor.curate.rules.base import Hit, Severity

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "C101"
SEVERITY = "warn"
COST = "the model learns both and answers either way at random"
FIX = "decide which answer is right, and correct or leave out the others"
CLEAR = {"json", "number"}  # forms in which another answer is another answer, not another wording
UNLIKE = 0.2  # F1 of words under which prose has nothing in common


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row that differs from the usual answer to its question; the rows that give that one follow."""
    if corpus.many_answers:
        return
    for rows in corpus.groups(corpus.question_key, corpus.asked):
        keys = corpus.answer_key[rows].tolist()
        usual = Counter(keys).most_common(1)[0][0]
        others = [index for index, key in zip(rows, keys) if key != usual]
        if not others:
            continue
        agreed = [index for index, key in zip(rows, keys) if key == usual]
        wanted = corpus.row(agreed[0])
        for index in others:
            given = corpus.row(index)
            if agree(wanted.answer, given.answer, labels=corpus.labelled):
                continue
            count = f"{len(agreed):,} row" + ("s" if len(agreed) > 1 else "")
            yield Hit(
                message=f"answer differs from {count} with the same question",
                rows=(index, *agreed[:20]),
                evidence=side_by_side(given, wanted),
                at=given.answer,
                severity=_severity(wanted.answer, given.answer, corpus.labelled),
            )


def _severity(wanted: str, given: str, labels: bool) -> Severity:
    if labels or {form(wanted), form(given)} <= CLEAR:
        return "block"
    return "warn" if overlap(wanted, given) < UNLIKE else "inform"
