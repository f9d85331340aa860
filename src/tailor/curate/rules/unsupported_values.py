"""A value in the answer that the question does not hold.

Where answers are taken from the question (the values under a key of JSON answers, answers that are one short piece),
at least 85% of them stand in it: to the letter, without case and marks, or by their numbers and days (`AF61446` for
order 61446, `24MAR` or `2024-03-24` for March 24). This one does not. It is the training of invention: a model fine-
tuned on facts that it cannot see learns to make them up (Gekhman 2024, arXiv 2405.05904). Keys whose values are worked
out, labels and free text do not reach that share and are left alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tailor.curate.answers import LABEL
from tailor.curate.dates import MONTHS
from tailor.curate.drift import FEWEST, answered
from tailor.curate.rows import plain as fold
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C501"
SEVERITY = "warn"
COST = "the model learns to make up what it cannot see"
FIX = "take the value from the question, leave the key out, or take the row out"
COPIED = 0.85  # share of values that stand in the question; 10% of invented ones leave it above
SURELY = 0.95  # share of the values beside a key that speak for it where it has few of its own, or much invented
_PIECE = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_SHORT = 2  # characters, of what is no number: less stands in every question
_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
)
_SPOKEN = {word: str(number) for number, word in enumerate(_WORDS.split())}
_SPOKEN |= {"first": "1", "second": "2", "third": "3", "thirty": "30", "forty": "40", "fifty": "50", "hundred": "100"}
_SPOKEN |= {name: str(number) for name, number in MONTHS.items()}


def collect(row: Row) -> tuple[tuple[str, bool], ...] | None:
    """(key, whether it stands in the question) of each value."""
    if not answered(row) or not row.prompt:
        return None
    return tuple((key, held) for key, _, held in _values(row)) or None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a value. Keys that few rows have are judged together with those beside them."""
    rows, seen = corpus.collected.get(CODE, ((), []))
    held: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for pairs in seen:
        for key, found in pairs:
            for name in (key, _beside(key)):
                held[name][0] += 1
                held[name][1] += found
    copied = {key for key in held if _copied(held[key], held[_beside(key)])}
    for index, pairs in zip(rows, seen):
        if all(found or key not in copied for key, found in pairs):
            continue
        row = corpus.row(index)
        for key, value, found in _values(row):
            if not found and key in copied:
                where = f" under {key!r}" if key else ""
                message = f"{value!r}{where} does not stand in the question"
                yield Hit(message=message, rows=(row.index,), evidence=row.excerpt(), at=value)


def _copied(own: list[int], beside: list[int]) -> bool:
    """Whether a key takes its values from the question, by its own values and all beside it; (all, of them found)."""
    if own[0] >= FEWEST and own[1] >= COPIED * own[0]:
        return True
    rest = beside[0] - own[0], beside[1] - own[1]
    return rest[0] >= FEWEST and rest[1] >= SURELY * rest[0] and (own[0] < FEWEST or 2 * own[1] >= own[0])


def _beside(key: str) -> str:
    return f"{key.rpartition('.')[0]}.*" if key else key


def _values(row: Row) -> list[tuple[str, str, bool]]:
    """(key, value, whether the question holds it). The numbers of a text stand under the key \\0."""
    held = _Held(row)
    if row.json is None:
        text = row.answer.strip()
        if len(text) <= LABEL and "\n" not in text:
            return [("", text, held.holds(text))] if len(text) >= _SHORT or text.isdigit() else []
        return []
    values = [(key, text) for key, text in row.leaves if len(text) >= _SHORT or text.isdigit()]
    values += _numbers("", row.json)
    return [(key, value, held.holds(value)) for key, value in values]


def _numbers(path: str, value: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    if type(value) in (int, float):
        yield path, str(value)
    elif type(value) is dict and depth < 8:
        for key, item in value.items():
            yield from _numbers(f"{path}.{key}" if path else key, item, depth + 1)


class _Held:
    """What a question holds."""

    def __init__(self, row: Row) -> None:
        self.text = row.plain_prompt
        self._facts: set[str] | None = None
        self._squeezed: str | None = None

    @property
    def facts(self) -> set[str]:
        """Its numbers and months, as numbers."""
        if self._facts is None:
            self._facts = _facts(self.text)
        return self._facts

    def holds(self, value: str) -> bool:
        """Whether it holds a value, or its numbers."""
        plain = fold(value)
        at = self.text.find(plain)
        while at >= 0:
            before, after = self.text[max(at - 1, 0) : at], self.text[at + len(plain) : at + len(plain) + 1]
            if not before.isalnum() or not after.isalnum():
                return True
            at = self.text.find(plain, at + 1)
        facts = _facts(plain) if any(char.isdigit() for char in plain) or plain in _SPOKEN else None
        if facts:
            return facts <= self.facts
        if self._squeezed is None:
            self._squeezed = "".join(filter(str.isalnum, self.text))
        bare = "".join(filter(str.isalnum, plain))
        return len(bare) > _SHORT and bare in self._squeezed


def _facts(text: str) -> set[str]:
    found = set()
    for piece in _PIECE.findall(text):
        if piece[0].isdigit():
            found.add(_bare(piece))
        elif piece in _SPOKEN:
            found.add(_SPOKEN[piece])
    return found


def _bare(number: str) -> str:
    """A number without marks of thousands, zeros before it and after the point."""
    whole, _, part = number.replace(",", "").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")
