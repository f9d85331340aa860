"""HTML entities and tags in plain text.

`&amp;`, `&#39;`, `<br>`, `</p>` are left when web pages become text. The model learns to write them. Rows about HTML,
XML or code are left alone, and so are tags that a template may want.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q203"
SEVERITY = "warn"
COST = "the model learns to write mark-up into plain text"
FIX = "write the characters themselves, and take the tags out"

_ENTITY = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|[lr][sd]quo|[mn]dash|hellip|bull|middot|copy|reg|trade|euro|pound|cent|deg|times|frac\d\d"
    r"|[A-Za-z](?:acute|grave|uml|circ|tilde|cedil|ring)|szlig|#\d{2,6}|#x[\dA-Fa-f]{2,5});"
)
_TAG = re.compile(
    r"</?(?:br|p|div|span|b|i|em|strong|font|ul|ol|li|table|t[dr]|h[1-6]|center|tbody|sup|sub|u|img|hr)"
    r"(?: [a-z]+=[^<>\n]{0,120})? ?/?>"
    r"|<a href=[^<>\n]{1,200}>",
    re.I,
)
_MARKUP = re.compile(
    r"(?i)html|xml|```|<!doctype|\bcss\b|javascript|\bjsx\b|\breact\b|\bsvg\b|\btags?\b|web ?(?:page|site)"
    r"|<script|<\?php|\bphp\b|\bescap|\bentit(?:y|ies)\b|mark-?up|\bcode\b"
)


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    whole = row.whole
    found = _ENTITY.search(whole) if "&" in whole else None
    if found is None and "<" in whole:
        found = _TAG.search(whole)
    if found is not None and not _MARKUP.search(whole):
        line = " ".join(whole[max(0, found.start() - 30) : found.end() + 30].split())
        yield Hit(message=f"{found[0]} in plain text", evidence=line, at=found[0])


def mend(row: Row) -> dict[str, str]:
    """Characters for entities; tags stay, for a table or a list may hang on them."""
    if "&" not in row.whole or _MARKUP.search(row.whole):
        return {}
    new = {text: _ENTITY.sub(_character, text) for _, text in row.texts if "&" in text}
    return {old: text for old, text in new.items() if old != text}


def _character(match: re.Match[str]) -> str:
    """What the entity stands for; what would make another entity or a tag stays."""
    plain = html.unescape(match[0])
    return match[0] if plain in "&<>" else " " if plain == "\xa0" else plain
