"""A training row whose question stands in the held-out rows.

The prompts have the same words after Unicode normalisation and case folding, punctuation aside; rows of plain text are
equal as a whole. The score on such rows measures memory, not skill. Public sets have them too: 25 of the 3,080 test
questions of banking77 stand in its training file. Each prompt within a conversation counts, because each of its answers
is trained on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rows import plain, question_keys
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "L101"
SEVERITY = "block"
COST = "the held-out score measures what was memorised"
FIX = "leave the row out of training"
DROPS = True


def collect(row: Row) -> tuple[int, ...] | None:
    """The keys of the earlier prompts of a conversation."""
    prompt = row.example.prompt
    ends = [index for index, turn in enumerate(prompt) if index and turn.role == "assistant"]
    if not ends or row.against or row.example.tools:
        return None
    return tuple(question_keys(plain("\n".join(turn.text for turn in prompt[:end])), "")[0] for end in ends)


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a training row."""
    keys = np.where(corpus.question_key != 0, corpus.question_key, corpus.answer_key)
    held: dict[int, list[int]] = defaultdict(list)
    for index in np.flatnonzero(corpus.against & (keys != 0)).tolist():
        held[int(keys[index])].append(index)
    if not held:
        return
    shared = np.flatnonzero(~corpus.against & np.isin(keys, np.fromiter(held, np.uint64)))
    met = {index: held[int(keys[index])] for index in shared.tolist()}
    indices, values = corpus.collected.get(CODE, (np.empty(0, np.int64), []))
    for index, earlier in zip(indices.tolist(), values):
        found = next((held[value] for value in earlier if value in held), None)
        if found is not None:
            met.setdefault(index, found)
    for index, others in sorted(met.items()):
        evidence = corpus.row(index).excerpt()
        yield Hit(message="its question is held out", rows=(index, *others[:20]), evidence=evidence, drop=True)
