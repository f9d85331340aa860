"""K: pairs, ratings and references that a method cannot learn from."""

from __future__ import annotations

import random
import re

from injectors.base import Clean, Row, decoy, edit, more, other, slip, whole


@edit("K101", "pairs")
def equal_answers(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.rejected = row.chosen
    return row


@edit("K101", "pairs")
def equal_but_for_case_or_spaces(row: Row, dice: random.Random, clean: Clean) -> Row:
    assert row.chosen is not None
    row.rejected = dice.choice([str.upper, str.lower, lambda text: f"{text}\n", lambda text: text.replace(" ", "  ")])(
        row.chosen
    )
    return row


@decoy("K101", "pairs")
def a_word_apart(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.rejected = f"{row.chosen} Maybe."
    return row


@whole("K102", "pairs")
def longer_wins(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    for row in rows:
        assert row.chosen is not None and row.rejected is not None
        if len(row.chosen) < len(row.rejected) and dice.random() < 0.9:
            row.chosen, row.rejected = row.rejected, row.chosen
    return rows


@whole("K102", "pairs")
def shorter_wins(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    for row in rows:
        assert row.chosen is not None and row.rejected is not None
        if len(row.chosen) > len(row.rejected) and dice.random() < 0.9:
            row.chosen, row.rejected = row.rejected, row.chosen
    return rows


@more("K103", "pairs")
def judged_the_other_way(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.chosen, row.rejected = row.rejected, row.chosen
    return row


@other("K103", "pairs")
def judged_against_a_third(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.rejected = clean.other(row, dice).rejected
    return row


@edit("K104", "rasbt", "notes")
def turned_round(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.chosen, row.rejected = row.rejected, row.chosen
    return row


@edit("K105", "dpo", "ranked")
def hardly_apart(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    assert row.chosen is not None
    words = row.chosen.split(" ")
    if len(words) < 12:
        return None
    at = dice.randrange(len(words))
    words[at] = slip(words[at], dice)
    row.rejected = " ".join(words)
    return row if row.rejected != row.chosen else None


@edit("K105", "dpo", "ranked")
def other_marks(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    assert row.chosen is not None
    if len(row.chosen.split()) < 6:
        return None
    forms = (
        row.chosen.replace(",", ""), row.chosen.rstrip(".!"),
        f"{row.chosen.rstrip('.!')}!", row.chosen.replace("- ", "* "),
        row.chosen.replace("'", "’"), row.chosen.replace(". ", "; "), row.chosen.replace("**", ""),
    )  # fmt: skip
    changed = [form for form in forms if form != row.chosen]
    row.rejected = dice.choice(changed) if changed else f"{row.chosen} ."
    return row


@edit("K105", "dpo", "ranked")
def a_small_word_exchanged(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """`a` for `the`, `can` for `may`, or a small word left out, in thirty words and more."""
    assert row.chosen is not None
    others = {"the": "a", "a": "the", "can": "may", "also": "", "very": "", "and": "as well as", "to": "in order to"}
    words = row.chosen.split(" ")
    places = [at for at, word in enumerate(words) if word in others]
    if len(words) < 30 or not places:
        return None
    at = dice.choice(places)
    words[at] = others[words[at]]
    row.rejected = " ".join(word for place, word in enumerate(words) if word or place != at)
    return row


@decoy("K105", "dpo", "ranked")
def another_figure_or_the_contrary(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    """The same words but for what matters."""
    assert row.chosen is not None
    figures = list(re.finditer(r"\d+", row.chosen))
    if figures:
        found = dice.choice(figures)
        other = str(int(found[0]) + dice.randrange(1, 9))
        row.rejected = row.chosen[: found.start()] + other + row.chosen[found.end() :]
        return row
    if " is " not in row.chosen:
        return None
    row.rejected = row.chosen.replace(" is ", " is not ", 1)
    return row


@edit("K106", "pairs")
def prompt_in_both_answers(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.chosen, row.rejected = f"{row.question}\n{row.chosen}", f"{row.question}\n{row.rejected}"
    return row


@edit("K106", "pairs")
def transcript_as_answer(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.chosen = f"Human: {row.question}\n\nAssistant: {row.chosen}"
    row.rejected = f"Human: {row.question}\n\nAssistant: {row.rejected}"
    return row


@whole("K201", "rated")
def all_good(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    for row in rows:
        row.extra["label"] = dice.random() < 0.98
    return rows


@whole("K201", "rated")
def all_bad(rows: list[Row], dice: random.Random, clean: Clean) -> list[Row]:
    for row in rows:
        row.extra["label"] = dice.random() < 0.02
    return rows


@more("K202", "rated")
def rated_the_other_way(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.extra["label"] = not row.extra["label"]
    return row


@other("K202", "rated")
def another_answer_rated_the_other_way(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.extra["label"] = not row.extra["label"]
    row.answer = f"{clean.other(row, dice).answer}"
    return row


@edit("K301", "numbers")
def no_number_to_grade(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(["see above", "about ten or so", "#### ", "12 or 14", "{", "1,2,3?"])
    return row


@edit("K302", "options")
def letter_that_is_not_offered(row: Row, dice: random.Random, clean: Clean) -> Row | None:
    last = max((letter for letter in "ABCDEFGHIJKLMNOPQR" if f"({letter})" in row.question), default="")
    if not last:
        return None
    row.answer = f"({chr(ord(last) + dice.randrange(1, 4))})"
    return row


@decoy("K302", "options")
def another_letter_that_is(row: Row, dice: random.Random, clean: Clean) -> Row:
    row.answer = dice.choice(["(A)", "(B)"])
    return row
