"""A bank account number (IBAN) whose check digits are right.

Two letters of a country, two check digits and the length that the country has, with a right remainder (ISO 13616, mod
97): one random string of 97 passes. Models repeat such rare strings word for word. The numbers that manuals print as
examples are right too, and are flagged: nobody can tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tailor.curate.personal import searching, shaped

CODE = "P103"
SEVERITY = "block"
COST = "the model can be made to say somebody's account"
FIX = "replace it by a pseudonym: --fix writes one of the same shape with check digits that are never right"

_COUNTRIES = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27
GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24
ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24
TR26 UA29 VA22 VG24 XK20
"""
_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _COUNTRIES.split()}
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}\d\d[ -]?(?:[A-Za-z0-9]{1,4}[ -]?){2,8}[A-Za-z0-9]{1,4}(?![A-Za-z0-9])"
)


def find(text: str) -> Iterator[tuple[str, str]]:
    """(what, value) of every account number in the text."""
    for match in _NUMBER.finditer(text):
        value = _cut(match[0])
        if value:
            yield "bank account number (IBAN) with right check digits", value


def _cut(value: str) -> str:
    """The account number at the beginning of the value, what follows it cut off; empty for none."""
    length = _LENGTHS.get(value[:2].upper(), 0)
    ends = [place for place, mark in enumerate(value, 1) if mark.isalnum()]
    if not length or len(ends) < length or (len(ends) > length and value[ends[length - 1]].isalnum()):
        return ""
    number = "".join(mark for mark in value[: ends[length - 1]] if mark.isalnum()).upper()
    right = int("".join(str(int(mark, 36)) for mark in number[4:] + number[:4])) % 97 == 1
    return value[: ends[length - 1]] if right and number.isascii() else ""


def _pseudonym(value: str) -> str:
    """Another number of the same country and shape, with the check digits 00, which are never right."""
    seed = "".join(mark for mark in value if mark.isalnum()).upper()
    return value[:2] + "00" + shaped(value[4:], seed)


look, mend = searching(find, _pseudonym)
