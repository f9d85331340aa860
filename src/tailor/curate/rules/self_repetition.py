"""An answer that says the same again and again.

It ends in a loop of one piece, or three of ten of its sentences or lines stand in it already (the threshold of Gopher,
Rae et al. 2021). Sampled answers do so, and a model trained on them loops more. Verse with a refrain, tables, numbers
and code repeat themselves, too, and are left alone where they do it a few times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q109"
SEVERITY = "warn"
COST = "the model learns to loop"
FIX = "cut the answer where it begins to repeat itself"

_CUT = re.compile(r"(?<=[.!?])\s+|\n+")
_SHARE = 0.3  # of pieces that are there already
_PIECES = 5
_CHARS = 20  # of a piece that tells: `Yes.` and `end` recur
_LOOPS = 4
_SHORT = re.compile(r"\b([^\W\d]{1,5}\W{1,2})\1{10,}\w{0,5}\Z")  # `the the the the`


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    answer = row.answer.rstrip()
    if len(answer) < 80 or row.example.kind == "text" or "```" in answer:
        return
    loop = _loop(answer)
    if loop:
        yield Hit(message="the answer ends in a loop", evidence=" ".join(loop.split())[:100], at=loop)
        return
    if answer.count(".") + answer.count("\n") + answer.count("!") < _PIECES - 1:
        return
    pieces = [piece.strip() for piece in _CUT.split(answer)]
    pieces = [piece for piece in pieces if len(piece) >= _CHARS]
    again = len(pieces) - len(set(pieces))
    if len(pieces) >= _PIECES and again >= _SHARE * len(pieces):
        most = max(set(pieces), key=lambda piece: (pieces.count(piece), piece))
        yield Hit(message=f"{again} of {len(pieces)} sentences stand there twice", evidence=most[:100], at=most)


def _loop(answer: str) -> str:
    """The piece of 6 to 200 characters with letters that the answer ends in, four times over and more, or a shorter
    word a dozen times; else nothing."""
    if short := _SHORT.search(answer):
        return short[1]
    tail = answer[-6:]
    if answer.count(tail) < _LOOPS:
        return ""
    size = len(answer) - 6 - answer.rfind(tail, 0, len(answer) - 1)
    piece = answer[-size:]
    return piece if 6 <= size <= 200 and any(map(str.isalpha, piece)) and answer.endswith(piece * _LOOPS) else ""
