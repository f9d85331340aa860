"""Parts of a template that were never filled or never taken off.

`{name}` and `{{name}}` still standing, `### Response:` or `<noinput>` within the text, `[INSERT DATE]`, an answer that
begins with `Output:`. Base rate 1.6% in Alpaca (`<noinput>`). The model learns to write them. Code, templates as a
topic and JSON are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q106"
SEVERITY = "warn"
COST = "the model learns to print its template"
FIX = "fill in the value, or take the marker out"

_MARKERS = re.compile(
    r"(?m)^#{2,4} ?(?:Response|Instruction|Input|Output|Answer|Question|Assistant|Human|User|Context):"
    r"|(?i:< ?no ?input ?>)|(?i:\[insert [^\]\n]{1,40}\])|(?i:<insert [^>\n]{1,40}>)"
    r"|(?<!\$)\{\{ ?[A-Za-z_][\w. ]{0,30} ?\}\}|\$\{[A-Za-z_]\w{0,30}\}|%\([a-z_]+\)s"
    r"|(?i:\[your (?:answer|response|text)[^\]\n]{0,20}\])"
    r"|(?i:<(?:answer|response|your[ _][\w ]{1,20})>(?!.*</))"
    r"|\[(?:(?:INSERT|YOUR|THE) )?(?:(?:FIRST|LAST|FULL|COMPANY|CUSTOMER|USER|CLIENT|PRODUCT|CITY) )?"
    r"(?:NAME|DATE|TIME|COMPANY|CUSTOMER|USER|CLIENT|PRODUCT|ADDRESS|CITY|PHONE|EMAIL|NUMBER|AMOUNT|TITLE|LINK|URL|TOPIC"
    r"|LOCATION)\]"
    r"|^#{2,4} ?(?:Instruction|Input|Question|Human|User)\s*\Z"
)
_BRACES = re.compile(r"(?<![\\$\w{}(\[])\{[a-z][a-z]*(?:_[a-z]+)*\}(?![}\w(])")
_LABEL = re.compile(
    r"\s*(?:(?:Output|Response|Answer|Assistant|Completion|AI|Bot) ?:(?=\s)"
    r"|#{1,4} ?(?:Output|Response|Answer|Assistant) *\n)"
)
_CODE = re.compile(
    r"```|\bdef |\bclass |\bfunction\b|\breturn\b|=>|</|\\[a-z]+\{|;\s*(?:\n|$)"
    r"|(?i:\btemplate|\bbraces|\bformat|placeholder|\bjinja|f-string)"
    r"|(?i:latex|\bcode\b|python|javascript|\bset\b|\bsql\b|regex|css\b|html)|[A-Za-z_)] = |\$[A-Za-z_]"
)
_NEAR = 200  # characters on each side in which code shows


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    whole = row.whole
    found = (
        _MARKERS.search(whole)
        if "{" in whole or "[" in whole or "<" in whole or "##" in whole or "%(" in whole
        else None
    )
    if found is None and "{" in whole:
        found = _BRACES.search(whole)
    around = whole[max(0, found.start() - _NEAR) : found.end() + _NEAR] if found is not None else ""
    if found is not None and _CODE.search(around) and not found[0].startswith(("#", "<no", "< no")):
        found = None
    if found is None and row.example.kind != "text" and (found := _LABEL.match(row.answer)):
        found = None if found[0].strip(" :\n").casefold() in row.plain_prompt else found  # asked for
    if found is not None:
        line = " ".join(found.string[max(0, found.start() - 40) : found.end() + 40].split())
        yield Hit(message=f"{found[0].strip()!r} is of a template", evidence=line, at=found[0])
