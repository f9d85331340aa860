"""The rules of rows that stand on both sides of a split (L)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailor import formats
from tailor.config import CheckConfig
from tailor.curate.check import check
from tailor.testing.rules import RuleContract, chat, pair

SHARED = Path(__file__).parents[3] / "shared" / "data"
QUESTION = "Where can I see which of the invoices of last year are still open?"
ROWS = [pair("Where is my card?", "card"), pair(QUESTION, "invoice")]
THINGS = ["lid", "big drawer", "window", "kitchen door", "suitcase", "umbrella", "little box", "jar", "van", "old gate"]
TRUNK = "green trunk with two keys"


class TestExactLeak(RuleContract):
    name = "exact-leak"
    fires = {
        "the same question": (ROWS, {1}),
        "an earlier turn of a conversation": (
            [chat(("user", "Where is my card?"), ("assistant", "a"), ("user", "More."), ("assistant", "b"))],
            {1},
        ),
        "plain text": ([{"text": "A text of its own."}, {"text": "Another."}], {1}),
    }
    silent = {"another question": ROWS, "signs between numbers are words": [pair("What is 5+3?", "8")], "alone": ROWS}
    against = {
        "the same question": [pair("where is  my card", "lost")],
        "an earlier turn of a conversation": [chat(("user", "Where is my card?"), ("assistant", "c"))],
        "plain text": [{"text": "a text of its own."}],
        "another question": [pair("Where is my phone?", "card")],
        "signs between numbers are words": [pair("What is 5-3?", "2")],
    }


def ticket(number: int, thing: str, order: str = "order") -> str:
    return f"The {thing} that {thing[::-1]} sent to us does not close. You find it under {order} no. {number}."


class TestNearLeak(RuleContract):
    name = "near-leak"
    fires = {
        "a word more": (ROWS, {2}),
        "plain text": ([{"text": f"{QUESTION} Thanks."}], {1}),
        "a slip in what all rows share": (
            [pair(ticket(n, thing), "a") for n, thing in enumerate(THINGS)] + [pair(ticket(53, TRUNK, "otder"), "a")],
            {len(THINGS) + 1},
        ),
        "a slip that looks like the t of don't": ([pair("I have 1 other US card. Can you take tha?t", "a")], {1}),
        "a negation otherwise typed": ([pair(f"{QUESTION} I cannot see it", "a")], {1}),
    }
    silent = {
        "a negation": [pair(f"{QUESTION} I can't see it", "a")],
        "another number": [pair(f"{QUESTION} From 2021.", "a")],
        "the same is another rule's": ROWS,
        "alone": ROWS,
    }
    against = {
        "a word more": [pair(f"{QUESTION} Thanks.", "invoice")],
        "plain text": [{"text": QUESTION}],
        "a slip in what all rows share": [pair(ticket(53, TRUNK), "a")],
        "a slip that looks like the t of don't": [pair("I have 1 other US card. Can you take that?", "a")],
        "a negation otherwise typed": [pair(f"{QUESTION} I can't see it", "a")],
        "a negation": [pair(f"{QUESTION} I can see it", "a")],
        "another number": [pair(f"{QUESTION} From 2022.", "a")],
        "the same is another rule's": [pair(QUESTION, "invoice")],
    }


class TestSharedGroup(RuleContract):
    name = "shared-group"
    group = "customer"
    fires = {"a customer": ([pair(f"q{n}", "a", customer=n % 3) for n in range(6)], {3})}
    silent = {
        "other customers": [pair("q1", "a", customer=1)],
        "rows that share nothing": [pair("q1", "a", customer=None)],
    }
    against = {
        "a customer": [pair("q9", "a", customer=2)],
        "other customers": [pair("q9", "a", customer=2)],
        "rows that share nothing": [pair("q9", "a", customer=None)],
    }


PASSAGE = (
    "The keys of the west gate hang behind the counter and whoever leaves last hands them to the guard, who notes the "
    "hour and the name in the book that lies beside the telephone and locks the small door himself"
)
AROUND = (
    "Before the season starts the harbour office asks every tenant to read these notes. Boats that stay over winter "
    "are covered by the first of November and their masts are laid on the racks along the wall. {} Whoever loses a key "
    "pays for the lock. Dogs are welcome on the pier but not in the hall, and fires are lit in the yard and never "
    "when the wind comes from the sea. The crane is free on Fridays after four; ask for Mr Holm."
)


class TestSharedPassages(RuleContract):
    name = "shared-passages"
    fires = {
        "the answer is quoted": ([pair("other", "thing"), pair("Notes?", AROUND.format(PASSAGE))], {2}),
        "the same answer to another question": ([pair("Who has seen the spare set for Monday?", PASSAGE)], {1}),
    }
    silent = {
        "another passage": [pair("Notes?", AROUND.format("There is nothing else."))],
        "the same row is another rule's": [pair("Where are the keys?", PASSAGE)],
        "alone": [pair("Notes?", AROUND.format(PASSAGE))],
    }
    against = {
        "the answer is quoted": [pair("Where are the keys?", PASSAGE)],
        "the same answer to another question": [pair("Where are the keys?", PASSAGE)],
        "another passage": [pair("Where are the keys?", PASSAGE)],
        "the same row is another rule's": [pair("Where are the keys?", PASSAGE)],
    }


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data/banking77")
def test_the_25_test_rows_of_banking77_that_stand_in_its_train_file() -> None:
    sides = [formats.stream([str(SHARED / "banking77" / name)]) for name in ("train.csv", "test.csv")]
    findings = check(*sides, settings=CheckConfig(select=("L101",))).findings
    assert len({row for finding in findings for row in finding.rows if "test.csv" in row.file}) == 25
