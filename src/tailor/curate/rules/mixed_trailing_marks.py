"""A full stop at the end where the other answers have none.

Short answers (one line of at most 64 characters, as labels, names and values are) of which at least 80% end without a
full stop, and this one with it. To a comparison of texts it is another answer. Sentences are left alone, and so are
answers that lack the full stop that the others have: see Q103 for those that break off. `--fix` takes it off where the
answer is one word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.answers import LABEL
from tailor.curate.drift import answered, usual
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C209"
SEVERITY = "warn"
COST = "the answer counts as another one when it is compared"
FIX = "take the full stop off, as in the other answers"
SHORT = 0.9  # share of answers that are short: where sentences are wanted too, some end with a mark
_STOPPED = re.compile(r"[^.!]*[^\s.!]\.")
_WORD = re.compile(r"(\s*[\w-]+)\.(\s*)")


def collect(row: Row) -> str | None:
    """`stopped`, `bare`, or `long` for what is more than a short line."""
    if not answered(row):
        return None
    text = row.answer.strip()
    if len(text) > LABEL or "\n" in text:
        return "long"
    return "stopped" if text[-1] == "." and _STOPPED.fullmatch(text) else "bare"


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, seen = corpus.collected.get(CODE, ((), []))
    if seen.count("long") > (1 - SHORT) * len(seen) or usual(seen) != "bare":
        return
    for index, kind in zip(rows, seen):
        if kind == "stopped":
            row = corpus.row(index)
            message = "ends with a full stop, unlike the other answers"
            yield Hit(message=message, rows=(row.index,), evidence=row.given(), at=row.answer)


def mend(row: Row) -> dict[str, str]:
    """One word without its full stop."""
    found = {}
    for role, text in row.texts:
        word = _WORD.fullmatch(text) if role == "assistant" else None
        if word is not None:
            found[text] = word[1] + word[2]
    return found
