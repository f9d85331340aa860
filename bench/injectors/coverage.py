"""V, and files as a whole: too few rows, of too few kinds."""

from __future__ import annotations

import random
from collections import Counter

from injectors.base import Clean, Row, whole

SETS = ("banking77", "snips", "tickets", "e2e", "gsm8k", "mixed")


@whole("V101", *SETS)
def a_handful(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    return rows[:38]


@whole("V101", *SETS)
def copies_of_a_handful(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    return rows[:20] * 10


def _classes(rows: list[Row]) -> list[str]:
    return [label for label, _ in Counter(row.answer for row in rows).most_common()]


@whole("V102", "banking77-whole")
def one_class_rules(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    first = set(_classes(rows)[:3])
    return [row for row in rows if row.answer in first or dice.random() < 0.06]


@whole("V103", "banking77-whole")
def classes_cut_down(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    """Three classes keep four rows each."""
    kept = Counter(dict.fromkeys(_classes(rows)[-3:], 4))
    small = set(kept)
    left = []
    for row in rows:
        if row.answer not in small or kept[row.answer] > 0:
            left.append(row)
            kept[row.answer] -= 1
    return left


@whole("V104", "banking77")
def class_taken_out(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    label = _classes(clean.held)[0]
    return [row for row in rows if row.answer != label]


@whole("V105", "gsm8k", "snips", "mixed")
def few_questions(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    """Every question of a few again and again, with a word more each time."""
    few = rows[: len(rows) // 20]
    endings = ("", "Please.", "Thanks!", "Now.", "Quickly.", "Thank you.", "please", "Kindly.", "Now!", "soon")
    return [row.copy(question=f"{row.question} {ending}".strip()) for row in few for ending in endings]


@whole("V106", "gsm8k", "banking77", "e2e")
def one_template(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    names = [
        f"{a}{b}" for a in ("red", "blue", "old", "tiny", "fast") for b in ("kettle", "drill", "lamp", "chair", "saw")
    ]
    for number, row in enumerate(rows):
        row.question = f"What is the price of a {names[number % 25]} with the number {number} in our catalogue?"
    return rows


@whole("V102", "banking77-whole")
def one_class_has_half(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    first = _classes(rows)[0]
    return [row for row in rows if row.answer == first or dice.random() < 0.02]
