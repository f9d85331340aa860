"""Untrusted text made safe to look at, and numbers made easy to read.

Escaping is jinja2's and `svg.tag`'s work; this file decides what the reader sees of characters that have no picture.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

LIMIT = 6_000  # characters of one text; past that a page is no place to read it

_SUSPECT = re.compile(r"[^\n\t -~]")
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and marks that are drawn as nothing
_JOINERS = "\u200c\u200d"


def shown(text: str, limit: int = LIMIT) -> str:
    """`text` with every character that hides or reorders others spelt out, cut at `limit` with a visible mark.

    Controls, bidirectional and other format characters become their code (`⟨U+202E⟩`). New lines, tabs, and the joiners
    inside emoji and non-Latin words stay as they are.
    """
    more = len(text) - limit
    if more > 0:
        text = text[:limit]
    text = _SUSPECT.sub(_spell, text)
    return f"{text} … [{more:,} more characters]" if more > 0 else text


def _spell(match: re.Match[str]) -> str:
    char, text, at = match[0], match.string, match.start()
    code = ord(char)
    if char in _JOINERS and 0 < at < len(text) - 1 and not (text[at - 1] + text[at + 1]).isascii():
        return char
    hidden = unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
    if hidden or char in _UNSEEN or 0xE0100 <= code <= 0xE01EF:  # the last: variation selectors that smuggle bytes
        return f"⟨U+{code:04X}⟩"
    return char


def count(value: float) -> str:
    """A whole number with thousands: 10,003."""
    return f"{value:,.0f}"


def short(value: float) -> str:
    """A count in three characters or so: 950, 12k, 1.25M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def number(value: float) -> str:
    """A score or loss with the digits that an interval of ordinary width leaves meaningful: 0.912, 27.41, 1,204."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.{3 if size < 10 else 2 if size < 100 else 1}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def grade(value: float) -> str:
    """The score of one row: 1 and 0 for right and wrong, else as `number`."""
    return f"{value:.0f}" if value in (0, 1) else number(value)


def signed(value: float) -> str:
    """A difference: +0.123, −0.045."""
    text = number(value)
    return text if text.startswith("−") or float(text.replace(",", "")) == 0 else f"+{text}"


def probability(value: float) -> str:
    """A p-value: p = 0.031, or p < 0.001."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def duration(seconds: float) -> str:
    """0.8 s, 42 s, 12.4 min, 2.1 h; the space does not break."""
    if seconds < 59.5:
        return f"{seconds:.{1 if seconds < 10 else 0}f}\u00a0s"
    return f"{seconds / 60:.1f}\u00a0min" if seconds < 3600 else f"{seconds / 3600:.1f}\u00a0h"


def size(octets: float) -> str:
    """Memory: 640 kB, 812 MB, 1.61 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if octets >= scale:
            return f"{octets / scale:.3g} {unit}"
    return f"{octets:.0f} B"


def plain(value: Any) -> str:
    """A setting or fact from JSON as a person writes it."""
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {plain(item)}" for key, item in value.items()) or "none"
    return str(value)
