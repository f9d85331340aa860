"""What prompted arms say: labels listed, examples that are diverse, short and the same every time."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tailor.evaluate.prompts import auto_instructions, choose_shots
from tailor.records import Example, Source, message

SHARED = Path(__file__).parents[2].parent / "shared"


def row(prompt: str, answer: str, line: int = 1, system: str = "") -> Example:
    head = (message("system", system),) if system else ()
    turns = (message("user", prompt), message("assistant", answer))
    return Example(kind="chat", source=Source("a", line), messages=head + turns)


def words(text: str) -> int:
    return len(text.split())


LABELLED = [row(f"question {n}", ("refund", "greeting", "refund", "card lost")[n % 4], n) for n in range(40)]


def test_labels_are_listed() -> None:
    text, reason = auto_instructions(LABELLED)
    assert text == "Answer with exactly one of these labels and nothing else: card lost, greeting, refund"
    assert reason == "40 answers are 3 labels: the instructions list them"


def test_labels_that_hold_commas_get_a_line_each() -> None:
    text, _ = auto_instructions([row(f"q{n}", ("yes, please", "no")[n % 2], n) for n in range(20)])
    assert text.endswith("nothing else: \nno\nyes, please")


@pytest.mark.parametrize(
    "answers",
    [
        [f"a whole sentence about {n}" for n in range(50)],
        ["two\nlines", "b"] * 20,
        ["x" * 81, "y"] * 20,
        [str(n % 30) for n in range(300)],
        ['{"intent": "a"}', '{"intent": "b"}'] * 20,
        [f"label {n % 151}" for n in range(1000)],
        ["always the same"] * 50,
        ["a", "b", "", ""] * 10,
    ],
)
def test_other_answers_get_no_instructions(answers: list[str]) -> None:
    text, reason = auto_instructions([row(f"q{n}", answer, n) for n, answer in enumerate(answers)])
    assert text == "" and "not labels" in reason


def test_grades_are_labels() -> None:
    text, _ = auto_instructions([row(f"q{n}", str(1 + n % 5), n) for n in range(50)])
    assert text.endswith(": 1, 2, 3, 4, 5")


def test_banking77_has_77_labels() -> None:
    path = SHARED / "data/banking77/train.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row(r["text"], r["category"], n) for n, r in enumerate(csv.DictReader(file), 2)]
    text, _ = auto_instructions(rows)
    assert text.count(", ") == 76
    shots = choose_shots(rows, 8, max_tokens=400, count_tokens=words)
    assert len({shot.answer for shot in shots}) == 8


def test_one_shot_of_each_of_the_commonest_answers_first() -> None:
    shots = choose_shots(LABELLED, 2, max_tokens=1000, count_tokens=words)
    assert sorted(shot.answer for shot in shots) == ["card lost", "refund"]
    shots = choose_shots(LABELLED, 3, max_tokens=1000, count_tokens=words)
    assert sorted(shot.answer for shot in shots) == ["card lost", "greeting", "refund"]
    shots = choose_shots(LABELLED, 5, max_tokens=1000, count_tokens=words)
    assert sum(shot.answer == "refund" for shot in shots) == 2


def test_same_shots_whatever_the_order_and_others_by_seed() -> None:
    first = choose_shots(LABELLED, 4, max_tokens=1000, count_tokens=words)
    assert choose_shots(LABELLED[::-1], 4, max_tokens=1000, count_tokens=words) == first
    assert choose_shots(LABELLED, 4, 1, max_tokens=1000, count_tokens=words) != first


def test_free_answers_are_unlike_one_another() -> None:
    alike = [row(f"please shorten the text number {n} for me", f"a short text {n}", n) for n in range(60)]
    odd = [row("Tell a joke", "Knock knock", 100), row("Où est la gare ?", "Tout droit", 101)]
    shots = choose_shots([*alike, *odd], 3, max_tokens=1000, count_tokens=words)
    assert {shot.source.line for shot in shots} >= {100, 101}


def test_shots_fit_the_budget() -> None:
    long = [row("word " * 300 + str(n), "long answer", n) for n in range(30)]
    short = [row(f"question {n}", "short answer", 100 + n) for n in range(30)]
    shots = choose_shots([*long, *short], 4, max_tokens=200, count_tokens=words)
    assert len(shots) == 4 and all(shot.source.line >= 100 for shot in shots)
    assert sum(words(shot.messages[0].text) for shot in shots) < 200
    only_long = choose_shots(long, 8, max_tokens=700, count_tokens=words)
    assert len(only_long) == 2
    assert choose_shots(long, 8, max_tokens=200, count_tokens=words) == []
    assert choose_shots([], 8, max_tokens=200, count_tokens=words) == []


def test_a_shot_costs_its_words_and_eight_tokens_a_turn() -> None:
    rows = [row(f"question {n}", "short answer", n) for n in range(9)]  # `user: question 1`, `assistant: short answer`
    for budget, fitting in ((2 * 22, 2), (2 * 22 - 1, 1)):
        assert len(choose_shots(rows, 3, max_tokens=budget, count_tokens=words)) == fitting


def test_rows_without_an_answer_are_no_shots() -> None:
    waiting = Example(kind="prompt", source=Source("a", 1), messages=(message("user", "well?"),))
    assert choose_shots([waiting], 3, max_tokens=100, count_tokens=words) == []
