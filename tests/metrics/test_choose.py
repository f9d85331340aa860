"""Which metric suits the answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tailor.errors import DataError
from tailor.metrics import choose
from tailor.records import Example, Source, message
from tailor.testing.metrics import example

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def chosen(answers: list[str]) -> tuple[str, str]:
    return choose([example(answer) for answer in answers])


@pytest.mark.parametrize(
    ("answers", "metric", "reason"),
    [
        (['{"a": 1}'] * 19 + ["sorry"], "json-exact", "19 of 20 answers are JSON"),
        (["[1, 2]", "{}"], "json-exact", "all 2 answers are JSON"),
        (["spam", "ham"] * 10, "exact", "the 20 answers are 2 labels"),
        (["1", "2", "3", "4", "5"] * 8, "exact", "the 40 answers are 5 labels"),
        ([f"{n} apples in {n} boxes.\n#### {n}" for n in range(20)], "number-match", "all 20 answers end in a number"),
        ([f"${n},000.50" for n in range(20)], "number-match", "all 20 answers end in a number"),
        ([f"Item {n}" for n in range(20)], "exact-normalised", "all 20 answers are one short line"),
        (["Berlin", "Paris", "Rome"], "exact-normalised", "all 3 answers are one short line"),
        (["spam"] * 20, "exact-normalised", "all 20 answers are one short line"),
        (["a line\nand another"] * 20, "rouge-l", "all 20 answers are longer texts"),
        (["word " * 40, "yes", "no"], "rouge-l", "1 of 3 answers are longer texts"),
        ([f"[{n}, " for n in range(9)], "exact-normalised", "all 9 answers are one short line"),
        (
            ["The year 1984 was long ago, in the view of all who were there and lived through it"] * 3,
            "rouge-l",
            "all 3",
        ),
        # where each line is drawn, from both sides
        ([f"{n}.5" for n in range(19)] + ["none"], "number-match", "19 of 20 answers end in a number"),
        ([f"{n}.5" for n in range(18)] + ["none", "few"], "exact-normalised", "all 20 answers are one short line"),
        (["a" * 80, "b" * 80] * 10, "exact", "the 20 answers are 2 labels"),
        (["a" * 81, "b" * 81] * 10, "rouge-l", "all 20 answers are longer texts"),
        (["spam", "ham"] * 3, "exact", "the 6 answers are 2 labels"),
        (["spam", "ham"] * 2 + ["ham"], "exact-normalised", "all 5 answers are one short line"),
        ([f"label {n % 200}" for n in range(600)], "exact", "the 600 answers are 200 labels"),
        ([f"label {n % 201}" for n in range(603)], "exact-normalised", "all 603 answers are one short line"),
        ([f"{n:060}x"[-60:] for n in range(20)], "exact-normalised", "all 20 answers are one short line"),
        ([f"{n:060}x" for n in range(20)], "rouge-l", "all 20 answers are longer texts"),
    ],
)
def test_by_what_the_answers_look_like(answers: list[str], metric: str, reason: str):
    name, sentence = chosen(answers)
    assert name == metric
    assert sentence.startswith(reason)


def test_rows_without_an_answer_in_text_do_not_count_and_alone_are_refused():
    assert chosen(["", "spam", "ham"] * 10)[1].startswith("the 20 answers are 2 labels")
    asked = Example(kind="prompt", source=Source("rows.jsonl", 1), messages=(message("user", "hi"),))
    with pytest.raises(DataError, match="no row has an answer in text"):
        choose([asked])


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data sets are not here")
def test_on_real_data():
    with open(SHARED / "banking77" / "test.csv", newline="", encoding="utf-8") as file:
        labels = [row["category"] for row in csv.DictReader(file)]
    assert chosen(labels)[0] == "exact"
    [path] = [path for path in sorted((SHARED / "gsm8k").rglob("*.jsonl")) if "test" in path.name][:1]
    answers = [json.loads(line)["answer"] for line in path.read_text(encoding="utf-8").splitlines()[:300]]
    assert chosen(answers)[0] == "number-match"
