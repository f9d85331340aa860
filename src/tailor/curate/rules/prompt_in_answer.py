"""A preference pair whose answer begins with the question.

The chosen or the rejected answer repeats the last user turn, or its first paragraph, before it says anything of its
own: an export that joined prompt and completion, or a base model's output kept whole. The model learns to repeat the
question; where only one of the two answers has it, the repetition itself is what is preferred or punished. An answer
that is the repeated sentence and nothing else may be what the task wants, and is left alone; so are questions of fewer
than four words, and titles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tailor.curate.rows import plain
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "K106"
SEVERITY = "warn"
COST = "the model learns to repeat the question, or that repeating it is what makes an answer good or bad"
FIX = "cut the question off the answer: `prompt` holds it already"
WORDS = 4
LONG = 12
_WORD = re.compile(r"\w")
_MARK = re.compile(  # who speaks, as templates write it, and what stands around a quotation
    r"(?i)[\s\"'“”>*#\[<|]*(?:(?:human|user|question|q|prompt|instructions?|input|im_start)\b[\s\]|>:*#]*)*"
)


def look(row: Row) -> Iterable[Hit]:
    """One Hit a pair."""
    example = row.example
    if example.kind != "pair" or not example.messages:
        return ()
    asked = {example.messages[0].text, example.messages[-1].text}
    openings = {plain(part) for text in asked for part in (text, text.strip().partition("\n")[0])}
    openings = {opening for opening in openings if _sentence(opening)}
    sides = {"chosen": example.chosen, "rejected": example.rejected}
    found = [side for side, turns in sides.items() if turns and _begins(turns[0].text, openings)]
    if not found:
        return ()
    who = f"{found[0]} answer begins" if len(found) == 1 else "both answers begin"
    at = sides[found[0]][0].text
    return (Hit(message=f"{who} with the question", evidence=" ".join(at[:140].split()), at=at),)


def _sentence(opening: str) -> bool:
    """Whether this is a sentence that one can ask, and no title or name that an answer may well begin with."""
    words = opening.count(" ") + 1
    return words >= LONG or (words >= WORDS and opening[-1] in ".?!:")


def _begins(answer: str, openings: Iterable[str]) -> bool:
    """Whether the answer begins with one of these sentences and goes on, marks of who speaks aside."""
    for opening in openings:
        head = answer[: 4 * len(opening) + 200]
        mark = _MARK.match(head)
        for start in {0, mark.end() if mark else 0}:
            said = plain(head[start:])
            if said.startswith(opening) and _WORD.search(said, len(opening)):
                return True
    return False
