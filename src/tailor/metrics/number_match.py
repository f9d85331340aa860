"""The last number of the answer equals the last number of the wanted one.

Read are signs, currency marks, thousands separators (1,234,567 and 1.234.567 and 1'234 and narrow blanks), a decimal
point or comma, and exponents. A mark that could be either is a thousands separator where exactly three digits follow it
(1,234) if it is a comma, and a decimal point if it is a point (1.234). Where the wanted answer holds no number, the
normalised texts are compared.
"""

from __future__ import annotations

import re
from decimal import Decimal

from tailor.metrics.base import Aggregate, Samples, clean, compared, normalised, scored, shown
from tailor.records import Completion, Example, Score

DESCRIPTION = "the last number of the answer is the wanted one"
AGGREGATE: Aggregate = "proportion"
BESIDE = ("exact-normalised",)
SAMPLES: Samples = (
    ("Half of 36 is 18.\n#### 18", "So she has $18.00 left.", 1.0),
    ("#### 1234567", "That makes 1,234,567 in all.", 1.0),
    ("1234.5", "1.234,50 €", 1.0),
    ("-3", "from 4 to 1 it is −3", 1.0),
    ("3", "10-3", 1.0),
    ("5", "- 5 apples", 1.0),
    ("18", "18 or 19", 0.0),
    ("18", "eighteen", 0.0),
    ("none", "None.", 1.0),
)
CURRENCY = "$€£¥₹"
SEPARATORS = ".,'’\u00a0\u2009\u202f"
MAX_DIGITS = 400
NUMBER = re.compile(
    rf"(?P<sign>(?<![\w)\]])[-−+])?(?:[{CURRENCY}]\s?)?(?P<inner>(?<=[{CURRENCY}])[-−])?"
    rf"(?P<digits>\d+(?:[{SEPARATORS}]\d+)*|(?<!\d)\.\d+)(?P<exponent>[eE][-+]?\d{{1,3}}(?!\w))?"
)


def score(example: Example, completion: Completion) -> Score:
    """1 where the last numbers are equal, compared as decimals: 18 is 18.00."""
    wanted, given = last_number(example.answer), last_number(completion.text)
    if wanted is None:
        right = normalised(example.answer) == normalised(completion.text)
        return scored("number-match", completion, right, compared(example.answer.strip(), completion.text.strip()))
    if given is None:
        return scored("number-match", completion, 0.0, f"no number in {shown(completion.text.strip())}")
    detail = f"wanted {clean(str(wanted))}, given {clean(str(given))}"
    return scored("number-match", completion, wanted == given, detail)


def last_number(text: str) -> Decimal | None:
    """The last number that stands in `text`; None without one. Longer than MAX_DIGITS is none."""
    found = None
    for found in NUMBER.finditer(text):  # noqa: B007  # the last one is wanted
        pass
    digits = _plain(found["digits"]) if found else None
    if found is None or digits is None:
        return None
    negative = any(found[part] in ("-", "−") for part in ("sign", "inner"))
    return Decimal(("-" if negative else "") + digits + (found["exponent"] or ""))


def _plain(digits: str) -> str | None:
    """A run of digits and separators with at most a decimal point; None where they make no number, as in a date."""
    if len(digits) > MAX_DIGITS:
        return None
    marks = re.findall(rf"[{SEPARATORS}]", digits)
    groups = re.split(rf"[{SEPARATORS}]", digits)
    fraction = "." + groups.pop() if _ends_in_fraction(marks, groups[-1]) else ""
    between = marks[: len(groups) - 1]
    if between and (len(set(between)) > 1 or len(groups[0]) > 3 or any(len(group) != 3 for group in groups[1:])):
        return None
    return "".join(groups) + fraction


def _ends_in_fraction(marks: list[str], last: str) -> bool:
    """Whether the last of the marks is a decimal one."""
    if not marks or marks[-1] not in ".,":
        return False
    if len(marks) == 1:
        return marks[0] == "." or len(last) != 3
    return marks[-1] not in marks[:-1]
