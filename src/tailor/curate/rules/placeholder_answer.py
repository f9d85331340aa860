"""An answer that stands for one: `TODO`, `N/A`, `nan`, `...`.

Somebody left it open, or a table's empty cell was written as text. The model learns to answer so. Words that may
name a class (`None`, `missing`) count where answers are no labels, or where this one is rare among them, and `None.`
as a sentence does not: "Any allergies?" may well be answered so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.labels import classes
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "Q101"
SEVERITY = "block"
COST = "the model learns to leave the answer open"
FIX = "write the answer, or take the row out"

_OPEN = re.compile(
    r"[\[<({*_]*(?:to[- ]?do|tbd|tbc|tba|fixme|nan|#?n/a|#n/d|#ref!|#value!|undefined|placeholder"
    r"|lorem ipsum.*|x{3,}|\?+|-{1,3}|[–—]+"
    r"|_+|…|\.{2,}|blank|empty|missing|pending|insert (?:answer|text)(?: here)?|(?:your )?(?:answer|response|text) here"
    r"|no (?:answer|response|output|data)|not available|answer|response|output|completion"
    r"|(?:(?:to|will) be )?(?:done|add(?:ed)?|fill(?:ed)?(?: (?:it )?in)?|completed?|determined?|written?)"
    r"(?: later| soon)|(?:to|will) be (?:done|added|filled(?: in)?|completed|determined|written))[\]>)}*_:.!]*"
)
RARE = 4  # times rarer than half of the rows' labels are: then it is no class
_NEVER = frozenset(["todo", "tbd", "tbc", "tba", "fixme", "nan", "placeholder"])  # no class is called so
_WORDS = frozenset(["none", "null", "nil", "nul", "<na>", "\\n"])


def collect(row: Row) -> int | None:
    """1 for what always stands for an answer, 2 for what may be one."""
    if not 0 < len(row.answer) <= 80 and not row.plain_answer.startswith("lorem ipsum"):
        return None
    answer = row.plain_answer
    if answer in _WORDS:
        return 2
    if not _OPEN.fullmatch(answer):
        return None
    return 2 if answer.isalpha() and answer not in _NEVER else 1


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    found = classes(corpus)
    sizes = found.counts[found.own]
    rare = set(found.rows[sizes * RARE < np.median(sizes)].tolist()) if len(sizes) else set()
    for index, kind in zip(*corpus.collected.get(CODE, ([], []))):
        if not corpus.against[index] and (kind == 1 or not corpus.labelled or int(index) in rare):
            answer = corpus.row(index).answer.strip()
            yield Hit(message=f"the answer is {answer[:30]!r}", rows=(int(index),), evidence=answer[:80], at=answer)
