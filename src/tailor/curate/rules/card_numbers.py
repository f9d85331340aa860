"""A payment card number whose check digit is right.

12 to 19 digits that begin as a card network's numbers do, grouped by spaces or hyphens or not at all, with a right Luhn
digit (ISO/IEC 7812-1): nine random numbers of ten fail it. A model gives back rare digits word for word, and card rules
(PCI DSS) forbid keeping the number in clear. The test numbers that payment services publish are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tailor.curate.personal import bare, luhn, searching, shaped

CODE = "P102"
SEVERITY = "block"
COST = "the model can be made to say a card number that works"
FIX = "replace it by a pseudonym: --fix writes a number of the same shape that cannot be valid"

_NUMBER = re.compile(r"(?<![\w.+/=%-])\d(?:\d{11,18}|[\d -]{12,22}\d)(?![\w%]|[.-]\d)")
_GROUPED = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{12,19}")
_NETWORK = re.compile(
    r"4\d{12}(?:\d{3}(?:\d{3})?)?"  # Visa
    r"|(?:5[1-5]|2[2-7])\d{14}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}(?:\d{2})?"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?"  # Discover
    r"|35\d{14}|(?:2131|1800)\d{11}"  # JCB
    r"|62\d{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|5[68]\d\d|6304|6390|67\d\d|0604)\d{8,15}"  # Maestro
)
_TEST = re.compile(r"4242424242424242|4111111111111111|4000056655665556|5555555555554444|378282246310005|(\d)\1{11,}.*")
_CARD = re.compile(r"(?i)\b(?:card|visa|master ?card|maestro|amex|cc\b|debit|credit|payment)")


def find(text: str) -> Iterator[tuple[str, str]]:
    """(what, value) of every card number in the text."""
    for match in _NUMBER.finditer(text):
        value = match[0]
        number = bare(value)
        if not (_GROUPED.fullmatch(value) and _NETWORK.fullmatch(number) and luhn(number)) or _TEST.fullmatch(number):
            continue
        if len(number) > 13 or _CARD.search(text):  # of short numbers without a word on cards, one in ten is chance
            yield "card number with a right check digit", value


def _pseudonym(value: str) -> str:
    """Another number of the same shape, with zeros in front, as no network has."""
    made = shaped(value, bare(value))
    for digit in "0000":
        made = re.sub(r"[1-9]", digit, made, count=1) if not bare(made).startswith("0000") else made
    return made


look, mend = searching(find, _pseudonym)
