"""D and L: copies within the training rows, and rows that stand on both sides."""

from __future__ import annotations

import random
import re

from injectors.base import Clean, Row, edit, jaccard, more, other, slip

SETS = ("banking77", "snips", "tickets", "e2e", "gsm8k", "mixed")
NEAR = 0.88  # common runs of five bytes: enough above the promised 0.8 for what a template takes away
NUMBERS = re.compile(r"\b\d+\b")
TURNING = re.compile(r"\b(not|no|never|cannot|without|none|yes)\b|n't\b", re.I)
SMALL = {"the": "a", "a": "the", "is": "was", "my": "the", "I": "we", "in": "at", "and": "plus", "please": "kindly"}


def reworded(text: str, dice: random.Random) -> str:
    """The text as somebody else types it: a slip, a small word changed, left out or added, other punctuation."""
    words = text.split(" ")
    for _ in range(dice.choice([1, 1, 2])):
        at = dice.randrange(len(words))
        if re.search(r"[\d{}\[\]\"]", words[at]) or TURNING.search(words[at]):
            continue
        kind = dice.randrange(4)
        if kind == 0:
            words[at] = slip(words[at], dice)
        elif kind == 1:
            words[at] = SMALL.get(words[at], words[at])
        elif kind == 2 and len(words) > 6:
            words[at] = words[at].rstrip("?.,!") if words[at][-1:] in "?.,!" else f"{words[at]},"
        else:
            words.insert(at, dice.choice(["really", "just", "now", "also", "there"]))
    return " ".join(words)


def _near(text: str, dice: random.Random, least: float = NEAR) -> str | None:
    """A rewording that is nearly the same text and no more than that; None where none comes about."""
    plain = re.sub(r"\W+", " ", text.lower()).strip()
    for _ in range(12):
        made = reworded(text, dice)
        if re.sub(r"\W+", " ", made.lower()).strip() != plain and jaccard(made, text) >= least and len(text) >= 40:
            return made
    return None


# ---------------------------------------------------------------------------------------------------- D: copies


@more("D101", *SETS, "rated", "pairs")
def copied(row: Row, dice: random.Random, clean: Clean) -> Row:
    return row


@more("D101", *SETS)
def copied_with_other_case_or_spaces(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.question = dice.choice([str.upper, str.lower, lambda text: text.replace(" ", "  "), lambda text: f" {text}\n"])(
        row.question
    )
    return row


@other("D101", "banking77", "snips", "gsm8k")
def asked_with_another_word(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.question = f"{row.question} {dice.choice(['Urgent', 'Tomorrow', 'Again', 'Thanks'])} {dice.randrange(99)}"
    return row


@more("D102", *SETS)
def typed_again(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    made = _near(row.question, dice)
    if made is None:
        return None
    row.question = made
    return row


@more("D102", "gsm8k", "e2e", "mixed")
def answer_reworded(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    made = _near(row.answer, dice)
    if made is None:
        return None
    row.answer = made
    return row


@other("D102", "gsm8k", "tickets")
def another_number(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """Another case of the same text: its number and what follows from it differ."""
    found = NUMBERS.findall(row.question)
    if not found:
        return None
    number = dice.choice(found)
    new = str(int(number) + dice.randrange(1, 9))
    row.question = re.sub(rf"\b{number}\b", new, row.question)
    row.answer = re.sub(rf"\b{number}\b", new, row.answer)
    return row


# ------------------------------------------------------------------------------------------- L: on both sides


@more("L101", "held")
def held_row_copied(row: Row, dice: random.Random, clean: Clean) -> Row:
    return _sourced(dice.choice(clean.held), row)


@more("L101", "held")
def held_question_otherwise_typed(row: Row, dice: random.Random, clean: Clean) -> Row:
    made = _sourced(dice.choice(clean.held), row)
    made.question = dice.choice(
        [str.lower, str.upper, lambda text: text.rstrip("?.! ") + " ", lambda text: text.replace(" ", "  ", 2)]
    )(made.question)
    return made


@more("L102", "held")
def held_question_reworded(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    made = _sourced(dice.choice(clean.held), row)
    text = _near(made.question, dice)
    if text is None:
        return None
    made.question = text
    return made


@other("L102", "gsm8k")
def held_question_with_another_number(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    made = _sourced(dice.choice(clean.held), row)
    found = NUMBERS.findall(made.question)
    if not found:
        return None
    made.question = made.question.replace(dice.choice(found), str(dice.randrange(100, 999)))
    return made


@more("L103", "long", also=("L102",))
def held_passage_quoted(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """Most of a held-out row stands in a longer one: pasted behind something else."""
    held = dice.choice(clean.held)
    if len(held.question.split()) < 40:
        return None
    text = held.question.split()
    cut = dice.randrange(0, max(1, len(text) // 6))
    row.question = f"{row.question}\n\n{' '.join(text[cut:])}"
    row.answer = f"{row.answer} {held.answer}"
    return row


@other("L103", "long")
def two_train_rows_joined(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.question = f"{row.question}\n\n{clean.other(row, dice).question}"
    return row


@edit("L104", "groups")
def source_of_a_held_row(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    assert clean.group is not None
    row.extra[clean.group] = dice.choice(clean.held).extra[clean.group]
    return row


def _sourced(held: Row, row: Row) -> Row:
    """A held-out row as a training row, of the source that `row` has."""
    return held.copy(extra=dict(row.extra))
