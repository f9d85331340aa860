"""A phone number.

International (`+49 30 …`), North American (`(905) 674-3793`), or any number of 7 to 12 grouped digits beside a word
that says what it is (phone, mobile, fax, call me on …). It leads to a person, and models repeat digits word for word.
Toll-free numbers and those kept for fiction (555-01xx, area 555) are left alone; digits without a sign are no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tailor.curate.personal import bare, digits, searching

CODE = "P106"
SEVERITY = "warn"
COST = "the model learns whom to call, and says so to others"
FIX = "replace it by a pseudonym: --fix writes one of the numbers kept for fiction, the same for the same number"

_DIGITS = re.compile(  # nothing is tried twice, or a long number would take minutes
    r"(?<![\w./:$€£=+*^#)-])(?<!\d,)(?:\+|(?=[(\d]))\(?\d\)?(?:[ .-]{0,2}\(?\d\)?)*+(?:x\d{2,6})?"
    r"(?![\w%°$€£=*^]|[.,:/-]\d)"
)
_AMERICAN = re.compile(r"(?:\+?0{0,2}1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[.-]\d{4}(?:x\d+)?")
_SAID_BEFORE = re.compile(
    r"(?i)(?:phone|\btele?\b|\btel\.|mobile|\bcell|\bfax|\bdesk|\bsms|whatsapp|\bdial|\bcall(?:ed|ing)?\b|\breach(?:ed)?\b"
    r"|answering at|messages? to|contact|registered(?: number)?|\btext(?:ed)? (?:me|us|him|her|them)|hotline|helpline)"
    r"[^\d\n]{0,25}\n?\W{0,3}$"
)
_SAID_AFTER = re.compile(r"(?i)[\s\\,-]{0,3}\(?(?:office|fax|mobile|cell|home|desk|work|phone)\b")
_DATE = re.compile(
    r"(?:19|20)\d\d[-. ]\d{1,2}[-. ]\d{1,2}.*|\d{1,2}[-. ]\d{1,2}[-. ](?:19|20)\d\d|(?:19|20)\d\d ?[-–] ?(?:19|20)?\d\d"
)
_FREE = re.compile(r"\+?(?:00)?1?(?:8(?:00|33|44|55|66|77|88)\d{7}|\d{3}55501\d\d|555\d{7})|0?800\d{6,7}")


def find(text: str) -> Iterator[tuple[str, str]]:
    """(what, value) of every phone number in the text."""
    for match in _DIGITS.finditer(text):
        american = _AMERICAN.match(match[0])
        value = american[0] if american and not match[0][american.end() :][:1].isdigit() else match[0]
        number = bare(value.partition("x")[0])
        if 7 <= len(number) <= 15 and _called(text, match, value, number) and not _FREE.fullmatch(number):
            yield "phone number", value


def _called(text: str, match: re.Match[str], value: str, number: str) -> bool:
    """Whether this is a phone number by its form or by a word beside it."""
    if value.count("(") != value.count(")") or _DATE.fullmatch(value):
        return False
    if value[0] == "+":
        return len(number) >= 9 and number[0] != "0"
    if _AMERICAN.fullmatch(value):
        return True
    if len(number) > 14:
        return False
    before = text[max(0, match.start() - 60) : match.start()]
    return bool(_SAID_BEFORE.search(before) or _SAID_AFTER.match(text, match.end()))


def _pseudonym(value: str) -> str:
    """A number that is kept for fiction."""
    number = int(digits(bare(value), 9))
    return f"({201 + number % 788}) 555-01{number // 788 % 100:02}"


look, mend = searching(find, _pseudonym)
