"""Dates in text: where they stand, how they are written, and which day they mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MONTHS = {name: at for at, name in enumerate(_MONTHS, 1)} | {name[:3]: at for at, name in enumerate(_MONTHS, 1)}
MONTHS["sept"] = 9
_NAME = (
    r"(?:(?i:jan(?:uary)?|feb(?:ruary)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)|Mar(?:ch)?|MAR(?:CH)?|May|MAY)(?![A-Za-z])"
)
_YEAR = r"(?:1[5-9]|20)\d\d"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_DATE = re.compile(
    rf"(?=[\dJFMASONDjfasond])(?<![\w.,/-])(?:(?P<iso>(?P<y1>{_YEAR})(?P<s1>[-/.])(?P<m1>1[0-2]|0?[1-9])(?P=s1)(?P<d1>{_DAY})"
    r"(?P<clock>[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![\w/-]))"
    rf"|(?P<num>(?P<a>{_DAY})(?P<s2>[-/.])(?P<b>{_DAY})(?P=s2)(?P<y2>{_YEAR}|\d\d)(?![\w/-]))"
    rf"|(?P<mdy>(?P<m3>{_NAME})(?P<s3>\.? ?)(?P<d3>{_DAY})(?P<o3>st|nd|rd|th)?(?P<t3>,? )?(?(t3)(?P<y3>{_YEAR})?)"
    r"(?!\w))"
    rf"|(?P<dmy>(?P<d4>{_DAY})(?P<o4>st|nd|rd|th)?(?P<s4>[ -]?(?:of )?)(?P<m4>{_NAME}(?:\.(?=,? ?\d))?)"
    rf"(?:(?P<t4>,? |-)(?P<y4>{_YEAR}))?(?!\w)))"
)
_BARE = re.compile(
    r"(?P<a>\d\d?)(?P<s>[/.-])(?P<b>\d\d?)(?P<dot>\.)?"
    r"|(?P<y>(?:19|20)\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])"
)


class Date(NamedTuple):
    """A date as it stands in a text.

    `style` spells how it is written (`YYYY-MM-DD`, `Month D, YYYY`); `??` in it is what this date does not tell (`May`
    is short and long, 03/04 may be day first or month first). `padded`: whether single digits have a zero before them;
    None where there are none. `day` is (year or 0, month, day), None where it may be two days.
    """

    text: str
    style: str
    padded: bool | None
    day: tuple[int, int, int] | None


def dates(text: str) -> Iterator[Date]:
    """The dates in a text."""
    return (date for match in _DATE.finditer(text) if (date := _date(match)) is not None)


def whole(text: str) -> Date | None:
    """The date that a text is as a whole; here 0304, 3/4 and 20240304 count too."""
    text = text.strip()
    match = _DATE.fullmatch(text) or _DATE.fullmatch(text[:1].upper() + text[1:]) if len(text) <= 32 else None
    if match is not None:
        date = _date(match)
        return date and date._replace(text=text)
    bare = _BARE.fullmatch(text)
    if bare is None:
        return None
    if bare["y"]:
        return Date(text, "YYYYMMDD", None, (int(bare["y"]), int(bare["m"]), int(bare["d"])))
    first, second = int(bare["a"]), int(bare["b"])
    order = _order(first, second)
    if not order or max(first, second) > 31 or min(first, second) == 0 or (bare["s"] == ".") != bool(bare["dot"]):
        return None
    return Date(text, bare["s"].join(order), _padded(bare["a"], bare["b"]), _meant(0, first, second))


def _date(match: re.Match[str]) -> Date | None:
    text = match[0]
    if match["iso"]:
        mark = match["s1"]
        style = f"YYYY{mark}MM{mark}DD" + (" with a time" if match["clock"] else "")
        day = int(match["y1"]), int(match["m1"]), int(match["d1"])
        return Date(text, style, _padded(match["m1"], match["d1"]), day)
    if match["num"]:
        first, second, year = int(match["a"]), int(match["b"]), match["y2"]
        order = _order(first, second)
        if order is None:
            return None
        style = match["s2"].join((*order, "YYYY" if len(year) == 4 else "YY"))
        full = int(year) if len(year) == 4 else 2000 + int(year)
        return Date(text, style, _padded(match["a"], match["b"]), _meant(full, first, second))
    kind = "3" if match["mdy"] else "4"
    name, number, ending, mark, year = (match[f"{part}{kind}"] for part in "mdosy")
    month = MONTHS[name.rstrip(".").lower()]
    styled = _name(name.rstrip(".")) + name[len(name.rstrip(".")) :]
    told = "Dth" if ending else "D"
    style = f"{styled}{mark}{told}" if kind == "3" else f"{told}{mark}{styled}"
    if year:
        style += f"{match[f't{kind}']}YYYY"
    elif match[f"t{kind}"]:
        text = text[: -len(match[f"t{kind}"])]
    return Date(text, style, _padded(number), (int(year or 0), month, int(number)))


def _order(first: int, second: int) -> tuple[str, str] | None:
    if first > 12 and second > 12:
        return None
    return ("DD", "MM") if first > 12 else ("MM", "DD") if second > 12 else ("??", "??")


def _meant(year: int, first: int, second: int) -> tuple[int, int, int] | None:
    if first <= 12 and second <= 12 and first != second:
        return None
    return (year, second, first) if first > 12 else (year, first, second)


def _name(month: str) -> str:
    style = "??" if month.lower() == "may" else "Mon" if len(month) <= 4 and month.lower() not in _MONTHS else "Month"
    return style.upper() if month.isupper() else style.lower() if month.islower() else style


def _padded(*numbers: str) -> bool | None:
    if any(len(number) == 1 for number in numbers):
        return False
    return True if any(number[0] == "0" for number in numbers) else None


def told_apart(styles: Iterable[str]) -> dict[str, str]:
    """Each style with `??` in it -> the most frequent one that it may be, where there is any."""
    counts = Counter(styles)
    return {style: max(_may_be(style), key=counts.__getitem__, default=style) for style in counts if "??" in style}


def _may_be(style: str) -> list[str]:
    if style.count("??") == 2:
        return [style.replace("??", a, 1).replace("??", b, 1) for a, b in (("DD", "MM"), ("MM", "DD"))] + [style]
    return [style.replace("??", name) for name in ("Month", "Mon", "MONTH", "MON", "month", "mon")] + [style]


def written(day: tuple[int, int, int], style: str, padded: bool) -> str | None:
    """A day in a style; None where the style asks for what is not known, or is none that can be written."""
    year, month, number = day
    if "??" in style or "Dth" in style or " with a time" in style or ("YY" in style) != bool(year):
        return None
    if month == 9 and "mon" in style.lower() and "month" not in style.lower():
        return None  # Sep or Sept
    name = _MONTHS[month - 1]
    parts = {"YYYY": f"{year:04}", "YY": f"{year % 100:02}", "MM": f"{month:02}" if padded else str(month)}
    parts |= {"DD": f"{number:02}" if padded else str(number), "D": f"{number:02}" if padded else str(number)}
    for full, short in (("Month", "Mon"), ("MONTH", "MON"), ("month", "mon")):
        cased = name.upper() if full.isupper() else name if full.islower() else name.title()
        parts |= {full: cased, short: cased[:3]}
    return re.sub("|".join(sorted(parts, key=len, reverse=True)), lambda part: parts[part[0]], style)
