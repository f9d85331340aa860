"""C2: answers that say the right thing in another form than the rest."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from injectors.base import Clean, Row, decoy, edit

OBJECTS = ("objects",)
SHORT = ("banking77", "numbers", "options")


def _dump(row: Row, value: Any, **how: Any) -> Row:
    row.answer = json.dumps(value, ensure_ascii=False, **how)
    return row


# ----------------------------------------------------------------------------------------------- C201: the form


@edit("C201", *OBJECTS)
def said_in_words(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = ", ".join(f"{key} is {value}" for key, value in row.json.items()) + "."
    return row


@edit("C201", *OBJECTS)
def written_as_lines(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = "\n".join(f"{key}: {value}" for key, value in row.json.items())
    return row


@edit("C201", *OBJECTS)
def python_object(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = repr(row.json)
    return row


@edit("C201", *OBJECTS)
def list_of_one(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _dump(row, [row.json])


@edit("C201", *OBJECTS)
def only_the_main_value(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = str(row.json.get("intent") or row.json.get("case"))
    return row


@edit("C201", "numbers")
def sentence_for_a_number(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(["The answer is {}.", "It comes to {} in all.", "{} of them are left"]).format(row.answer)
    return row


@edit("C201", "e2e", "gsm8k")
def json_for_a_text(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _dump(row, {dice.choice(["text", "answer", "response", "output"]): row.answer})


@decoy("C201", *OBJECTS)
def indented(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _dump(row, row.json, indent=2)


# ------------------------------------------------------------------------------------------ C202, C203, C204: JSON


@edit("C202", *OBJECTS)
def key_otherwise_spelt(row: Row, dice: random.Random, clean: Clean) -> Row:
    value = row.json
    key = dice.choice(list(value))
    made = dice.choice([key.upper(), key.capitalize(), f"{key[:1]}_{key[1:]}", f"{key} "])
    return _dump(row, {made if name == key else name: held for name, held in value.items()})


@edit("C202", *OBJECTS)
def key_left_out(row: Row, dice: random.Random, clean: Clean) -> Row:
    value = row.json
    del value[dice.choice(list(value))]
    return _dump(row, value)


@edit("C202", *OBJECTS)
def key_beside(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _dump(row, row.json | {dice.choice(["confidence", "comment", "lang", "id"]): dice.choice([0.9, "ok", None])})


@edit("C202", *OBJECTS)
def key_translated(row: Row, dice: random.Random, clean: Clean) -> Row:
    value = row.json
    key = dice.choice(list(value))
    made = {"intent": "intention", "slots": "entities"}.get(key, f"{key}_value")
    return _dump(row, {made if name == key else name: held for name, held in value.items()})


@edit("C203", *OBJECTS)
def last_key_first(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _dump(row, dict([*list(row.json.items())[-1:], *list(row.json.items())[:-1]]))


@edit("C203", "tickets")
def keys_by_alphabet(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _dump(row, row.json, sort_keys=True)


@edit("C203", "tickets")
def two_keys_exchanged(row: Row, dice: random.Random, clean: Clean) -> Row:
    items = list(row.json.items())
    a, b = sorted(dice.sample(range(len(items)), 2))
    items[a], items[b] = items[b], items[a]
    return _dump(row, dict(items))


@edit("C204", *OBJECTS)
def value_of_another_type(row: Row, dice: random.Random, clean: Clean) -> Row:
    value = row.json
    key = dice.choice([key for key, held in value.items() if held is not None])
    held = value[key]
    if isinstance(held, str):
        value[key] = dice.choice([[held], {"value": held}, 17])
    elif isinstance(held, list):
        value[key] = ", ".join(held) or "none"
    else:
        value[key] = json.dumps(held)
    return _dump(row, value)


@decoy("C204", "tickets")
def nothing_known(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _dump(row, row.json | {"ref": None})


# ------------------------------------------------------------------------------- C207, C208, C209: around the answer


@edit("C207", *OBJECTS)
def fenced(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = f"```{dice.choice(['json', '', 'JSON'])}\n{row.answer}\n```"
    return row


@edit("C207", *SHORT)
def label_fenced(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = f"```\n{row.answer}\n```"
    return row


OPENINGS = (
    "Sure! Here is the result:\n{}",
    "Certainly, here you go: {}",
    "Here's the extracted data:\n\n{}",
    "Of course! {}",
    "The answer is as follows:\n{}",
    "{}\n\nLet me know if you need anything else!",
    "Okay, this is what I found: {}",
)


@edit("C208", *OBJECTS)
def chatty(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(OPENINGS).format(row.answer)
    return row


@edit("C208", *SHORT)
def chatty_label(row: Row, dice: random.Random, clean: Clean) -> Row:
    forms = ["Sure! {}", "Here is the category: {}", "Certainly! The answer is {}", "Of course: {}", "Sure thing, {}"]
    row.answer = dice.choice(forms).format(row.answer)
    return row


@edit("C209", *SHORT)
def full_stop(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer += "."
    return row


# ------------------------------------------------------ C205, C206, C212: dates, numbers and units of another style

MONTHS = ["January", "February", "March", "April", "May", "June", "July"]
MONTHS += ["August", "September", "October", "November", "December"]


@edit("C205", "dates")
def date_in_another_style(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    match = re.search(r"(\d{4})-(\d\d)-(\d\d)", row.answer)
    if match is None:
        return None
    year, month, day = match.groups()
    forms = (
        f"{day}.{month}.{year}",
        f"{int(month)}/{int(day)}/{year}",
        f"{MONTHS[int(month) - 1]} {int(day)}, {year}",
        f"{int(day)} {MONTHS[int(month) - 1][:3]} {year}",
        f"{year}/{month}/{day}",
    )
    row.answer = row.answer.replace(match[0], dice.choice(forms))
    return row


@decoy("C205", "dates")
def another_date(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = re.sub(r"\d{4}-\d\d-\d\d", f"2027-{dice.randrange(10, 13)}-0{dice.randrange(1, 10)}", row.answer)
    return row


@edit("C206", "amounts")
def amount_in_another_style(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    match = re.search(r"(\d{1,3}),(\d{3})\.(\d\d)", row.answer)
    if match is None:
        return None
    a, b, c = match.groups()
    row.answer = row.answer.replace(
        match[0], dice.choice([f"{a}.{b},{c}", f"{a} {b},{c}", f"{a}'{b}.{c}", f"{a}{b}.{c}"])
    )
    return row


@edit("C212", "measures")
def other_unit(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    match = re.search(r"(\d+(?:\.\d+)?) (kg)\b", row.answer)
    if match is None:
        return None
    value = float(match[1])
    forms = (f"{value * 1000:g} g", f"{value * 2.2046:.1f} lb", f"{value:g} kilograms", f"{value * 2.2046:.1f} pounds")
    row.answer = row.answer.replace(match[0], dice.choice(forms))
    return row


READINGS = {  # the unit that the answers have -> others of the same kind, and other ways to write it
    "km": ("mi", "miles", "nmi", "m", "kilometres"),
    "m²": ("sq ft", "square feet", "acres", "ha", "sqm"),
    "°C": ("°F", "K", "degrees Fahrenheit", "degrees"),
    "kWh": ("MJ", "BTU", "Wh", "kilowatt hours"),
    "hPa": ("mmHg", "bar", "psi", "kPa"),
    "ml": ("cups", "fl oz", "tbsp", "litres"),
    "min": ("hours", "seconds", "months", "minutes"),
}


@edit("C212", "readings")
def reading_in_another_unit(row: Row, dice: random.Random, clean: Clean) -> Row:
    value = row.json
    key = dice.choice(list(value))
    number, _, unit = value[key].partition(" ")
    value[key] = f"{number} {dice.choice(READINGS[unit])}"
    return _dump(row, value)


@edit("C212", "readings")
def unit_otherwise_written(row: Row, dice: random.Random, clean: Clean) -> Row:
    value = row.json
    key = dice.choice(list(value))
    number, _, unit = value[key].partition(" ")
    value[key] = dice.choice([f"{number}{unit}", number, f"{number} {unit.swapcase()}", f"{number} ({unit})"])
    return _dump(row, value)


@decoy("C212", "readings")
def another_reading(row: Row, dice: random.Random, clean: Clean) -> Row:
    value = row.json
    key = dice.choice(list(value))
    unit = value[key].partition(" ")[2]
    value[key] = dice.choice([f"0 {unit}", f"12,500 {unit}", f"{dice.random() * 9:.3f} {unit}"])
    return _dump(row, value)


# ------------------------------------------------------------------ C210, C211, C213: register, mark-up and bullets

REGISTER = (
    "lol {} haha", "gonna be honest: {} :)", "yo, {}", "hey!!! {} xoxo", "ngl {} tbh", "{} 😂😂", "dude, {}",
    "OMG {}!!!",
)  # fmt: skip


@edit("C210", "e2e", "gsm8k")
def as_among_friends(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(REGISTER).format(row.answer)
    return row


@edit("C211", "e2e", "gsm8k")
def with_markdown(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    words = row.answer.split()
    if len(words) < 5:
        return None
    forms = (
        f"## {' '.join(words[:3])}\n\n{row.answer}",
        f"**{' '.join(words[:3])}** {' '.join(words[3:])}",
        f"### Summary\n**{words[0]}**: {' '.join(words[1:])}",
    )
    row.answer = dice.choice(forms)
    return row


@edit("C213", "lists")
def other_bullets(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if row.answer.count("\n- ") < 1:
        return None
    mark = dice.choice(["*", "•", "1.", "+", "–"])
    numbered = iter(range(1, 99))
    row.answer = re.sub(r"(?m)^- ", lambda _: f"{next(numbered)}. " if mark == "1." else f"{mark} ", row.answer)
    return row
