"""UTF-8 that was read as another encoding: where it stands in a text, and what stood there.

A character of UTF-8 is a lead byte and one to three that continue it. Read in a code page of one byte a character they
become a lead and followers of that page: `é` is `Ã©` in Windows-1252 and `√©` in MacRoman. Such pairs also stand in
honest text (`AMANHÃ…`, `4×£5`), so a piece counts by what it would have been, by what surrounds it, and by how much of
the text's other characters outside ASCII it leaves intact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_PAGES = ("cp1252", "cp1257", "cp1250", "iso8859_2", "cp1251", "mac_roman", "cp437")
_KIN = (("cp1252",), ("cp1257",), ("cp1250", "iso8859_2"), ("cp1251",), ("mac_roman",), ("cp437",))  # have to agree
_SIGNS = ("mac_roman", "cp437")  # pages whose leads are signs: a piece stands in a word, signs elsewhere do not
_WEAK = frozenset("…’‘”“–—™® \xa0•")  # followers that honest text sets after a capital

_MONEY = frozenset("¢£¤¥€")
_NOWHERE = frozenset("ƒœžŸ")  # after Ã no language has them
_COMMON = re.compile(  # what people write: Latin, Greek, Cyrillic, Hebrew, Arabic, Indic, punctuation, signs, Asian
    "[\xa1-\xac\xae-\u017e\u0391-\u03c9\u0401-\u045f\u05d0-\u05ea\u060c-\u064a\u0300-\u036f\u0900-\u0e5b\u1ea0-\u1ef9\u2010-\u2044\u20ac\u2116\u2122"
    "\u2190-\u21ff\u2200-\u23ff\u2460-\u27bf\u2800\u3001-\u30ff\u4e00-\u9fff\uac00-\ud7a3\ud83c-\ud83e\udc00-\udfff\ufb01\ufb02\uff01-\uff5e\ufffd\U0001f000-\U0001faff]"
)
_LATIN = re.compile("[\xa0-\xff]")


class Piece(NamedTuple):
    """A character that was read wrongly: `text[start:end]` was `meant`. `sure`: nobody writes it on purpose."""

    start: int
    end: int
    meant: str
    sure: bool


def _page(name: str) -> tuple[dict[int, int], re.Pattern[str]]:
    """(character -> byte for `str.translate`, the pattern of a wrongly read character) of a code page."""
    table = {byte: byte for byte in range(0x80, 0xC0)} if name not in _SIGNS else {}
    for byte in range(0x80, 0x100):
        character = bytes([byte]).decode(name, "replace")
        if character != "\ufffd":
            table[ord(character)] = byte
    of = {low: "".join(re.escape(chr(c)) for c, b in table.items() if low <= b < high) for low, high in _RANGES}
    more = f"[{of[0x80]}]"
    pattern = f"[{of[0xC2]}]{more}|[{of[0xE0]}]{more}{{2}}|[{of[0xF0]}]{more}{{3}}"
    return table, re.compile(pattern)


_RANGES = ((0x80, 0xC0), (0xC2, 0xE0), (0xE0, 0xF0), (0xF0, 0xF5))
_TABLES = {name: _page(name) for name in _PAGES}
_BARE = re.compile(r"(?<=[a-zß-ÿ])[ÃÂ](?![A-Za-z\x80-\U0010ffff])|(?<![^\W_])Ã\xa0(?= [a-z])|Ã\xa0(?=[a-z])")


def pieces(text: str) -> list[Piece]:
    """The wrongly read characters of the text in one code page, in order; empty for honest text."""
    others = sum(1 for mark in text if mark > "\xa0" and mark != "\ufffd")
    for name in _PAGES:
        found = list(_candidates(text, name))
        signs = len(found) > 3 or any(not mark.isalpha() for start, end, *_ in found for mark in text[start:end])
        if (
            found
            and (signs or name == "cp1252")
            and (_count(found, others, name) or any(_within(text, p) for p in found))
        ):
            return found
    return []


def _count(found: list[Piece], others: int, name: str) -> bool:
    """Whether these pieces are no accident: sure ones alone or in number, doubtful ones where little is intact."""
    sure = sum(piece.sure for piece in found)
    covered = sum(piece.end - piece.start for piece in found)
    if name == "cp437" or name == "cp1251":
        return sure >= 1 and 2 * covered >= others and (len(found) > 1 or name == "cp1251")
    return sure >= 2 or covered >= others or (len(found) > 1 and 4 * covered >= 3 * others)


def _within(text: str, piece: Piece) -> bool:
    """Whether the piece is a Latin letter that was read as one and a sign within a word of small letters (`MÃ¼ller`).

    Whatever else the text holds, nobody wrote that. Signs of money stand beside letters in honest text, too.
    """
    lead, more = text[piece.start], text[piece.start + 1 : piece.end]
    if not (piece.meant.isalpha() and _LATIN.match(piece.meant)):
        return False
    if not _NOWHERE.isdisjoint(more):
        return True
    around = [mark for mark in (text[piece.start - 1 : piece.start], text[piece.end : piece.end + 1]) if _letter(mark)]
    odd = any(not mark.isalpha() and mark not in _WEAK | _MONEY for mark in more)
    return odd and any(map(str.islower, around)) and len(around) > (not lead.isalpha())


def _candidates(text: str, name: str) -> Iterator[Piece]:
    table, pattern = _TABLES[name]
    matches = list(pattern.finditer(text))
    for number, match in enumerate(matches):
        read = match[0]
        try:
            meant = bytes(ord(mark) for mark in read.translate(table)).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            continue
        row = sum(abs(n) <= 2 and 0 <= number + n < len(matches) and _touch(matches, number, n) for n in (-2, -1, 1, 2))
        if not _COMMON.match(meant) or ("\ud800" <= meant <= "\udfff" and not row):
            continue
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        if name in _SIGNS and not row and not (_letter(before) or _letter(after)):
            continue
        weak = all(mark in _WEAK for mark in read[1:])
        if weak and row < 2 and not (len(read) == 3 and read[0] in "âв"):
            inside = before.isupper() and after.isupper() if read[0] == "Ã" else after.islower()
            if not inside or read[1] == "\xa0":
                continue
        sure = bool(len(read) > 2 or row > 1 or _LATIN.match(meant)) and not (
            name == "cp1251" and all(mark.isalpha() and mark != "µ" for mark in read) and row < 2
        )
        if sure or row or _letter(before) or _letter(after) or "\u0300" <= meant <= "\u036f":
            yield Piece(match.start(), match.end(), meant, sure)
    if name == "cp1252":
        for match in _BARE.finditer(text):
            meant = "à" if match[0] == "Ã\xa0" else ""
            yield Piece(match.start(), match.end(), meant, True)


def _touch(matches: list[re.Match[str]], number: int, step: int) -> bool:
    """Whether all pieces from this one to that many beside it stand one against the next."""
    low, high = sorted((number, number + step))
    return all(matches[at].end() == matches[at + 1].start() for at in range(low, high))


def _letter(mark: str) -> bool:
    return mark.isascii() and mark.isalpha()


def read_again(text: str) -> str:
    """The text as it was meant, twice broken text too; as it is where anything is left over or two readings are."""
    new = text
    for _ in range(3):
        if not pieces(new):
            break
        by_kin = ({_read(new, name) for name in kin} - {""} for kin in _KIN)
        readings = next(filter(None, by_kin), set())
        if len(readings) != 1:
            return text
        (new,) = readings
    whole = not pieces(new) and not any(
        "\ud800" <= mark <= "\udfff" or mark == "\ufffd" or "\x80" <= mark < "\xa0" for mark in new
    )
    return new if whole else text


def _read(text: str, name: str) -> str:
    """The text read again from this code page, where all of it outside ASCII can be; else nothing."""
    others = sum(1 for mark in text if mark > "\x7f")
    found = [] if "\ufffd" in text else list(_candidates(text, name))
    if not found or any(not piece.meant for piece in found) or sum(end - start for start, end, *_ in found) != others:
        return ""
    for start, end, meant, _ in sorted(found, reverse=True):
        text = text[:start] + meant + text[end:]
    return text
