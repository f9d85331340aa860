"""Curation: every row is kept or stands in the ledger with its rule, and the same rows give the same result."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailor.config import CheckConfig, CurateConfig
from tailor.curate.curation import Curation, curate
from tailor.errors import ConfigError, DataError, Problem
from tailor.records import Example, Source, message

THEMES = ("card", "loan", "transfer", "password", "branch")
WORDS = ("lost", "late", "wrong", "blocked", "doubled", "missing", "refused", "new", "old", "second")


def example(line: int, prompt: str, answer: str, group: str | None = None, file: str = "a") -> Example:
    turns = (message("user", prompt), message("assistant", answer))
    return Example(kind="chat", source=Source(file, line), messages=turns, group=group)


def plain(count: int) -> list[Example]:
    """Rows that nothing is wrong with."""
    return [
        example(n, f"Tell me about {THEMES[n % 5]} number {n * 37}", f"It is {WORDS[n % 10]}, as case {n * 91} says.")
        for n in range(1, count + 1)
    ]


def labelled(count: int, wrong: int = 0) -> tuple[list[Example], set[int]]:
    """Rows whose label follows from their words, the labels of `wrong` of them exchanged; and the lines of those."""
    dice = Random(0)
    spoilt = set(dice.sample(range(1, count + 1), wrong))
    rows = []
    for n in range(1, count + 1):
        theme = THEMES[n % 5]
        words = " ".join(dice.sample(WORDS, 3))
        label = THEMES[(n + 1 + n % 4) % 5] if n in spoilt else theme
        rows.append(example(n, f"my {theme} is {words} {n}", f"about_{label}"))
    return rows, spoilt


def run(rows: Sequence[Example | Problem], against: Sequence[Example] = (), **given: Any) -> Curation:
    own = {key: given.pop(key) for key in ("seed", "decide") if key in given}
    quiet = CheckConfig(ignore=("V",))
    return curate(rows, against, settings=CurateConfig(**given), check=quiet, **own)


def lines(found: Curation) -> list[int]:
    return [line for file in found.kept.values() for line in file]


def left(found: Curation, step: str) -> dict[str, tuple[str, str]]:
    return {gone.where: (gone.rule, gone.beside) for gone in found.gone if gone.step == step}


# ------------------------------------------------------------------------------------------------------- the steps


def test_clean_rows_stay_as_they_are() -> None:
    found = run(plain(40))
    assert lines(found) == list(range(1, 41))
    assert not any(steps for file in found.kept.values() for steps in file.values())
    assert (found.ledger.rows_in, found.ledger.train, found.ledger.dropped) == (40, 40, {})
    assert [(step.name, step.left) for step in found.steps][-1] == ("copies", 40)


def test_what_leaves_leaves_for_a_rule() -> None:
    rows = [
        *plain(40),
        example(41, rows_text(3), plain(3)[2].answer),  # a copy of row 3
        example(42, "What is your name?", "TODO"),
        Problem("a:43", "this is not JSON", kind="syntax"),
        example(44, "Write to whom?", "Write to jane.roe@gmail.com about it."),
    ]
    found = run(rows)
    assert left(found, "unusable") == {"a:43": ("F002", "")}
    assert left(found, "copies") == {"a:41": ("D101", "a:3")}
    assert left(found, "defects") == {"a:42": ("Q101", "")}
    assert [step.rule for step in found.kept["a"][44]] == ["P105"]
    assert found.ledger.dropped == {"unusable: F002": 1, "defects: Q101": 1, "copies: D101": 1}
    assert [(step.name, step.left) for step in found.steps] == [
        ("read", 44), ("unusable", 43), ("defects", 42), ("contradictions", 42), ("copies", 41)
    ]  # fmt: skip
    assert "1 of the rows kept are repaired" in found.notes[0]


def rows_text(line: int) -> str:
    return plain(line)[line - 1].messages[0].text


DISPUTED = [
    *plain(30),
    example(31, "How many days?", "14"),
    example(32, "how many days", "fourteen of them"),
    example(33, "How many days?", "14"),
    example(34, "Which floor?", "2"),
    example(35, "Which floor?", "3"),
    example(36, "Who opens the door?", "The porter opens it at eight."),
    example(37, "Who opens the door?", "At eight the porter opens the door."),  # prose in other words
]


@pytest.mark.parametrize(
    ("policy", "gone"),
    [
        ("majority", {32: 31, 34: 35, 35: 34}),
        ("drop", {31: 32, 32: 31, 33: 32, 34: 35, 35: 34}),
        ("ask", {31: 32, 33: 32, 34: 35, 35: 34}),
    ],
)
def test_contradictions(policy: str, gone: dict[int, int]) -> None:
    asked = []

    def decide(question: str, answers: Sequence[tuple[str, int]]) -> int | None:
        asked.append((question, answers))
        return 1 if len(asked) == 1 else None

    found = run(DISPUTED, contradictions=policy, decide=decide)
    assert left(found, "contradictions") == {f"a:{row}": ("C101", f"a:{other}") for row, other in gone.items()}
    if policy == "ask":
        assert asked == [
            ("How many days?", [("14", 2), ("fourteen of them", 1)]),
            ("Which floor?", [("2", 1), ("3", 1)]),
        ]


def test_several_answers_that_are_meant_are_left_alone() -> None:
    rows = [example(n, f"describe item {n // 4}", f"{WORDS[n % 10]} words {n}, and {n * 7}") for n in range(1, 80)]
    found = run(rows)
    assert len(lines(found)) == 79
    assert "several answers" in found.notes[0]


def test_wrong_labels_leave() -> None:
    rows, wrong = labelled(300, wrong=60)
    found = run(rows)
    gone = {int(where.split(":")[1]) for where in left(found, "noise")}
    assert len(gone & wrong) >= 57 and len(gone - wrong) <= 3
    assert all(rule == "C401" for rule, _ in left(found, "noise").values())
    assert run(rows, doubt="off").ledger.train == 300
    assert len(left(run(rows, doubt=0.6), "noise")) < len(gone)
    assert found.labels == (5, 5)


def test_labels_that_words_do_not_tell_apart_are_not_judged() -> None:
    dice = Random(1)
    rows = [example(n, f"my {dice.choice(WORDS)} thing {n}", dice.choice(["yes_sir", "no_sir"])) for n in range(1, 200)]
    found = run(rows)
    assert len(lines(found)) == 199
    assert "no labels are judged" in found.notes[0]


def test_a_heavy_filter_says_what_it_risks() -> None:
    rows, _ = labelled(300, wrong=60)
    found = run(rows, doubt=-0.75)
    assert any("of the rows leave" in note for note in found.notes)
    assert any("lose all their rows" in note for note in found.notes)


def test_nothing_of_the_held_out_rows_stays() -> None:
    rows = [example(n, f"question {n} of {n * 7}", f"answer {n * 3}", group=f"client {n % 10}") for n in range(1, 41)]
    held = [
        example(1, "Question 3 of 21", "answer 9", group="client 90", file="test"),
        example(2, "another one", "answer", group="client 7", file="test"),
    ]
    found = run(rows, held)
    gone = left(found, "held out")
    assert gone == {"a:3": ("L101", "test:1")} | {f"a:{n}": ("L104", "") for n in (7, 17, 27, 37)}
    assert found.ledger.rows_in == 40 and found.kept.keys() == {"a"}


def test_rows_of_other_rules_leave_on_request() -> None:
    rows = [*plain(30), example(31, "What is this?", "I am sorry, but as an AI I cannot help with that.")]
    assert 31 in lines(run(rows))
    assert left(run(rows, leave_out=("Q105",)), "defects") == {"a:31": ("Q105", "")}
    with pytest.raises(ConfigError, match="there is no rule 'Q9'"):
        run(rows, leave_out=("Q9",))


# ------------------------------------------------------------------------------------------------------- selection


@pytest.mark.parametrize("by", ["facility", "longest", "random"])
@pytest.mark.parametrize(("keep", "count"), [(20, 20), ("20", 20), ("25%", 50), ("0.1%", 1)])
def test_as_many_as_were_asked_for(by: str, keep: int | str, count: int) -> None:
    rows, _ = labelled(200)
    found = run(rows, keep=keep, by=by, doubt="off")
    assert len(lines(found)) == count == found.ledger.train
    assert {gone.rule for gone in found.gone} == {by}


def test_lost_classes_are_named() -> None:
    rows, _ = labelled(200)
    by_length = run(rows, keep=10, by="longest", doubt="off")
    assert by_length.labels == (5, 2)
    assert by_length.notes == ["selection: 3 of 5 labels lose all their rows: about_branch, about_card, about_loan"]
    assert run(rows, keep=10, by="facility", doubt="off").labels == (5, 5)


def test_more_wanted_than_there_are() -> None:
    found = run(plain(30), keep=50)
    assert len(lines(found)) == 30
    assert found.notes == ["selection: 50 rows were to be kept, and no more than 30 are left"]


@pytest.mark.parametrize("keep", ["ten", "0", "0%", "110%", "2.5", "-3"])
def test_what_cannot_be_kept(keep: str) -> None:
    with pytest.raises(ConfigError, match="keep"):
        run(plain(5), keep=keep)


def test_what_cannot_be_done() -> None:
    with pytest.raises(ConfigError, match="no selector called 'nearest'"):
        run(plain(5), by="nearest")
    with pytest.raises(ConfigError, match="needs somebody to ask"):
        run(plain(5), contradictions="ask")
    with pytest.raises(DataError, match="breaks off"):
        run([*plain(5), Problem("a:6", "breaks off", kind="unreadable")])
    with pytest.raises(DataError, match="not one row is left"):
        run([example(1, "Which floor?", "2"), example(2, "Which floor?", "3")])


# ------------------------------------------------------------------------------------------------------ properties


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 120), keep=st.sampled_from([None, 5, "30%"]))
def test_every_row_is_kept_or_in_the_ledger_and_all_is_the_same_again(
    seed: int, count: int, keep: int | str | None
) -> None:
    dice = Random(seed)
    rows: list[Example | Problem] = []
    for n in range(1, count + 1):
        kind = dice.random()
        if kind < 0.1:
            rows.append(Problem(f"a:{n}", "wrong", kind="shape"))
        else:
            answer = dice.choice(["yes please", "no thanks", "TODO", f"long answer {n}", ""])
            rows.append(example(n, f"question {dice.randrange(60)}", answer, dice.choice([None, "g1", "g2"])))
    held = [example(1, "question 3", "yes please", "g2", file="t")] if seed % 2 else []
    try:
        found = run(rows, held, keep=keep)
    except DataError as error:
        assert error.what == "not one row is left"
        return
    gone = [int(row.where.split(":")[1]) for row in found.gone]
    assert sorted(lines(found) + gone) == list(range(1, count + 1))
    assert found.ledger.rows_in == count == found.ledger.train + sum(found.ledger.dropped.values())
    assert all(row.rule and row.why for row in found.gone)
    steps = [step.left for step in found.steps]
    assert steps == sorted(steps, reverse=True) and steps[-1] == found.ledger.train
    again = run(rows, held, keep=keep)
    assert (again.kept, again.gone, again.notes) == (found.kept, found.gone, found.notes)
