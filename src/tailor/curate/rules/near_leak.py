"""A training row that nearly asks what a held-out row asks.

The prompts share at least `check.near` (0.8) of their five-byte pieces, those aside that all rows share and both of
these have, and name the same numbers and negations. More than 4% of the validation rows of large public sets have such
a twin in training (Lee et al. 2021), and exact comparison misses all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.answers import parting
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "L102"
SEVERITY = "warn"
COST = "the held-out score is partly memory"
FIX = "leave the row out of training, or split so that both stand on one side"


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a training row, with the held-out row that it is closest to."""
    if not corpus.against.any():
        return
    for found, keys in ((corpus.near.prompts, corpus.prompt_key), (corpus.near.rows, corpus.row_key)):
        met: dict[int, tuple[float, int]] = {}
        texts = keys is corpus.row_key
        sides = _sides(corpus, keys, found.pairs)
        same = corpus.prompt_facts[found.pairs[:, 0]] == corpus.prompt_facts[found.pairs[:, 1]]
        for (a, b), similarity, numbers in zip(found.pairs.tolist(), found.similarity.tolist(), same.tolist()):
            if not numbers or (texts and corpus.prompt_key[a]):
                continue
            if not texts and corpus.question_key[a] == corpus.question_key[b]:
                continue  # L101 says so
            for one, other in ((a, b), (b, a)):
                for index in sides[one][0]:
                    if sides[other][1] and similarity > met.get(index, (0.0, 0))[0]:
                        met[index] = similarity, sides[other][1][0]
        for index, (similarity, held) in sorted(met.items()):
            evidence = parting(corpus.row(index), corpus.row(held))
            yield Hit(message=f"{similarity:.0%} of its question is held out", rows=(index, held), evidence=evidence)


def _sides(corpus: Corpus, keys: np.ndarray, pairs: np.ndarray) -> dict[int, tuple[list[int], list[int]]]:
    """(training rows, held-out rows) that share the key of each row of the pairs, which are the first of their key."""
    firsts = np.unique(pairs)
    first_of = dict(zip(keys[firsts].tolist(), firsts.tolist()))
    sides: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for index in np.flatnonzero(np.isin(keys, keys[firsts])).tolist():
        sides[first_of[int(keys[index])]][int(corpus.against[index])].append(index)
    return sides
