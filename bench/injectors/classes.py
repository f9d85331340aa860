"""C3 and C4: labels that are spelt otherwise, unknown, rare or wrong."""

from __future__ import annotations

import random

from injectors.base import Clean, Row, edit, slip


@edit("C301", "banking77", "many-of-a-label")
def mistyped(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    parts = row.answer.split("_")
    at = max(range(len(parts)), key=lambda at: len(parts[at]))
    parts[at] = slip(parts[at], dice)
    made = "_".join(parts)
    if made == row.answer or made in {held.answer for held in clean.rows[:2000]}:
        return None
    row.answer = made
    return row


@edit("C301", "banking77", "many-of-a-label")
def other_marks(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    if "_" not in row.answer:
        return None
    row.answer = row.answer.replace("_", dice.choice([" ", "-", "", "."]))
    return row


@edit("C301", "banking77", "many-of-a-label")
def other_case(row: Row, dice: random.Random, clean: Clean) -> Row:
    made = dice.choice([row.answer.upper(), row.answer.title(), f"{row.answer} ", row.answer.capitalize()])
    row.answer = made if made != row.answer else row.answer.upper()
    return row


@edit("C301", "banking77", "many-of-a-label")
def with_a_mark_behind(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice([f"{row.answer}.", f'"{row.answer}"', f"{row.answer}_", f"<{row.answer}>"])
    return row


NAMES = (
    "general_enquiry", "misc", "complaint about staff", "see ticket", "escalate", "spam", "praise", "wrong_number",
    "duplicate", "branch_opening_hours", "mortgage", "insurance", "job_application", "press", "legal", "loan_rate",
    "crypto", "pension", "feedback", "survey", "ask colleague", "newsletter", "language_change", "marketing",
)  # fmt: skip


@edit("C302", "many-of-a-label")
def class_of_one(row: Row, dice: random.Random, clean: Clean) -> Row:
    """A name of its own for each: a word of another scheme, a note, a sentence in the place of the label."""
    number = dice.randrange(10_000)
    forms = (f"{dice.choice(NAMES)} {number}", f"{dice.choice(NAMES)} / {row.question.split()[-1]} {number}")
    row.answer = dice.choice(forms)
    return row


@edit("C303", "declared")
def label_of_another_scheme(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(NAMES)
    return row


@edit("C401", "banking77-whole")
def label_of_another_class(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = clean.other(row, dice).answer
    return row
