"""A preference pair whose two answers are nearly the same text.

They differ in punctuation only; or, in data whose pairs otherwise differ clearly, in one word of twenty, and in no
number, negation or name. What such a pair teaches is that comma or word, with the weight of a whole pair; mostly the
sampler gave the same answer twice, and a person or a judge had to choose. Pairs that differ by little in order to teach
just that (a tone, a spelling) are left alone: where a fifth of the pairs is alike, that is the data's way. Pairs that
are equal are K101.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tailor.curate.rows import plain, question_keys
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "K105"
SEVERITY = "warn"
COST = "the pair teaches a comma or a word with the weight of a whole answer"
FIX = "leave the pair out, or put a rejected answer that is worse for a reason"
ALIKE = 0.8  # share of words in both from which two answers are alike
NEARLY = 0.95  # and nearly the same: one word of twenty; of pairs of words, which a changed one takes two of, as many
ORDERED = 0.9
WAY = 0.2  # share of pairs that are alike from which that is meant
_WORD = re.compile(r"\w+")


def collect(row: Row) -> float | None:
    """2 where only punctuation differs; below 1, how alike the answers are where they are; None for all others."""
    example = row.example
    if example.kind != "pair" or row.against:
        return None
    chosen, rejected = ("\n".join(turn.text for turn in side) for side in (example.chosen, example.rejected))
    if not 0.8 * len(chosen) <= len(rejected) <= 1.25 * len(chosen):
        return 0.0
    names, others_names = ({word for word in _WORD.findall(text) if word[0].isupper()} for text in (chosen, rejected))
    chosen, rejected = plain(chosen), plain(rejected)
    words, others = _WORD.findall(chosen), _WORD.findall(rejected)
    if not words or chosen == rejected:
        return None
    key, other = question_keys(chosen), question_keys(rejected)
    if words == others:
        return 2.0 if key == other else 0.0
    alike = _common(words, others)
    ordered = alike >= NEARLY and _common(itertools.pairwise(words), itertools.pairwise(others)) >= ORDERED
    return alike if ordered and key[1] == other[1] and names == others_names else min(alike, ALIKE)


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a pair."""
    rows, found = corpus.collected.get(CODE, ((), []))
    enough = WAY * max(len(found), 1 / WAY)
    least = NEARLY if sum(value >= ALIKE for value in found) <= enough else 2
    if sum(value > 1 for value in found) > enough:
        return
    for index, value in zip(rows, found):
        if value >= least:
            row = corpus.row(index)
            chosen, rejected = (side[-1].text.strip() for side in (row.example.chosen, row.example.rejected))
            what = "in punctuation only" if value > 1 else f"in {1 - value:.0%} of their words"
            same = itertools.takewhile(lambda marks: marks[0] == marks[1], zip(chosen, rejected))
            at = sum(1 for _ in same)
            here, there = (" ".join(text[max(0, at - 25) : at + 45].split()) for text in (chosen, rejected))
            yield Hit(
                message=f"chosen and rejected answer differ {what}",
                rows=(row.index,),
                evidence=f"chosen    …{here}\nrejected  …{there}",
                at=chosen,
            )


def _common(these: Iterable[object], those: Iterable[object]) -> float:
    """F1 of two bags."""
    left, right = Counter(these), Counter(those)
    size = left.total() + right.total()
    return 2 * (left & right).total() / size if size else 1.0
