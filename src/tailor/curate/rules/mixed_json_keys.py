"""JSON answers with other keys than the rest.

Two cases. At least 80% of the objects have the same keys and this one lacks one or has one more. Or, whether keys are
optional or not, this one has a key that is the usual one spelt otherwise: `dueDate`, `due date` or `Due_Date` beside
`due_date`. A model gives the other keys as often as the data does, and the program that reads them finds nothing under
the usual one. Silent where sets of keys vary and each key is well known: slots that a text may or may not have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.drift import FEWEST, json_object, usual
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C202"
SEVERITY = "block"
COST = "the program that reads the answers finds nothing under the usual key"
FIX = "give the object the keys of the others"
TIMES = 10  # as often as a spelling that the usual one stands


def collect(row: Row) -> tuple[str, ...] | None:
    """The keys, sorted."""
    value = json_object(row)
    return tuple(sorted(value)) if value is not None else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, sets = corpus.collected.get(CODE, ((), []))
    if len(sets) < FEWEST:
        return
    wanted = usual(sets)
    counts = Counter(key for keys in sets for key in keys)
    heads: dict[str, str] = {}
    for key, _ in counts.most_common():
        heads.setdefault(_bare(key), key)
    for index, keys in zip(rows, sets):
        told = [
            f"{key!r} is spelt {head!r} elsewhere"
            for key in keys
            if (head := heads[_bare(key)]) != key and counts[head] >= TIMES * counts[key]
        ]
        if wanted is not None and keys != wanted and not told:
            told = [f"lacks {key!r}" for key in wanted if key not in keys]
            told += [f"has {key!r} beside the usual keys" for key in keys if key not in wanted]
        if told:
            row = corpus.row(index)
            more = f" and {len(told) - 3} more" if len(told) > 3 else ""
            yield Hit(message="; ".join(told[:3]) + more, rows=(row.index,), evidence=row.given(), at=row.answer)


def _bare(key: str) -> str:
    return "".join(char for char in key.casefold() if char.isalnum()) or key
