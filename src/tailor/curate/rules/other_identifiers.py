"""Another number, date or page that leads to a person, by the words beside it.

Passports, visas, driving licences, number plates, vehicles, accounts, insurance, patient, tax, student and staff
numbers, devices (MAC, IMEI), dates of birth, postal codes, places to the metre, a person's own web page or profile:
the identifiers of HIPAA (45 CFR 164.514) that no other rule finds. Most have no check digit and look like any number,
so the words before them decide: "my passport number is …", "DOB: …", "my website is …". Under the GDPR (Art. 4) each
identifies a person, alone or beside others: postal code, sex and date of birth single out 87% of Americans (Sweeney
2000). Dates and places of which no such thing is said are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tailor.curate.personal import digits, searching, shaped

CODE = "P109"
SEVERITY = "warn"
COST = "the model can be made to say what singles a person out"
FIX = "replace it by a pseudonym: --fix writes one of the same shape that nobody has"

_IS = r"(?: is| was|['’]s)?(?: ?[:=#])?[\s\"'(]{0,2}"
_NUMBER = r" ?(?:numbers?|num|no\.?|nr\.?|id|code|#)(?![a-z])(?: (?:is )?[a-z]+){0,2}?" + _IS
_ITSELF = rf"(?:{_NUMBER}|(?: of (?:my|his|her|our|their|the) [a-z]+)?{_IS})"  # behind a word that is enough by itself
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY = r"\d{1,2}[-/.]\d{1,2}[-/.](?:(?:19|20)\d\d|\d\d(?!\d))|(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}"
_PROFILE = r"https?://(?:\w+\.)?(?:linkedin\.com/in|facebook\.com/(?:people|profile))[/.?]\w"
_VALUES = {
    "CODE": r"(?P<value>(?=(?:[A-Z./ -]{0,6}\d){4})[A-Z0-9](?:(?:[-./]| (?=[A-Z]{0,3}\d))?[A-Z0-9]){4,19})(?![\w-])",
    "PLATE": r"(?P<value>(?=[A-Z -]{0,6}\d)[A-Z0-9]{1,4}(?:[- ]?[A-Z0-9]{1,4}){1,3})(?![\w-])",
    "DAY": rf"(?P<value>{_DAY})(?!\d)",
    "DATE": (
        rf"(?P<value>{_DAY}|(?i:\d{{1,2}}(?:st|nd|rd|th)?[ -](?:of )?{_MONTH},?[ -](?:19|20)\d\d"
        rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)\d\d))(?!\d)"
    ),
    "ZIP": (
        r"(?P<value>\d{4,5}(?:-\d{3,4})?|\d{3} \d\d|\d{4} ?[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d"
        r"|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})(?![\w-])"
    ),
    "URL": r"(?P<value>https?://[^\s\"'<>()\[\]]{4,200}?)(?=[.,;:!?]*(?:[\s\"'<>()\[\]]|$))",
    "PLACE": r"(?P<value>-?\d{1,2}\.\d{4,}°?(?: ?[NS])?[,;]? {0,2}-?\d{1,3}\.\d{4,})(?![\d.])",
    "MAC": r"(?P<value>(?i:[0-9A-F]{2}(?:[:-][0-9A-F]{2}){5}|[0-9A-F]{4}(?:\.[0-9A-F]{4}){2}))(?![\w:-])",
}
_KINDS = rf"""
passport number         passport  CODE   \bpassport{_ITSELF}
visa number             visa      CODE   \b(?:visa|(?:residence|work) permit|green card){_NUMBER}
number of an identity   id card   CODE   \b(?:id|identity) card{_ITSELF}
driving licence number  licen     CODE   \bdriv\w+(?:['’]?s)? licen[cs]e{_ITSELF}
driving licence number  dl        CODE   \bdl{_NUMBER}
number plate            plate     PLATE  \b(?:licen[cs]e|number|registration) plate{_ITSELF}
vehicle number          vin       CODE   \bvin{_ITSELF}
account number          account   CODE   \baccount{_NUMBER}
insurance number        insur     CODE   \binsurance(?: policy| member)?{_NUMBER}
insurance number        policy    CODE   \bpolicy{_NUMBER}
insurance number        health    CODE   \bhealth (?:plan|card|insurance)(?: member| beneficiary)?{_NUMBER}
number of a member      member    CODE   \bmember(?:ship)?{_NUMBER}
number of a member      subscrib  CODE   \bsubscriber{_NUMBER}
patient number          patient   CODE   \bpatient{_NUMBER}
patient number          mrn       CODE   \bmrn{_ITSELF}
patient number          record    CODE   \b(?:medical|health) record{_NUMBER}
tax number              tax       CODE   \btax(?:payer)?(?: identification)?{_NUMBER}
student number          student   CODE   \bstudent{_NUMBER}
student number          matricul  CODE   \bmatriculation{_NUMBER}
staff number            employee  CODE   \bemployee{_NUMBER}
staff number            staff     CODE   \bstaff{_NUMBER}
staff number            personnel  CODE   \bpersonnel{_NUMBER}
date of birth           birth     DATE   \b(?:date of birth|birth ?date)(?:\. it['’]s|:)[\s\"']{{0,2}}
date of birth           birth     DATE   \b(?:my|his|her) (?:date of birth|birth ?date|birthday) (?:is|was)(?: on)?\s
date of birth           dob       DATE   \bdob\b\)?{_IS}
date of birth           d.o.b     DATE   \bd\.o\.b\.?{_IS}
date of birth           born      DAY    (?<!was )(?<!were )(?<!is )\bborn(?: on)?:?\s
date of birth           born      DATE   \bi(?:['’]m| was| am) born (?:on )?(?:the )?
postal code             zip       ZIP    (?:\bmy zip(?: ?code)? is|\bzip(?: ?code)?:)\s
postal code             post      ZIP    \b(?:my|our|his|her) post(?:al )?code is\s
postal code             post      ZIP    \bpost(?:al )?code:\s
page of a person        http      URL    \bmy (?:own |personal )?(?:(?:web|home) ?)?(?:site|page|blog)(?: is| at|:)+\s
page of a person        http      URL    @[\w.-]+\s+web ?(?:site|page):\s
page of a person        http      URL    (?:\bi(?:['’]ve)?\s|^)(?:just )?(?:shared|posted|uploaded)\b[^.\n]{{0,30}}\s
place to the metre      gps       PLACE  \b(?:my|his|her)\b[^\n]{{0,20}}\bgps\b[^\n\d-]{{0,25}}
number of a device      imei      CODE   \bimei{_ITSELF}
address of a device     mac       MAC    \bmac\b[^\n]{{0,25}}?{_IS}
profile of a person     .com/     URL    (?={_PROFILE})
"""  # what it is, what a text in lower case must hold for it, the form of the value, and the words before it
_PATTERNS = [
    (what, hint, re.compile(rf"(?im:{before}){_VALUES[form]}"))
    for what, hint, form, before in (re.split(" {2,}", line) for line in _KINDS.strip().splitlines())
]
_DIGIT = re.compile(r"\d")
_MADE = re.compile(r"[A-Z]{0,4}0[-./ ]?0[-./ ]?0|.*(?<!\d)1900(?!\d)|https://person-\d+\.example|0\.00|00.00.5E.00.53")


def find(text: str) -> Iterator[tuple[str, str]]:
    """(what, value) of every such thing in the text."""
    if _DIGIT.search(text) is None and "://" not in text:
        return
    lower = text.lower()
    for what, hint, pattern in _PATTERNS:
        if hint in lower:
            for match in pattern.finditer(text):
                if not _MADE.match(match["value"]):
                    yield what, match["value"]


def _pseudonym(value: str) -> str:
    """Of the same shape, where nothing real lies: a day of 1900, example.com, the point where 0° meets 0°, zeros in
    front, and of the MAC addresses those for documentation (RFC 7042)."""
    number = int(digits(value, 9))
    if "://" in value:
        return f"https://person-{number}.example.com"
    if re.fullmatch(_VALUES["DATE"], value):
        return f"1900-{1 + number % 12:02}-{1 + number // 12 % 28:02}"
    if re.fullmatch(_VALUES["PLACE"], value):
        return f"0.00{number % 10_000:04}, 0.00{number // 10_000 % 10_000:04}"
    if re.fullmatch(_VALUES["MAC"], value):
        return f"00:00:5E:00:53:{number % 256:02X}"
    zeros = iter("000")
    return "".join(next(zeros, mark) if mark.isalnum() else mark for mark in shaped(value, value))


look, mend = searching(find, _pseudonym, where=lambda row: True)
