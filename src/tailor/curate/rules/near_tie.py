"""A preference pair whose two answers are nearly the same text.

They differ in punctuation only; or, in data whose pairs otherwise differ clearly, in one word of twenty, and in no
number, negation or name; a word with a slip of the pen (`capacitos`) counts for half a word, and may be a name. What
such a pair teaches is that comma or word, with the weight of a whole pair; mostly the sampler gave the same answer
twice, and a person or a judge had to choose. Pairs that differ by little in order to teach just that (a tone, a
spelling) are left alone: where a fifth of the pairs is alike, that is the data's way. Pairs that are equal are K101.
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
    written, otherwise = _WORD.findall(chosen), _WORD.findall(rejected)
    slips = _slips(written, otherwise)
    names, others_names = ({word for word in found if _telling(word)} for found in (written, slips))
    chosen, rejected = plain(chosen), plain(rejected)
    words, others = _WORD.findall(chosen), _WORD.findall(rejected)
    if not words or chosen == rejected:
        return None
    key, other = question_keys(chosen), question_keys(rejected)
    if words == others:
        return 2.0 if key == other else 0.0
    mended = [word.casefold() for word in slips]
    alike = (_common(words, others) + _common(words, mended)) / 2
    ordered = alike >= NEARLY and _common(itertools.pairwise(words), itertools.pairwise(mended)) >= ORDERED
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


def _slips(words: list[str], others: list[str]) -> list[str]:
    """The words of the rejected answer, those with a slip of the pen as the chosen answer has them."""
    if len(words) != len(others):
        return others
    return [word if word != other and _slip(word, other) else other for word, other in zip(words, others)]


def _slip(word: str, other: str) -> bool:
    """Whether two words differ in one letter, put in, left out or exchanged, or in the order of two."""
    if min(len(word), len(other)) < 4 or not (word.isalpha() and other.isalpha()):
        return False
    start = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(word, other)))
    a, b = word[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def _telling(word: str) -> bool:
    """Whether a word is a name, or has a number in it: one such word makes another answer."""
    return word[0].isupper() or (not word.isalpha() and any(sign.isdigit() for sign in word))


def _common(these: Iterable[object], those: Iterable[object]) -> float:
    """F1 of two bags."""
    left, right = Counter(these), Counter(those)
    size = left.total() + right.total()
    return 2 * (left & right).total() / size if size else 1.0
