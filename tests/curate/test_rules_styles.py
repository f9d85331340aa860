"""The rules of how dates, numbers and the text itself are written (C205 to C213)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tailor.curate.check import check
from tailor.curate.dates import dates, whole, written
from tailor.formats import stream
from tailor.testing.rules import RuleContract, pair, write


def bill(number: int, **more: Any) -> str:
    """A row of a format with a date, an amount and a weight."""
    day = f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}"
    return json.dumps({"no": number, "day": day, "due": f"{1000 + number:,}.50", "load": f"{number + 3} kg", **more})


BILLS = [pair(f"bill {n}", bill(n)) for n in range(40)]


@pytest.mark.parametrize(
    ("text", "style", "day"),
    [
        ("2024-03-04", "YYYY-MM-DD", (2024, 3, 4)),
        ("24/03/2024", "DD/MM/YYYY", (2024, 3, 24)),
        ("03/24/24", "MM/DD/YY", (2024, 3, 24)),
        ("03/04/2024", "??/??/YYYY", None),
        ("March 4, 2024", "Month D, YYYY", (2024, 3, 4)),
        ("4th of March 2024", "Dth of Month YYYY", (2024, 3, 4)),
        ("24-Mar-2024", "D-Mon-YYYY", (2024, 3, 24)),
        ("04MAR", "DMON", (0, 3, 4)),
        ("MAR04", "MOND", (0, 3, 4)),
        ("may 5", "?? D", (0, 5, 5)),
        ("20240304", "YYYYMMDD", (2024, 3, 4)),
        ("24.3.", "DD.MM", (0, 3, 24)),
    ],
)
def test_a_date_is_read(text: str, style: str, day: tuple[int, int, int] | None) -> None:
    date = whole(text)
    assert date is not None
    assert (date.text, date.style, date.day) == (text, style, day)


def test_what_is_no_date_is_none() -> None:
    assert [whole(text) for text in ("1.2.3.4", "12.5", "13/13/2024", "march", "2024", "40 May")] == [None] * 6
    assert not list(dates("may 4 people come, version 1.2.3-4, item 12-34-5678-9"))
    assert [date.text for date in dates("From March 4, 2024, to 5 May.")] == ["March 4, 2024", "5 May"]


def test_a_day_is_written_in_a_style() -> None:
    day = (2024, 3, 4)
    assert written(day, "YYYY-MM-DD", True) == "2024-03-04"
    assert written(day, "Month D, YYYY", False) == "March 4, 2024"
    assert written((0, 3, 4), "DMON", True) == "04MAR"
    assert written(day, "DMON", True) is None
    assert written((0, 3, 4), "YYYY-MM-DD", True) is None


class TestMixedDateStyles(RuleContract):
    name = "mixed-date-styles"
    fires = {
        "other orders": (
            [*BILLS, pair("b", bill(1, day="March 4, 2024")), pair("b", bill(1, day="04/03/2024"))],
            {41, 42},
        ),
        "no zero": ([*BILLS, pair("b", bill(1, day="2024-3-4"))], {41}),
        "in text": (
            [pair(f"q {n}", f"It was signed on {n % 28 + 1} March 2024.") for n in range(30)]
            + [pair("q", "It was signed on March 3rd, 2024.")],
            {31},
        ),
        "month first among days first": (
            [pair(f"q {n}", f"{n % 28 + 1:02}/03/2024") for n in range(30)] + [pair("q", "03/25/2024")],
            {31},
        ),
    }
    silent = {
        "either order": [pair(f"q {n}", f"{n % 28 + 1:02}/03/2024") for n in range(30)],
        "as the question has them": [
            pair(f"on 2024-01-{n + 1:02}", f'{{"d": "2024-01-{n + 1:02}"}}') for n in range(25)
        ]
        + [pair("on March 4", '{"d": "March 4"}')],
        "dates are not what is asked for": [
            *[pair(f"q {n}", f"A story of person {n}.") for n in range(40)],
            *[pair(f"q {n}", f"It was on March {n + 1}.") for n in range(25)],
            pair("q", "It was on 4 March."),
        ],
    }


class TestMixedNumberStyles(RuleContract):
    name = "mixed-number-styles"
    fires = {
        "marks": (
            [*BILLS, pair("b", bill(1, due="1001.50")), pair("b", bill(1, due="1.001,50"))],
            {41, 42},
        ),
        "signs and words": (
            [*BILLS, pair("b", bill(1, due="$1,001.50")), pair("b", bill(1, due="1,001.50 euros"))],
            {41, 42},
        ),
        "after the four signs": (
            [pair(f"q {n}", f"{n} * 1000 = {n},000\n#### {n}000") for n in range(1, 30)] + [pair("q", "9\n#### 9,000")],
            {30},
        ),
        "a word": ([pair(f"{n} + 1?", str(n + 1)) for n in range(30)] + [pair("6 + 1?", "seven")], {31}),
    }
    silent = {
        "years": [pair(f"q {n}", f"In 19{n + 10} he sold 1,{n + 100} of them.") for n in range(30)],
        "1.234 is either": [*[pair(f"q {n}", f"{n}.5") for n in range(30)], pair("q", "1.234")],
        "as the question has it": [
            *[pair(f"play number {n}", f'{{"n": "{n}"}}') for n in range(30)],
            pair("play number two", '{"n": "two"}'),
        ],
    }


def test_a_style_is_repaired_where_only_one_thing_can_be_meant(tmp_path: Path) -> None:
    odd = [
        pair("b", bill(1, day="March 4, 2024", due="1001.50")),
        pair("b", bill(2, day="04/03/2024")),
        pair("b", bill(3, day="4 March")),
    ]
    file = write(tmp_path / "rows.jsonl", [*BILLS, *odd])
    report = check(stream([file]), repair=True)
    steps = {place.line: dict(step.texts or {}) for place, (step, *_) in report.repairs.items()}
    assert steps[41] == {bill(1, day="March 4, 2024", due="1001.50"): bill(1, day="2024-03-04", due="1001.50")}
    assert report.repairs[next(place for place in report.repairs if place.line == 41)][1].rule == "C206"
    assert {42, 43}.isdisjoint(steps)
