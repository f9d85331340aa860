"""A training row that holds passages of a held-out row.

At least half of the runs of 13 words in a held-out row (prompt and answer, what all rows share taken off) stand in
one training row, though the two are not near duplicates as a whole: an excerpt, a quoted answer, a document cut in
overlapping pieces. Thirteen words are what the field takes for contamination (Brown et al. 2020, appendix C).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rules.base import KEPT, Hit
from tailor.curate.shingles import Template

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "L103"
SEVERITY = "warn"
COST = "the held-out answer can be read off the training rows"
FIX = "split by document or source (data.group), or leave the row out of training"
WORDS = 13
MUCH = 0.5  # of the held-out row's runs: below, quotations and stock phrases are met
WHOLE = 0.7  # of the runs: a variation has other words in each second run or so
STOCK = 20  # held-out rows: a run that more of them have is a stock phrase
FEWEST = 4  # runs a held-out row needs to be judged, that is 16 words of its own


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a training row, with the held-out row that it holds most of."""
    if not corpus.against.any() or corpus.against.all():
        return
    found = [part for part in corpus.map(_held, corpus.near.template) if len(part[0])]
    if not found:
        return
    runs, rows = (np.concatenate(parts) for parts in zip(*found))
    order = np.argsort(runs, kind="stable")
    runs, rows = runs[order], rows[order]
    counts = np.unique(runs, return_counts=True)[1]
    own = np.repeat(counts, counts) <= STOCK
    runs, rows = runs[own], rows[own]
    sizes = np.bincount(rows, minlength=len(corpus))
    best: dict[int, tuple[float, int]] = {}
    for part in corpus.map(_met, corpus.near.template, runs, rows):
        for train, held, count in part:
            share = count / sizes[held]
            if sizes[held] >= FEWEST and share >= MUCH and share > best.get(train, (0.0, 0))[0]:
                best[train] = share, held
    whole = corpus.near.rows.pairs
    near = np.concatenate([corpus.near.prompts.pairs, whole[corpus.prompt_key[whole[:, 0]] == 0]])
    across = near[corpus.against[near[:, 0]] != corpus.against[near[:, 1]]]
    alike = set(map(tuple, across.tolist()))  # the training side is read first
    for number, (train, (share, held)) in enumerate(sorted(best.items())):
        if corpus.question_key[train] == corpus.question_key[held]:
            continue  # L101 says so
        if (train, held) in alike and (share < WHOLE or corpus.prompt_facts[train] == corpus.prompt_facts[held]):
            continue  # L102 says so, or it is a variation of the held-out row
        evidence = f"{corpus.row(train).excerpt()}\n{corpus.row(held).excerpt()}" if number < KEPT else ""
        yield Hit(message=f"holds {share:.0%} of a held-out row", rows=(train, held), evidence=evidence)


def _held(rows: list[Row], template: Template) -> tuple[np.ndarray, np.ndarray]:
    """(runs, rows) of the held-out rows of a chunk, each run once a row."""
    held = [row for row in rows if row.against]
    runs, places = template.runs_of([f"{row.plain_prompt} {row.plain_answer}" for row in held], WORDS)
    both = np.unique(np.stack([places.astype(np.uint64), runs]), axis=1)
    indices = np.array([row.index for row in held], np.int64)
    return both[1], indices[both[0].astype(np.intp)] if len(held) else places


def _met(rows: list[Row], template: Template, runs: np.ndarray, held: np.ndarray) -> list[tuple[int, int, int]]:
    """(training row, held-out row, runs that both have) of a chunk; `runs` are sorted, `held` says whose they are."""
    ours = [row for row in rows if not row.against]
    theirs, places = template.runs_of([f"{row.plain_prompt} {row.plain_answer}" for row in ours], WORDS)
    first = np.searchsorted(runs, theirs)
    last = np.searchsorted(runs, theirs, side="right")
    counts: Counter[tuple[int, int]] = Counter()
    for place in np.flatnonzero(last > first).tolist():
        for row in set(held[first[place] : last[place]].tolist()):
            counts[ours[int(places[place])].index, row] += 1
    return [(train, other, count) for (train, other), count in counts.items()]
