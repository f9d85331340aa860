"""ROUGE-L: F1 of the longest common subsequence of words (Lin 2004), mean over examples.

The number of the package rouge-score without stemming, wherever words are ASCII. That package knows no other letters,
so that an answer in Greek would always score 0: here a word is any run of letters and digits, and each Chinese,
Japanese or Thai character stands for itself. The subsequence is found with one bit a word (Hyyrö 2004), in time
words x words / 64.
"""

from __future__ import annotations

import re

from tailor.metrics.base import Aggregate, Samples, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "ROUGE-L: longest common subsequence of words, F1"
AGGREGATE: Aggregate = "mean"
BESIDE = ("chrf",)
SAMPLES: Samples = (
    ("the cat sat on the mat", "The cat sat on the mat!", 1.0),
    ("the cat sat", "a cat sat down", 4 / 7),
    ("το γατί", "το γατί κοιμάται", 0.8),
    ("the cat", "dogs", 0.0),
)
WORD = re.compile(
    r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+"
)


def score(example: Example, completion: Completion) -> Score:
    """2 x common / (words wanted + words given)."""
    wanted, given = words(example.answer), words(completion.text)
    if not wanted or not given:  # nothing but signs: what is left is whether they are the same
        return scored("rouge-l", completion, example.answer.strip() == completion.text.strip(), "no words in common")
    common = common_subsequence(wanted, given)
    detail = f"{common} words in order, of {len(wanted)} wanted and {len(given)} given"
    return scored("rouge-l", completion, 2 * common / (len(wanted) + len(given)), detail)


def words(text: str) -> list[str]:
    """The words of a text in lower case."""
    return WORD.findall(text.lower())


def common_subsequence(a: list[str], b: list[str]) -> int:
    """Length of the longest common subsequence."""
    places: dict[str, int] = {}
    for place, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << place
    everything = (1 << len(a)) - 1
    row = everything  # a zero bit: the common subsequence grows at this place of a
    for word in b:
        hits = row & places.get(word, 0)
        row = (row + hits | row - hits) & everything
    return len(a) - row.bit_count()
