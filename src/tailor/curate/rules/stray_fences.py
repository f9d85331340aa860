"""A code fence where the other answers have none, or none where they have one.

At least 80% of the answers stand bare and this one is wrapped in ``` as a whole, a habit of chat models that write data
for others; or the reverse. A program that reads bare JSON stops at the fence. Silent where no other answer is or begins
as the text inside does: a program among prose. `--fix` takes a fence off where JSON stands inside and nothing beside
it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.answers import LABEL
from tailor.curate.drift import answered, usual
from tailor.curate.rows import Row, json_value
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "C207"
SEVERITY = "warn"
COST = "the model fences some of its answers, and readers of the bare form stop there"
FIX = "write all answers with the fence, or all without"
HABIT = 0.2  # share of the other answers that begin in the same way: a program among prose is fenced for good reason
_BEGIN = re.compile(r"\s*(\d|\W|\w+)")
_FENCED = re.compile(r"\s*```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)


def collect(row: Row) -> tuple[bool, str, str] | None:
    """Whether the answer as a whole is fenced, how what stands inside begins, and all of it where it is short."""
    if not answered(row):
        return None
    text = row.answer.strip()
    inside = _FENCED.fullmatch(text) if text.startswith("```") and text.count("```") == 2 else None
    bare = inside[1].strip() if inside else text
    begins = _BEGIN.match(bare)
    begin = begins[1].lower() if begins else ""
    return inside is not None, "0" if begin.isdigit() else begin, bare if len(bare) <= LABEL else ""


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, seen = corpus.collected.get(CODE, ((), []))
    wanted = usual([fenced for fenced, *_ in seen])
    if wanted is None:
        return
    begins = Counter(begin for fenced, begin, _ in seen if fenced is wanted)
    others = {bare for fenced, _, bare in seen if fenced is wanted}
    for index, (fenced, begin, bare) in zip(rows, seen):
        if fenced is not wanted and begin and (begins[begin] >= HABIT * len(seen) or bare in others - {""}):
            row = corpus.row(index)
            message = "has no code fence, as nearly all others have" if wanted else "stands in a code fence"
            yield Hit(message=message, rows=(row.index,), evidence=row.given(), at=row.answer)


def mend(row: Row) -> dict[str, str]:
    """JSON without its fence."""
    found = {}
    for role, text in row.texts:
        if role == "assistant" and text.lstrip().startswith("```"):
            inside = _FENCED.fullmatch(text)
            if inside is not None and json_value(inside[1].strip()) is not None:
                found[text] = inside[1].strip()
    return found
