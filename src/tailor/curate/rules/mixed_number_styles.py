"""Numbers that are written otherwise than in the other answers.

`1,000` where the others write `1000`, a comma for the decimal point, `12 USD` or a bare `12` for `$12`, `12 percent`
for `12%`, `twelve` for `12`: at least 80% of the numbers in that place (under a key of a JSON answer, in an answer that
is a number or ends in one after `####`, in texts most of which have one) are written in one style, and this one in
another. The program that reads the answers refuses the number or, worse, reads 12,500 as 12.5.
A number that stands so in the question is left alone where the others are copied as well, and so are years and numbers
that are JSON numbers. `--fix` sets the marks of thousands as the others do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tailor.curate.drift import Piece, answered, odd
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C206"
SEVERITY = "warn"
COST = "the reader of the answers refuses the number, or takes it for another one"
FIX = "write the number as the other answers do"
WHOLE = "answer"  # the slot of an answer that is a number
_SIGN = r"[$€£¥]"
_CODE = r"(?:USD|EUR|GBP|JPY|CHF|CAD|AUD)"
_NUMBER = re.compile(
    rf"(?<![\w.,#/-])(?:(?P<sign>{_SIGN})(?P<room> ?)|(?P<code>{_CODE}) ?)?[+-]?"
    r"(?P<whole>\d{1,3}(?:(?P<mark>[,.' \u00a0\u202f])\d{3})(?:(?P=mark)\d{3})*|\d+)(?:(?P<point>[.,])(?P<part>\d+))?"
    rf"(?: ?(?P<after>{_SIGN})| ?(?P<named>{_CODE}\b)|(?P<percent> ?(?:%|percent\b|per cent\b|pct\b))"
    r"| (?P<word>(?:dollar|euro|pound)s?\b))?(?![\w/-]|[.,]\d)"
)
_WORDS = re.compile(
    r"(?:(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|and)(?:[ -]|$))+"
)
_DIGIT = re.compile(r"\d")
_TEXT = 400  # characters at the beginning of a text that are looked at
_SHORT = 40
_MARKS = {",": "1,000", ".": "1.000", "'": "1'000", " ": "1 000", "\u00a0": "1 000", "\u202f": "1 000"}


class _Number(NamedTuple):
    """What is told of one number: slot, style, the text of it, and how it reads without marks of thousands."""

    slot: str
    style: str
    text: str
    bare: str = ""


def collect(row: Row) -> tuple[Piece, ...] | None:
    """The styles of each number."""
    if not answered(row):
        return None
    return tuple(Piece(slot, style, text in row.prompt) for slot, style, text, _ in _numbers(row)) or None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a number and style."""
    for index, slot, style, wanted in odd(corpus, CODE):
        row = corpus.row(index)
        key = slot.partition("\0")[0]
        found = next((number for number in _numbers(row) if number.slot == slot and number.style == style), None)
        if found is None:
            continue
        where = "" if key in ("", WHOLE) else f" under {key!r}"
        put = None
        if found.bare and {wanted, style} == {"1,000", "1000"}:
            put = found.bare if wanted == "1000" else f"{int(found.bare):,}"
        ends = "#### " if f"#### {found.text}" in row.answer else ""
        message = f"{found.text!r}{where} is written as {style}, elsewhere as {wanted}"
        yield Hit(message=message, rows=(index,), evidence=row.given(), at=ends + found.text, put=put and ends + put)


def _numbers(row: Row) -> Iterator[_Number]:
    for key, text in row.leaves:
        if not key and "####" in text[-_SHORT:]:
            text = text.rpartition("####")[2]
        text = text.strip()
        if not _DIGIT.search(text[:_TEXT]):
            if len(text) <= _SHORT and _WORDS.fullmatch(text.lower()):
                yield _Number(f"{key or WHOLE}\0digits", "words", text)
            continue
        match = _NUMBER.fullmatch(text) if len(text) <= _SHORT else None
        if match is not None:
            yield _Number(f"{key or WHOLE}\0digits", "digits", text)
            yield _Number(f"{key or WHOLE}\0dress", _dress(match) or "12", text)
            yield from _parts(match, key or WHOLE)
        elif not key:
            for match in _NUMBER.finditer(text[:_TEXT]):
                dress = _dress(match)
                if dress:
                    yield _Number("\0percent" if "%" in dress or "per" in dress else "\0money", dress, match[0])
                if not re.fullmatch(r"(?:1[5-9]|20)\d\d", match["whole"]):
                    yield from _parts(match, "")


def _parts(match: re.Match[str], key: str) -> Iterator[_Number]:
    """How thousands and decimals are marked; nothing of 1.234, which is either."""
    whole, mark, point = match["whole"], match["mark"], match["point"]
    if mark == "." and not point and whole.count(".") == 1:
        return
    if mark or (len(whole) > 3 and whole[0] != "0"):
        bare = re.sub(r"\D", "", whole)
        yield _Number(f"{key}\0thousands", _MARKS[mark] if mark else "1000", whole, bare)
    if point:
        yield _Number(f"{key}\0decimals", f"1{point}5", match[0])


def _dress(match: re.Match[str]) -> str:
    """What stands beside the number."""
    if match["sign"]:
        return f"$12{' with a sign after it' if match['after'] else ''}" if not match["room"] else "$ 12"
    if match["code"]:
        return "USD 12"
    if match["after"]:
        return "12$"
    if match["named"]:
        return "12 USD"
    if match["word"]:
        return "12 dollars"
    return {"": "", "%": "12%", " %": "12 %"}.get(match["percent"] or "", "12 percent")
