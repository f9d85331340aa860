"""Letters of another script that look like Latin ones, and printers' ligatures.

`pаypаl` with Cyrillic а reads alike and is other tokens; it comes from evaded filters, from OCR and from keyboards.
`ﬁ` and `ǌ` come from PDF files. A word counts where Latin letters stand beside look-alikes and nothing else: Greek in
formulas (µm, Δt) and words of a real Cyrillic text are left alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q204"
SEVERITY = "warn"
COST = "a word that reads alike is other tokens, and the model learns both"
FIX = "write the Latin letters"

_LIKE = "аеорсухіјѕһԁԛԝАВЕЅЗКМНІЈОРСТУХοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
_LATIN = "aeopcyxijshdqwABESZKMHIJOPCTYXoABEZHIKMNOPTYX".replace("SZK", "S3K", 1)
_TABLE = str.maketrans(_LIKE, _LATIN)
_MIXED = re.compile(rf"(?<!\w)(?=\w*[A-Za-z])(?=\w*[{_LIKE}])[A-Za-z{_LIKE}]{{3,}}(?!\w)")
_LIGATURE = re.compile("[\ufb00-\ufb06ŉĳĲ\u01c4-\u01cc]")


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    whole = row.whole
    if whole.isascii():
        return
    found = next(filter(_disguised, _MIXED.finditer(whole)), None)
    if found is not None:
        other = next(letter for letter in found[0] if not letter.isascii())
        message = f"{found[0]} holds a {unicodedata.name(other).lower()}"
        yield Hit(message=message, evidence=ascii(found[0])[1:-1], at=found[0])
    elif ligature := _LIGATURE.search(whole):
        around = whole[max(0, ligature.start() - 20) : ligature.end() + 20]
        message = f"{ligature[0]} is one character ({unicodedata.name(ligature[0]).lower()})"
        yield Hit(message=message, evidence=" ".join(around.split()), at=ligature[0])


def mend(row: Row) -> dict[str, str]:
    """Latin letters for look-alikes in words that are Latin for the greater part, letters for ligatures."""
    new = {text: _plain(text) for _, text in row.texts if not text.isascii()}
    return {old: text for old, text in new.items() if old != text}


def _plain(text: str) -> str:
    def latin(match: re.Match[str]) -> str:
        return match[0].translate(_TABLE) if _disguised(match) else match[0]

    return _LIGATURE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), _MIXED.sub(latin, text))


def _disguised(match: re.Match[str]) -> bool:
    """Whether the word is Latin for the greater part."""
    return 2 * sum(map(str.isascii, match[0])) > len(match[0])
