"""C5: answers that hold what the question does not, or lack what it does."""

from __future__ import annotations

import json
import random
import re

from injectors.base import Clean, Row, decoy, edit


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
    value = row.json
    invented = ["Greta Holm", "Ostfold", "seventeen", "The Long Winter", "Café Aurora", "Vesterbro", "Blue Harvest"]
    value["slots"][dice.choice(["artist", "city", "party_size", "movie_name", "place"])] = dice.choice(invented)
    row.answer = json.dumps(value, ensure_ascii=False)
    return row


@edit("C502", "facts")
def fact_not_told(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """The record gains a fact that the sentence does not tell."""
    keys = dict(re.findall(r"(\w+)\[([^\]]+)\]", row.question))
    free = [key for key in ("near", "food", "customer rating") if f"{key}[" not in row.question]
    if not free or not keys:
        return None
    key = dice.choice(free)
    values = {
        "near": ["The Six Bells", "Café Adriatic"],
        "food": ["Indian", "Japanese"],
        "customer rating": ["5 out of 5"],
    }
    value = dice.choice(values[key])
    if value in row.answer:
        return None
    row.question = f"{row.question}, {key}[{value}]"
    return row


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
