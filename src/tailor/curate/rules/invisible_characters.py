"""Characters that nobody sees: zero-width, control and direction marks.

They come with copying from web pages and PDF files, and split words into tokens that the model never meets otherwise.
Marks of direction can also hide text from readers (Boucher and Anderson 2021, "Trojan Source"). Joiners within
emoji and within scripts that need them, and marks of direction beside Arabic or Hebrew, are left alone; a non-breaking
space between plain words is only mentioned.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit, Severity

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q202"
SEVERITY = "warn"
COST = "words fall into tokens that the model never meets elsewhere"
FIX = "take them out"

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f\xad\u180e\u200b\u2060-\u2064\u2028\u2029\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
    "|(?<=[ -~])[\u200c\u200d]|[\u200c\u200d](?=[ -~])"
)
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_SPACE = re.compile("(?<=[A-Za-z,;.])\xa0(?=[A-Za-z])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007f]+")  # the flags of England, Scotland and Wales


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row, for the first such character."""
    whole = row.whole
    found = _CONTROL.search(whole) if whole.isascii() else _first(whole)
    if found is not None:
        name = unicodedata.name(found[0], "control character").lower()
        around = whole[max(0, found.start() - 30) : found.end() + 30]
        message = f"{name} (U+{ord(found[0]):04X})"
        severity: Severity | None = "inform" if found[0] == "\xa0" else None
        yield Hit(message=message, evidence=ascii(around)[1:-1], at=found[0], severity=severity)


def mend(row: Row) -> dict[str, str]:
    """Texts without zero-width marks; control characters stay, for something may have stood there."""
    pairs = (
        (text, _INVISIBLE.sub(_nothing, text))
        for _, text in row.texts
        if not text.isascii() and "\U0001f3f4" not in text
    )
    return {old: new for old, new in pairs if old != new and new.strip()}


def _nothing(match: re.Match[str]) -> str:
    return match[0] if match[0] < "\xa0" else ""


def _first(text: str) -> re.Match[str] | None:
    if "\U0001f3f4" in text:
        text = _FLAG.sub(lambda flag: "x" * len(flag[0]), text)
    found = _INVISIBLE.search(text)
    if found is None and not _RIGHT_TO_LEFT.search(text):
        found = _DIRECTION.search(text)
    return found or _SPACE.search(text)
