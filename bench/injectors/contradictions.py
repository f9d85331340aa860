"""C1: one question, several answers."""

from __future__ import annotations

import json
import random
import re

from injectors.base import Clean, Row, more, other, whole
from injectors.copies import _near

CLEAR = ("banking77", "snips", "tickets", "numbers")


def another_answer(row: Row, dice: random.Random, clean: Clean) -> str:
    """An answer of the same form that says something else."""
    if "numbers" in clean.traits:
        value = row.answer.replace(",", "")
        return str(int(float(value)) + dice.choice([-7, -2, 1, 3, 10, 100]))
    value = row.json
    if not isinstance(value, dict):
        return clean.other(row, dice).answer
    slots = value["slots"] if isinstance(value.get("slots"), dict) and value["slots"] else value
    other_ones = clean.other(row, dice).json
    filled = [key for key, held in slots.items() if isinstance(held, str)]
    if filled and dice.random() < 0.7:
        key = dice.choice(filled)
        source = other_ones.get("slots", other_ones) if isinstance(other_ones, dict) else {}
        new = next((held for held in source.values() if isinstance(held, str) and held != slots[key]), "other")
        slots[key] = new
        return json.dumps(value, ensure_ascii=False)
    return clean.other(row, dice).answer


@more("C101", *CLEAR, "gsm8k", "e2e", "mixed")
def answered_otherwise(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = another_answer(row, dice, clean)
    return row


@more("C101", "banking77", "snips", "numbers")
def typed_otherwise_and_answered_otherwise(row: Row, dice: random.Random, clean: Clean) -> Row:
    """The same words: other case, no question mark, one space more."""
    row.question = dice.choice([str.lower, str.upper, lambda text: text.rstrip("?.!"), lambda text: f" {text} "])(
        row.question
    )
    row.answer = another_answer(row, dice, clean)
    return row


@other("C101", "snips", "tickets")
def same_answer_with_other_spaces(row: Row, dice: random.Random, clean: Clean) -> Row:
    value = row.json
    row.answer = json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else row.answer
    return row


@other("C101", "numbers")
def same_number_with_a_fraction(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = f"{row.answer}.0" if "." not in row.answer else row.answer
    return row


@other("C101", "e2e", "gsm8k")
def same_answer_with_a_word_more(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = f"{row.answer} {dice.choice(['Indeed.', 'That is it.', 'Done.'])}"
    return row


@more("C102", *CLEAR)
def nearly_asked_and_answered_otherwise(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    made = _near(row.question, dice)
    if made is None:
        return None
    row.answer = another_answer(row, dice, clean)
    row.question = made
    return row


@other("C102", "numbers", "tickets")
def another_number_another_answer(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    found = re.findall(r"\b\d+\b", row.question)
    if not found:
        return None
    row.question = row.question.replace(dice.choice(found), str(dice.randrange(100, 999)))
    row.answer = another_answer(row, dice, clean)
    return row


@whole("C103", "e2e", "gsm8k", "mixed")
def several_writers(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    """Each question of a part of the rows three times, each with an answer of its own."""
    made = []
    for row in rows[: len(rows) // 3]:
        for _ in range(3):
            words = row.answer.split()
            dice.shuffle(words)
            made.append(row.copy(answer=" ".join(words)))
    return made
