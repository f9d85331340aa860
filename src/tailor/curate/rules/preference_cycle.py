"""Preferences that go round in a circle: A over B, B over C, C over A.

For one question, pairs that cannot all hold. The shortest circle is a pair that stands the other way round elsewhere.
Whatever the model learns, it is punished for one of them; between two judges who disagree the pairs train nothing but
noise. All pairs of the circle are named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rows import key, plain
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "K103"
SEVERITY = "block"
COST = "whatever the model prefers is wrong by one of these pairs"
FIX = "decide which answer is better, and turn round or leave out the others"


def collect(row: Row) -> tuple[int, int] | None:
    """Hashes of the better and the worse answer."""
    if row.example.kind != "pair" or row.against:
        return None
    better, worse = (key(*[plain(turn.text) for turn in side]) for side in (row.example.chosen, row.example.rejected))
    return (better, worse) if better != worse else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a circle."""
    rows, pairs = corpus.collected.get(CODE, ((), []))
    answers = dict(zip((int(row) for row in rows), pairs))
    mask = np.zeros(len(corpus), np.bool_)
    mask[list(answers)] = True
    for held in corpus.groups(corpus.prompt_key, mask):
        over: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for row in held:
            better, worse = answers[row]
            over[better].setdefault(worse, row)
        told: set[int] = set()
        for row in held:
            better, worse = answers[row]
            back = _way(over, worse, better)
            if back and row not in told and not told & set(back):
                told |= {row, *back}
                *others, last = sorted((row, *back))
                circle = (
                    f"closes a circle of {len(back) + 1}" if len(back) > 1 else "stands the other way round elsewhere"
                )
                evidence = corpus.row(last).excerpt()
                yield Hit(message=f"preference {circle}", rows=(last, *others), evidence=evidence)


def _way(over: dict[int, dict[int, int]], start: int, end: int) -> list[int]:
    """The rows of the shortest way from one answer to a worse one; empty where there is none."""
    ways: dict[int, list[int]] = {start: []}
    front = [start]
    while front:
        ahead = []
        for answer in front:
            for worse, row in over[answer].items() if answer in over else ():
                if worse not in ways:
                    ways[worse] = [*ways[answer], row]
                    ahead.append(worse)
        if end in ways:
            return ways[end]
        front = ahead
    return []
