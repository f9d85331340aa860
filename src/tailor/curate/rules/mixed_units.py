"""Units of measure that are written or chosen otherwise than in other answers.

Miles where the others give kilometres, `5 lb` among kilograms, `kms` or `kilometers` for `km`, a bare `5` or `5kg`
where the others have `5 kg`, or `5 boxes`: at least 80% of the measures in that place (under a key of a JSON answer,
in an answer that is a measure, in texts most of which have one) are written in one way, and this one in another.
Whoever computes with the answers is wrong by the factor between the units. A unit that the question uses is left alone
where the others are copied from it as well, and so are grams among kilograms in texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tailor.curate.drift import Piece, answered, odd
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C212"
SEVERITY = "warn"
COST = "who computes with the answers is wrong by the factor between the units"
FIX = "give the measure in the unit of the other answers, written as they write it"
WHOLE = "answer"  # the slot of an answer that is a measure
BARE = "no unit"
_UNITS = """
length/metric: mm millimeter millimetre, cm cms centimeter centimetre, m meter metre, km kms kilometer kilometre
length/imperial: in inch inche, ft feet foot, yd yds yard, mi mile, nmi nautical_mile
area/metric: cm² cm2 square_centimeter square_centimetre, m² m2 sqm sq_m square_meter square_metre, ha hectare
area/metric: km² km2 square_kilometer square_kilometre
area/imperial: sq_in square_inch square_inche, sq_ft sqft ft² square_feet square_foot, acre, sq_mi square_mile
weight/metric: mg milligram, g gram gramme, kg kgs kilo kilogram kilogramme, t tonne
weight/imperial: oz ounce, lb lbs pound, st stone
temperature/Celsius: °C ℃ C celsius Celsius degrees_C degrees_Celsius degrees_celsius degree_Celsius
temperature/Fahrenheit: °F ℉ F fahrenheit Fahrenheit degrees_F degrees_Fahrenheit degrees_fahrenheit degree_Fahrenheit
temperature/Kelvin: K kelvin Kelvin
volume/metric: ml mL milliliter millilitre, cl centiliter centilitre, l L liter litre, m³ m3 cubic_meter cubic_metre
volume/imperial: fl_oz floz fluid_ounce, cup, tbsp tablespoon, tsp teaspoon, pt pts pint, qt qts quart, gal gals gallon
speed/metric: km/h kmh kph kilometers_per_hour kilometres_per_hour, m/s meters_per_second metres_per_second
speed/imperial: mph mi/h miles_per_hour miles_an_hour, kn knot
energy/metric: J joule, kJ kilojoule, MJ megajoule, Wh watt_hour, kWh kilowatt_hour, MWh megawatt_hour
energy/other: cal calorie, kcal kilocalorie, BTU Btu
power/metric: mW milliwatt, W watt, kW kilowatt, MW megawatt
power/imperial: hp horsepower
pressure/metric: Pa pascal, hPa hectopascal, kPa kilopascal, MPa megapascal, mbar millibar, bar
pressure/other: psi, mmHg, inHg, atm atmosphere
time/: ms msec millisecond, s sec secs second, min mins minute, h hr hrs hour, day, wk wks week, month, yr yrs year
frequency/: Hz hertz, kHz kilohertz, MHz megahertz, GHz gigahertz
electricity/: mV millivolt, V volt, kV kilovolt, mA milliampere, A amp ampere, mAh
data/: kB KB kilobyte, MB megabyte, GB gigabyte, TB terabyte, MiB, GiB
"""
_KNOWN: dict[str, tuple[str, str, str]] = {}  # as it is written -> what it measures, system, first name
for _line in _UNITS.strip().split("\n"):
    _kind, _, _rest = _line.partition(": ")
    for _forms in _rest.split(", "):
        _names = _forms.replace("_", "\0").split()
        for _name in (name.replace("\0", " ") for name in _names):
            _KNOWN[_name] = (*_kind.split("/"), _names[0].replace("\0", " "))  # type: ignore[assignment]
_NUMBER = r"[-−]?\d[\d,.]*(?P<room>[ \u00a0-]?)"
_MEASURE = re.compile(
    rf"(?<![\w.,$€£#]){_NUMBER}(?P<unit>(?:(?:fl|fluid|sq|square|cubic|nautical|(?:kilo|mega)?watt|degrees?"
    r"|[a-z]+ (?:per|an)) )?[°℃℉]?(?: ?[A-Za-z]+[²³23]?(?:/[hs])?)?)(?![\w/°'])"
)
_VALUE = re.compile(rf"{_NUMBER}(?P<unit>[^\d\s-](?:\D{{0,24}}[^\d\s]|[23])?)")  # a number and whatever follows it
_TOO = "in t st C F K s h l L g m pt pts W J V A bar bars cup cups cal hp ha MW Pa atm pound pounds"
_WORDS_TOO = frozenset(_TOO.split())  # 3 in ten, plan 9 C, 20 pounds
_BARE = re.compile(r"[-−+]?\d[\d,.]*")
_DIGIT = re.compile(r"\d")
_TEXT = 400  # characters at the beginning of a text that are looked at
_SHORT = 40


def collect(row: Row) -> tuple[Piece, ...] | None:
    """The system and the spelling of each measure."""
    if not answered(row) or not _DIGIT.search(row.answer[:_TEXT]):
        return None
    return tuple(Piece(slot, style, copied) for slot, style, _, copied in _measures(row)) or None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a measure, of the first thing that is odd about it."""
    done = set()
    for index, slot, style, wanted in odd(corpus, CODE):
        key, _, what = slot.partition("\0")
        if what == "unit" and wanted not in _KNOWN and (wanted != BARE or style not in _KNOWN):
            continue  # things that are counted
        row = corpus.row(index)
        for place, told, text, _ in _measures(row):
            if (place, told) == (slot, style) and (index, text) not in done:
                done.add((index, text))
                where = "" if key in ("", WHOLE) else f" under {key!r}"
                seen = f"is in {style}" if what == "unit" or style[:1] != "5" else f"is written {style}"
                message = f"{text!r}{where} {seen}, elsewhere {wanted}"
                yield Hit(message=message, rows=(index,), evidence=row.given(), at=text)
                break


