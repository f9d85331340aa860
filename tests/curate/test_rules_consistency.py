"""The rules of questions that are answered in more than one way (C)."""

from __future__ import annotations

import json

import pytest

from tailor.curate.answers import agree, form, number, parting
from tailor.curate.rows import Row
from tailor.records import Example, Source, message
from tailor.testing.rules import RuleContract, pair

WORDS = ("kettle", "invoice", "garage", "paint", "harbour", "voucher", "screw", "colleague")
LABELLED = [pair(f"{word} {word}s", f"class {n % 3}") for n, word in enumerate(WORDS)] * 2
VERBS = ("It counts", "There stand", "We found", "One sees")
OTHER = "May we send the two broken chairs back to the shop in the old town?"


class TestContradictions(RuleContract):
    name = "contradictions"
    fires = {
        "labels": ([*LABELLED, pair("Kettle kettles?", "class 7")], {17}),
        "numbers by value": ([pair("6 x 7?", "42"), pair("6 x 7?", "42.0"), pair("6 x 7?", "41")], {3}),
        "JSON by content": ([pair("q", '{"a": 1, "b": 2}'), pair("q", '{"b": 2, "a": 1}'), pair("q", '{"a": 2}')], {3}),
        "prose with other words": ([pair("Who won?", "Nobody did."), pair("who won", "The red team, as ever.")], {2}),
        "most rows are right": ([pair("q", "no"), *[pair("q", "yes, always")] * 3], {1}),
    }
    silent = {
        "the same number written otherwise": [pair("q", "1,000"), pair("q", "1000.0")],
        "the same JSON in another order": [pair("q", '{"a": 1, "b": 2}'), pair("q", '{"b": 2, "a": 1}')],
        "the same in other words": [pair("q", "The red team won it."), pair("q", "It was the red team that won.")],
        "another sign": [pair("5+3", "8"), pair("5-3", "2"), pair("53", "53")],
        "other brackets": [pair("not (true or false) or true", "True"), pair("not (true or false or true)", "False")],
        "several references": [pair(f"fact {n}", f"{verb} {n * 7} altogether") for n in range(4) for verb in VERBS],
        "ratings judge several answers": [{**pair("q", f"answer {n}"), "label": n % 2 == 0} for n in range(3)],
    }


class TestNearContradictions(RuleContract):
    name = "near-contradictions"
    fires = {
        "labels": ([*LABELLED, pair(OTHER, "class 1"), pair(f"Hi. {OTHER}", "class 2")], {18}),
        "slots": (
            [pair(f"{OTHER} It is in Rome.", '{"city": "Rome"}'), pair(f"Hi. {OTHER} It is in Rome.", "{}")],
            {2},
        ),
    }
    silent = {
        "the answer follows what differs": [
            pair(f"{OTHER} It is in {town}.", json.dumps({"city": town})) for town in ("Detroit", "Detroit Lakes")
        ],
        "the answer follows what one has more": [
            pair(f"{OTHER} Give it five of 6", '{"value": "five"}'),
            pair(f"{OTHER} Give it five of 6 stars", '{"value": "five", "unit": "stars"}'),
        ],
        "a negation": [*LABELLED, pair(OTHER, "class 1"), pair(OTHER.replace("May", "May not"), "class 2")],
        "the same answer": [*LABELLED, pair(OTHER, "class 1"), pair(f"Hi. {OTHER}", "class 1")],
        "prose": [pair(OTHER, "Yes, do so."), pair(f"Hi. {OTHER}", "No, keep them.")],
    }


class TestSeveralReferences(RuleContract):
    name = "several-references"
    fires = {"four each": ([pair(f"fact {n}", f"{verb} {n * 7} altogether") for n in range(4) for verb in VERBS], {1})}
    silent = {"one each": [pair(f"fact {n}", f"answer {n}") for n in range(9)], "labels": [*LABELLED, *LABELLED]}


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [("", "none"), (" {} ", "json"), ("[1", "line"), ("$1,200.50", "number"), ("yes", "line"), ("a\nb", "prose")],
)
def test_forms(answer: str, wanted: str) -> None:
    assert form(answer) == wanted


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [("1,000.5", 1000.5), ("-3", -3), ("12%", 0.12), ("so it is 7\n#### 7", 7), ("7 apples", None), ("1" * 400, None)],
)
def test_numbers(answer: str, wanted: float | None) -> None:
    assert number(answer) == wanted


def test_labels_agree_by_name_alone() -> None:
    assert agree("card lost", "card lost ", labels=True)
    assert not agree("card lost", "the card lost", labels=True)
    assert agree("the card was lost", "the card lost")


def test_two_near_rows_are_shown_where_they_part() -> None:
    turns = [(message("user", f"{OTHER} {word} the river"), message("assistant", "yes")) for word in ("Over", "on")]
    here, there = (Row(Example(kind="chat", source=Source("f", 1), messages=both)) for both in turns)
    assert parting(here, there) == (
        "here   …shop in the old town? Over the river → yes\nthere  …shop in the old town? on the river → yes"
    )
