"""A number by which a state knows a person, with right check digits.

United States (SSN), Canada (SIN), Brazil (CPF), United Kingdom (NHS), Spain (DNI, NIE), France (NIR), Italy (codice
fiscale), Germany (Steuer-ID), Netherlands (BSN), Poland (PESEL), Sweden (personnummer), Finland (henkilötunnus), China
and India (Aadhaar), each by the check that the state publishes. The SSN has none, so its form and ranges decide. Plain
runs of digits count only beside a word that says what they are. Stolen identities begin with these numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tailor.curate.personal import bare, luhn, searching, shaped

CODE = "P104"
SEVERITY = "block"
COST = "the model can be made to say the number that identifies a person"
FIX = "replace it by a pseudonym: --fix writes one of the same shape whose check fails"


class _Id(NamedTuple):
    """How a state writes its numbers; `beside` must stand in the text where the form is a common one."""

    what: str
    form: str
    right: Callable[[str], bool]
    beside: str = ""


def _weighed(number: str, *weights: int) -> int:
    return sum(int(digit) * weight for digit, weight in zip(number, weights))


def _american(value: str) -> bool:
    area, group, serial = value[:3], value[4:6], value[7:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000" and value != "123-45-6789"


def _brazilian(value: str) -> bool:
    number = bare(value)
    sums = [_weighed(number, *range(count + 1, 1, -1)) * 10 % 11 % 10 for count in (9, 10)]
    return f"{sums[0]}{sums[1]}" == number[9:] and len(set(number)) > 1


def _british(value: str) -> bool:
    number = bare(value)
    return 11 - _weighed(number, *range(10, 1, -1)) % 11 in (int(number[9]), 11 + int(number[9]))


def _spanish(value: str) -> bool:
    number = int(value[:-1].upper().replace("X", "0").replace("Y", "1").replace("Z", "2").rstrip("-"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == value[-1].upper()


def _french(value: str) -> bool:
    number = bare(value)
    return 97 - int(number[:13]) % 97 == int(number[13:])


_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", [1, 0, 5, 7, 9, 13, 15, 17, 19, 21] * 2))
_ODD.update(zip("KLMNOPQRSTUVWXYZ", [2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]))


def _italian(value: str) -> bool:
    value = value.upper()
    even = sum(int(mark) if mark.isdigit() else ord(mark) - 65 for mark in value[1:15:2])
    return chr(65 + (even + sum(_ODD[mark] for mark in value[:15:2])) % 26) == value[15]


def _german(value: str) -> bool:
    number, rest = bare(value), 10
    for digit in number[:10]:
        rest = 2 * ((int(digit) + rest) % 10 or 10) % 11
    return (11 - rest) % 10 == int(number[10])


def _dutch(value: str) -> bool:
    number = bare(value)
    return _weighed(number, 9, 8, 7, 6, 5, 4, 3, 2, -1) % 11 == 0 and int(number) > 0


def _polish(value: str) -> bool:
    return _weighed(value, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1) % 10 == 0


def _swedish(value: str) -> bool:
    return luhn(bare(value)[-10:])


def _finnish(value: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(value[:6] + value[7:10]) % 31] == value[10].upper()


def _chinese(value: str) -> bool:
    total = _weighed(value, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[total % 11] == value[17].upper()


def _indian(value: str) -> bool:
    """Verhoeff's check: products in the dihedral group of order ten."""
    check = 0
    for place, digit in enumerate(reversed(bare(value))):
        turned = int(digit)
        for _ in range(place % 8):
            turned = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[turned]
        a, b = check, turned
        if a < 5:
            check = (a + b) % 5 if b < 5 else (a + b) % 5 + 5
        else:
            check = (a - b) % 5 + 5 if b < 5 else (a - b) % 5
    return check == 0


_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_IDS = (
    _Id("social security number (US)", r"\d{3}-\d\d-\d{4}", _american),
    _Id("taxpayer number (Brazil, CPF)", r"\d{3}\.\d{3}\.\d{3}-\d\d", _brazilian),
    _Id("identity number (Spain)", r"(?:\d{8}|[XYZxyz]\d{7})-?[A-HJ-NP-TV-Za-hj-np-tv-z]", _spanish),
    _Id("tax code (Italy)", r"(?i:[A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z])", _italian),
    _Id("social security number (France)", rf"[12] ?\d\d ?{_MONTH} ?\d\d ?\d{{3}} ?\d{{3}} ?\d\d", _french),
    _Id("identity number (China)", rf"[1-9]\d{{5}}(?:19|20)\d\d{_MONTH}{_DAY}\d{{3}}[\dXx]", _chinese),
    _Id("personal number (Sweden)", rf"(?:(?:19|20)\d\d|\d\d){_MONTH}{_DAY}[-+]\d{{4}}", _swedish),
    _Id("personal code (Finland)", rf"{_DAY}{_MONTH}\d\d[-+A]\d{{3}}[0-9A-FHJ-NPR-Y]", _finnish),
    _Id(
        "social insurance number (Canada)",
        r"\d{3}([ -])\d{3}\1\d{3}",
        lambda value: luhn(bare(value)),
        r"(?i)\bsin\b|social insurance",
    ),
    _Id("NHS number (UK)", r"\d{3}[ -]?\d{3}[ -]?\d{4}", _british, r"(?i)\bnhs\b"),
    _Id("Aadhaar number (India)", r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", _indian, r"(?i)a+dha+r|\buid\b"),
    _Id(
        "tax number (Germany)",
        r"[1-9]\d ?\d{3} ?\d{3} ?\d{3}",
        _german,
        r"(?i)steuer-?\s?id|steuerident|\bidnr|\btin\b",
    ),
    _Id("citizen number (Netherlands)", r"\d{9}|\d{4}\.\d\d\.\d{3}", _dutch, r"(?i)\bbsn\b|burgerservice"),
    _Id("PESEL number (Poland)", r"\d\d[0-3]\d[0-3]\d{6}", _polish, r"(?i)pesel"),
)
_FORMS = [re.compile(rf"(?<![\w.,/$€£-]){known.form}(?![\w]|[-.,]\d)") for known in _IDS]
_BESIDE = [re.compile(known.beside) for known in _IDS]


def find(text: str) -> Iterator[tuple[str, str]]:
    """(what, value) of every such number in the text."""
    for known, form, beside in zip(_IDS, _FORMS, _BESIDE):
        for match in form.finditer(text):
            if known.right(match[0]) and (not known.beside or beside.search(text)):
                yield known.what, match[0]


def _pseudonym(value: str) -> str:
    """Of the same shape and, by every check above, wrong; so it begins with 000 where that is no other's form."""
    made = "".join("0" if mark.isdigit() and place < 3 else mark for place, mark in enumerate(shaped(value, value)))
    for number in range(100):
        if not any(form.fullmatch(made) and known.right(made) for known, form in zip(_IDS, _FORMS)):
            return made
        made = made[:3] + shaped(value, f"{value}{number}")[3:]
    raise AssertionError(value)  # a hundred numbers, each with a right check


look, mend = searching(find, _pseudonym)
