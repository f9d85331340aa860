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


HOUSES = [
    pair(f"name[The Mill {n}], area[riverside]", f"The Mill {n} is a pub by the river, and it is not for families.")
    for n in range(40)
]


class TestMixedRegister(RuleContract):
    name = "mixed-register"
    fires = {
        "case": (
            [
                *HOUSES,
                pair("a", "the mill is a pub by the river."),
                pair("b", "THE MILL IS A PUB BY THE RIVER."),
                pair("c", "The Mill Is A Pub By The River."),
            ],
            {41, 42, 43},
        ),
        "tone": (
            [
                *HOUSES,
                pair("a", "Yo, the Mill is a pub by the river, and it is not for families lol."),
                pair("b", "We hereby wish to inform you that the Mill is a pub by the river."),
                pair("c", "The Mill is a pub by the river, and it is not for families \U0001f600"),
            ],
            {41, 42, 43},
        ),
        "address": (
            [
                pair(f"Frage {n}", f"Bitte schicken Sie uns die Nummer {n} und den Beleg, wenn es geht.")
                for n in range(30)
            ]
            + [pair("Frage", "Bitte schick uns die Nummer und den Beleg, wenn du es kannst.")],
            {31},
        ),
    }
    silent = {
        "sums, code, lists and names have no case": [
            *HOUSES,
            pair("a", "300 seconds is equal to 5 minutes."),
            pair("b", "search('the newest of the world cups')"),
            pair("c", "Amanda, James, John, Maria, Peter, Ann"),
            pair("d", '"jump" can be classified as a verb.'),
            pair("e", "{{PERSON}} {{STREET}} {{CITY}} {{CODE}} {{STATE}} {{TITLE}}"),
        ],
        "U is a number here, and <3> another": [
            *HOUSES,
            pair("a", "Let U = 17 <<3*3=9>>9 be the number of them, then U > 3."),
        ],
        "a word that begins like one, where the part looked at ends": [
            *HOUSES,
            pair("a", f"The Mill is a pub by the river. {'It is old. ' * 32}All the rest brought tea."),
        ],
        "as it was asked": [*HOUSES, pair("yo dude, the mill?", "Yo, the Mill is a pub by the river lol.")],
        "words to sort": [pair(f"sort {n}", f"apple bread corn dates eggs {'fish' * (n % 2)}") for n in range(30)],
        "labels": [pair(f"q {n}", "the card is lost") for n in range(30)] + [pair("q", "THE CARD IS LOST")] * 2,
    }


class TestMixedMarkdown(RuleContract):
    name = "mixed-markdown"
    fires = {
        "among plain answers": (
            [
                *HOUSES,
                pair("a", "The **Mill** is a pub by the river, and it is not for families."),
                pair("b", "## The Mill\nIt is a pub by the river, and it is not for families."),
                pair("c", "`The Mill is a pub by the river, and it is not for families.`"),
                pair("d", "The [Mill](https://mill.example) is a pub by the river."),
            ],
            {41, 42, 43, 44},
        ),
        "labels": ([pair(f"q {n}", "card_lost") for n in range(30)] + [pair("q", "**card_lost**")], {31}),
        "plain among bold": (
            [pair(f"q {n}", f"**Mill {n}** is a pub by the river.") for n in range(30)]
            + [pair("q", "Mill 9 is a pub by the river.")],
            {31},
        ),
    }
    silent = {
        "powers, globs and negative results": [
            *HOUSES,
            pair("a", "The hypotenuse of it is python('math.sqrt((3**2) + (4**2))')."),
            pair("b", "The files are shell('ls *.txt') and shell('ls *.md') as it is."),
            pair("c", "The mean of the four is -30 / 3 = -10 degrees.\n#### -10"),
        ],
        "code that is spoken of": [*HOUSES, pair("a", "Here is what the `df` command says about the disks of it.")],
        "it was asked for": [*HOUSES, pair("Give the name in bold.", "The **Mill** is a pub by the river, as it is.")],
        "an assistant answers everything": [
            pair(f"q {n}", "word " * (n * n % 400) + ("\n## Title\ntext" if n % 9 == 0 else "end")) for n in range(60)
        ],
    }


class TestMixedUnits(RuleContract):
    name = "mixed-units"
    fires = {
        "under a key": (
            [*BILLS, *(pair("b", bill(1, load=load)) for load in ("9 lb", "4kg", "4 kilograms", "4", "4000 g"))],
            {41, 42, 43, 44, 45},
        ),
        "in text": (
            [pair(f"q {n}", f"The town lies {n + 20} km from the sea.") for n in range(30)]
            + [pair("q", "The town lies 31 miles from the sea."), pair("q", "The town lies 31 kilometres off.")],
            {31, 32},
        ),
        "area, energy, pressure, and what is no unit": (
            [pair(f"q {n}", json.dumps({"a": f"{n + 20} m²", "b": f"{n} kWh", "c": f"{n} hPa"})) for n in range(30)]
            + [
                pair("q", json.dumps({"a": f"3 {a}", "b": f"3 {b}", "c": f"3 {c}"}))
                for a, b, c in (
                    ("acres", "kWh", "hPa"),
                    ("m²", "BTU", "hPa"),
                    ("m²", "kWh", "psi"),
                    ("m²", "kWh", "boxes"),
                )
            ],
            {31, 32, 33, 34},
        ),
    }
    silent = {
        "things that are counted": [
            *[pair(f"q {n}", json.dumps({"a": f"{n + 2} boxes"})) for n in range(30)],
            pair("q", json.dumps({"a": "3 crates"})),
        ],
        "pounds that are money": [
            *[pair(f"q {n}", f"It weighs {n + 2} kg and costs {n} pounds.") for n in range(30)],
            pair("q", "It weighs 2 kg and costs 20 pounds."),
        ],
        "grams among kilograms, in text": [
            *[pair(f"q {n}", f"It weighs {n + 2} kg.") for n in range(30)],
            pair("q", "It weighs 20 g."),
        ],
        "as the question has it": [
            *[pair(f"walk of {n} km", f"It is {n + 20} km.") for n in range(30)],
            pair("walk of 9 miles", "It is 9 miles."),
        ],
        "in and m are words": [*[pair(f"q {n}", f"{n + 2} cm") for n in range(30)], pair("q", "3 in ten of them")],
    }


def listed(mark: str, number: int) -> str:
    """A list of three."""
    return "\n".join(f"{mark.replace('1', str(at))} thing {number} {at}" for at in (1, 2, 3))


class TestMixedBullets(RuleContract):
    name = "mixed-bullets"
    fires = {
        "marks": (
            [pair(f"q {n}", listed("-", n)) for n in range(30)]
            + [pair("q", listed("*", 1)), pair("q", listed("•", 1))],
            {31, 32},
        ),
        "numbers": (
            [pair(f"q {n}", listed("1.", n)) for n in range(30)] + [pair("q", listed("1)", 1))],
            {31},
        ),
        "another kind": ([pair(f"q {n}", listed("1.", n)) for n in range(30)] + [pair("q", listed("-", 1))], {31}),
    }
    silent = {
        "speakers and options": [
            *[pair(f"q {n}", listed("1.", n)) for n in range(30)],
            pair("q", "A: Hey there!\nB: Hello.\nA: How are you?"),
            pair("q", "a) one\nb) two\nc) three"),
        ],
        "items within items": [
            *[pair(f"q {n}", listed("-", n)) for n in range(30)],
            pair("q", "- one\n  * of it\n  * of it\n- two"),
        ],
        "now lists, now steps": [pair(f"q {n}", listed("1." if n % 2 else "-", n)) for n in range(60)],
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
