"""Markdown in an answer where the others have none, or none where they have it.

Bold type, a heading, back ticks, links, tables: at least 80% of the answers go without and this one has it, or the
reverse. Most programs that show text show the stars and hashes as they stand. It looks at answers of one make only,
whose lengths lie close together: where assistants answer everything, some answers rightly have headings. A mark that
stands in the question, or is asked for, is left alone, and so is code in a sentence. Fences are C207, items of lists
C213. `--fix` takes off bold type, back ticks around the whole answer, and the hash of an answer that is a heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.drift import answered, one_make, usual
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C211"
SEVERITY = "warn"
COST = "stars and hashes are shown as they stand, in as many answers as the data has them"
FIX = "write the answer with the marks of the others, or without as they do"
_MARKS = {
    "bold type": ("**", re.compile(r"(?<![\w)\]*])\*\*(?=[^\s*])([^*\n]*[^\s*])\*\*(?![\w*])")),
    "italics": (
        "",
        re.compile(r"(?<![\w)\]*\\])\*(?=[A-Za-z])[^*\n]*[\w.!?]\*(?![\w*])|\A\*[^*\n]+\*\Z|\A_[^_\n]+_\Z"),
    ),
    "a heading": ("# ", re.compile(r"^#{1,6}[ \t]+[^\W\d_]", re.MULTILINE)),
    "back ticks": ("`", re.compile(r"`[^`\n]+`")),
    "a link": ("](", re.compile(r"\[[^\]\n]+\]\([^)\s]+\)")),
    "a table": ("|", re.compile(r"^\|.*\|[ \t]*\n\|[-:| ]+\|", re.MULTILINE)),
    "a quotation": ("> ", re.compile(r"^> \S", re.MULTILINE)),
    "struck-out text": ("~~", re.compile(r"~~\S[^~\n]*~~")),
}
_NAMES = list(_MARKS)
_HINT = re.compile(r"[*#`>~]|\]\(|\n\||\A_")
_ASKED = re.compile(r"markdown|\bbold|italic|heading|\btable\b|hyperlink|back ?tick|\bformat")


def collect(row: Row) -> int | None:
    """Which of the marks it has, a bit each; those that the prompt has or asks for do not count."""
    if not answered(row):
        return None
    if not _HINT.search(row.answer):
        return 0
    found = _marks(row.answer)
    if found and _ASKED.search(row.plain_prompt):
        return None
    return found and found & ~_marks(row.prompt)


def _marks(text: str) -> int:
    found = 0
    padded = f" {text}"
    for at, (sign, mark) in enumerate(_MARKS.values()):
        # back ticks in a sentence hold code that is spoken of
        if sign in padded and (mark.fullmatch(text.strip()) if sign == "`" else mark.search(text)):
            found |= 1 << at
    return found


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row and mark."""
    rows, seen = corpus.collected.get(CODE, ((), []))
    if not one_make(corpus, rows):
        return
    marks = np.array(seen, np.int64)
    for at, name in enumerate(_NAMES):
        has = (marks >> at & 1).astype(bool)
        wanted = usual(has.tolist())
        for index in np.asarray(rows)[has != wanted] if wanted is not None else ():
            row = corpus.row(index)
            if wanted:
                yield Hit(message=f"has not {name}, as others have", rows=(row.index,), evidence=row.given())
                continue
            put = _off(row.answer) if name in ("bold type", "back ticks", "a heading") else None
            message = f"has {name}, unlike the other answers"
            yield Hit(message=message, rows=(row.index,), evidence=row.given(), at=row.answer, put=put)


def _off(text: str) -> str | None:
    """The text without what can be taken off: bold type, and back ticks or a hash that are about the whole of it."""
    bare = _MARKS["bold type"][1].sub(r"\1", text.strip())
    whole = re.fullmatch(r"`([^`\n]+)`|#{1,6}[ \t]+([^\n]+)", bare)
    bare = (whole[1] or whole[2]) if whole else bare
    return bare if bare != text.strip() else None
