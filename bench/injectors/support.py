"""C5: answers that hold what the question does not, or lack what it does."""

from __future__ import annotations

import json
import random
import re

from injectors.base import Clean, Row, decoy, edit

FACT = re.compile(r"(\w[\w ]*)\[([^\]]+)\]")
TOLD = {  # where a sentence has one of these, it may tell the fact in words of its own
    "near": re.compile(r"near|close|next|by the|beside|opposite|across|adjacent|vicinity|nearby|around|not far|at the"),
    "area": re.compile(r"cit|cent|river|down ?town|town|water|bank"),
    "priceRange": re.compile(r"pric|cheap|£|expens|afford|cost|low|high|moderate|mid|average|budget|reasonab|spend"),
    "familyFriendly": re.compile(r"famil|kid|child|adult|young|age"),
    "food": re.compile(r"food|cuisine|serv|dish|menu|meal|eat|british|sushi|curry|pasta|burger|french|chin|ital"),
    "customer rating": re.compile(
        r"rat(?:ed|ing)|star|review|recommend|prais|scor|qualit|high|low|popular|best|excellent|great|good|poor|average"
        r"|customer|terrible|bad|love|out of|decent|rav(?:e|ing)"
    ),
}


def _slots(row: Row) -> dict[str, object]:
    value = row.json
    found = value.get("slots") if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


@edit("C501", "slots")
def value_of_another_row(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    value = row.json
    filled = [key for key, held in value["slots"].items() if isinstance(held, str)]
    if not filled:
        return None
    key = dice.choice(filled)
    for _ in range(50):
        held = _slots(dice.choice(clean.rows)).get(key)
        if isinstance(held, str) and held.lower() not in row.question.lower():
            value["slots"][key] = held
            row.answer = json.dumps(value, ensure_ascii=False)
            return row
    return None


@edit("C501", "slots")
def value_made_up(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """Under a key that other rows have: a key that none has is another defect, and at 10% a habit of the data."""
    value = row.json
    keys = sorted(_slots(clean.other(row, dice)))
    if not keys:
        return None
    invented = ["Greta Holm", "Ostfold", "seventeen", "The Long Winter", "Café Aurora", "Vesterbro", "Blue Harvest"]
    value["slots"][dice.choice(keys)] = dice.choice(invented)
    row.answer = json.dumps(value, ensure_ascii=False)
    return row


@edit("C501", "slots", "amounts")
def value_altered(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """A figure that is another one, or a name with another's half."""
    value = row.json
    held = value.get("slots", value)
    key = dice.choice([key for key, told in held.items() if isinstance(told, str)] or [""])
    if not key:
        return None
    told = held[key]
    if any(sign.isdigit() for sign in told):
        held[key] = re.sub(r"\d", lambda sign: str((int(sign[0]) + dice.randrange(1, 9)) % 10), told, count=2)
    elif " " in told:
        held[key] = f"{told.split()[0]} {dice.choice(['Okonkwo', 'Lindqvist', 'at dawn', 'of Tallinn'])}"
    else:
        return None
    if held[key].lower() in row.question.lower():
        return None
    row.answer = json.dumps(value, ensure_ascii=False)
    return row


@edit("C502", "facts")
def fact_not_told(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """The record gains a fact that no record of the data has, under a key of which the sentence says nothing.

    "Raved about by its customers" would tell a rating, and the row would be right as it stands.
    """
    values = {
        "near": ["The Six Bells", "Café Adriatic"],
        "food": ["Indian", "Japanese"],
        "customer rating": ["5 out of 5"],
    }
    free = [key for key in values if f"{key}[" not in row.question and not TOLD[key].search(row.answer.lower())]
    if not free:
        return None
    key = dice.choice(free)
    row.question = f"{row.question}, {key}[{dice.choice(values[key])}]"
    return row


@edit("C502", "facts")
def fact_of_another_record(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """The record gains a fact of another record, under a key of which the sentence says nothing."""
    own = dict(FACT.findall(row.question))
    others = dict(FACT.findall(dice.choice(clean.rows).question))
    free = [key for key in others if key in TOLD and key not in own and not TOLD[key].search(row.answer.lower())]
    if not free:
        return None
    key = dice.choice(free)
    row.question = f"{row.question}, {key}[{others[key]}]"
    return row


@edit("C502", "facts", "cards")
def fact_cut_out(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """The piece of the sentence that tells a fact is gone."""
    facts = [(key, value) for key, value in FACT.findall(row.question) if key not in ("name", "eatType")]
    facts += re.findall(r"(?m)^(\w+): (.+)$", row.question)[1:]
    dice.shuffle(facts)
    for key, value in facts:
        pieces = re.split(r"(?<=[,.;])\s+| and ", row.answer)
        kept = [piece for piece in pieces if value.lower() not in piece.lower()]
        left = " ".join(kept)
        if len(kept) in (0, len(pieces)) or (key in TOLD and TOLD[key].search(left.lower())):
            continue
        row.answer = left
        return row
    return None


@decoy("C501", "slots")
def value_in_other_case(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    value = row.json
    filled = [key for key, held in value["slots"].items() if isinstance(held, str)]
    if not filled:
        return None
    key = dice.choice(filled)
    value["slots"][key] = value["slots"][key].title()
    row.answer = json.dumps(value, ensure_ascii=False)
    return row