def _measures(row: Row) -> Iterator[tuple[str, str, str, bool]]:
    """(slot, style, text, whether the prompt has the unit) of what is told of each measure."""
    for key, text in row.leaves:
        text = text.strip()
        match = _VALUE.fullmatch(text) if len(text) <= _SHORT else None
        known = _known(match["unit"]) if match is not None else None
        if match is not None and (known is not None or key):
            yield f"{key or WHOLE}\0unit", known[2] if known else match["unit"], text, _asked(row, match)
            if known is not None:
                yield f"{key or WHOLE}\0{known[2]}", _written(match), text, _asked(row, match)
        elif len(text) <= _SHORT and _BARE.fullmatch(text):
            yield f"{key or WHOLE}\0unit", BARE, text, False
        elif not key:
            for match in _MEASURE.finditer(text[:_TEXT]):
                known = _known(match["unit"])
                if known is not None and match["unit"] not in _WORDS_TOO:
                    yield f"\0{known[0]}", known[1], match[0], _asked(row, match)
                    yield f"\0{known[2]}", _written(match), match[0], _asked(row, match)


def _known(unit: str) -> tuple[str, str, str] | None:
    """What it measures, in which system, and the unit's first name."""
    unit = unit.replace("° ", "°").strip()
    return _KNOWN.get(unit) or (_KNOWN.get(unit.removesuffix("s")) if len(unit) > 3 else None)


def _written(match: re.Match[str]) -> str:
    """How it is written: with its space, without the s of the plural."""
    unit = {"feet": "foot", "inches": "inch"}.get(match["unit"], match["unit"])
    return f"5{match['room']}{unit.removesuffix('s') if len(unit) > 3 else unit}"


def _asked(row: Row, match: re.Match[str]) -> bool:
    return re.search(rf"\b{re.escape(match['unit'].removesuffix('s'))}s?\b", row.prompt) is not None
