"""Text that was read in the wrong encoding: `Ã©` for é, `â€™` for an apostrophe.

UTF-8 read as Windows-1252, 1250, 1251, 1257, Latin-2, MacRoman or 437, once or twice over, and the replacement
character (U+FFFD) that a lost one leaves. Each such piece is several rare tokens, and the model learns to write them. A
piece that honest text might hold (`AMANHÃ…`, `4×£5`) counts only where the rest of the row is broken, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate import mojibake
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.rows import Row

CODE = "Q201"
SEVERITY = "warn"
COST = "the model learns to write broken characters"
FIX = "read the source as UTF-8 again, or write the characters that were meant"


def look(row: Row) -> Iterator[Hit]:
    """One Hit a row."""
    whole = row.whole
    if whole.isascii():
        return
    found = mojibake.pieces(whole)
    if found:
        read = whole[found[0].start : found[0].end]
        message = f"{read!r} was {found[0].meant!r} once" if found[0].meant.isprintable() else f"{read!r} is no text"
        yield Hit(message=message, evidence=_around(whole, found[0].start), at=read)
    elif "\ufffd" in whole:
        yield Hit(message="a character was lost (U+FFFD)", evidence=_around(whole, whole.index("\ufffd")), at="\ufffd")


def mend(row: Row) -> dict[str, str]:
    """Texts with the characters that were meant, where nothing stays broken."""
    new = {text: mojibake.read_again(text) for _, text in row.texts if not text.isascii()}
    return {old: text for old, text in new.items() if text != old}


def _around(text: str, at: int) -> str:
    piece = " ".join(text[max(0, at - 30) : at + 40].split())
    return piece.encode("utf-8", "replace").decode()
