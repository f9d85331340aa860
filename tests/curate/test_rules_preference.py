"""The rules of preference data and of answers to be graded (K)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tailor import formats
from tailor.config import CheckConfig
from tailor.curate.check import check
from tailor.testing.rules import RuleContract, pair, write

PAIRS = Path(__file__).parents[3] / "shared/data/rasbt/instruction-data-with-preference.json"
LONG = "It is closed on Mondays, and on the other days it opens at nine in the morning."


def choice(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    """A preference pair."""
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


APART = [
    choice(f"where is {n}", LONG, f"Look it up at the door of house {n}, please.") for n in range(12)
]  # they differ clearly


def rated(prompt: str, answer: str, good: bool) -> dict[str, Any]:
    """A rated row."""
    return pair(prompt, answer, label=good)


class TestEqualPair(RuleContract):
    name = "equal-pair"
    fires = {"but for case and spaces": ([choice("q", "Yes, it is.", " yes, it  is."), choice("r", "a", "b")], {1})}
    silent = {"a word more": [choice("q", "Yes, it is.", "Yes, it is not.")], "no pairs": [pair("q", "a")]}


class TestLengthBias(RuleContract):
    name = "length-bias"
    fires = {
        "the longer wins": ([choice(f"q {n}", LONG, f"At {n}.") for n in range(40)], {1}),
        "the shorter wins": ([choice(f"q {n}", f"At {n}.", LONG) for n in range(40)], {1}),
    }
    silent = {
        "two thirds": [choice(f"q {n}", *((LONG, "no") if n % 3 else ("no", LONG))) for n in range(60)],
        "about as long": [choice(f"q {n}", LONG, f"{LONG} {n}") for n in range(40)],
        "few pairs": [choice(f"q {n}", LONG, "no") for n in range(20)],
    }


class TestPreferenceCycle(RuleContract):
    name = "preference-cycle"
    fires = {
        "the other way round": ([choice("q", "a", "b"), choice("q", "c", "d"), choice("Q", "B", "a")], {3}),
        "three": ([choice("q", "a", "b"), choice("q", "b", "c"), choice("q", "c", "a")], {3}),
    }
    silent = {
        "an order": [choice("q", "a", "b"), choice("q", "b", "c"), choice("q", "a", "c")],
        "another question": [choice("q", "a", "b"), choice("r", "b", "a")],
        "twice the same": [choice("q", "a", "b"), choice("q", "a", "b")],
    }


class TestOneSidedRatings(RuleContract):
    name = "one-sided-ratings"
    fires = {
        "all good": ([rated(f"q {n}", "a", True) for n in range(30)], {1}),
        "one bad": ([rated(f"q {n}", "a", n != 7) for n in range(30)], {8}),
    }
    silent = {"a fifth is bad": [rated(f"q {n}", "a", n % 5 > 0) for n in range(30)]}


class TestContradictoryRatings(RuleContract):
    name = "contradictory-ratings"
    fires = {"good and bad": ([rated("q", "a", True), rated("r", "a", False), rated("Q", "a ", False)], {3})}
    silent = {"another answer": [rated("q", "a", True), rated("q", "b", False)], "twice": [rated("q", "a", True)] * 2}


class TestAnswerNotInOptions(RuleContract):
    name = "answer-not-in-options"
    fires = {
        "a letter too far": (
            [pair("When?\nOptions:\n(A) now\n(B) never", "(C)"), pair("When?\nA. now\nB. then", "B")],
            {1},
        ),
    }
    silent = {
        "no options": [pair("Which letter follows F?", "G")],
        "one of them": [pair("When?\n(A) now\n(B) never", "b"), pair("When?\na) now\nb) never", "(A)")],
        "a list with gaps is no list of options": [pair("(A) here, see (D)\n(D) there", "C")],
    }


SHORT = "The old harbour of Lisbon lies four miles from the new one."


class TestNearTie(RuleContract):
    name = "near-tie"
    fires = {
        "punctuation": ([choice("q", "Here it is: [50, 40].", "Here it is: [50, 40]"), choice("r", "a", "b")], {1}),
        "a word of twenty where pairs differ clearly": (
            [
                choice("q", f"{LONG} So come on a Tuesday, not before.", f"{LONG} So come on a Tuesday, not earlier."),
                *APART,
            ],
            {1},
        ),
        "a slip of the pen in twelve words, a name's too": (
            [
                choice("q", SHORT, SHORT.replace("harbour", "habrour")),
                choice("r", SHORT, SHORT.replace("Lisbon", "Libson")),
                *APART,
            ],
            {1, 2},
        ),
    }
    silent = {
        "another word in twelve": [choice("q", SHORT, SHORT.replace("harbour", "station")), *APART],
        "another number in a name": [choice("q", f"{LONG} Take num2.", f"{LONG} Take num3."), *APART],
        "pairs that teach a word each": [
            choice(f"q {n}", f"{LONG} At {n}.", f"{LONG} Look, at {n}.") for n in range(20)
        ],
        "a short answer": [choice("q", "He is a certified genius.", "He is a genius."), *APART],
        "another number": [
            choice("q", f"{LONG} That makes 18 days a year.", f"{LONG} That makes 19 days a year."),
            *APART,
        ],
        "a negation": [choice("q", f"{LONG} You can come.", f"{LONG} You cannot come."), *APART],
        "a name left out": [choice("q", f"{LONG} Ask Ana for the key.", f"{LONG} Ask for the key."), *APART],
        "equal": [choice("q", "Yes.", "yes."), *APART],
        "another sign": [choice("q", "a + b", "a - b"), choice("q", "f(x)", "f[x]")],
    }


class TestPromptInAnswer(RuleContract):
    name = "prompt-in-answer"
    fires = {
        "chosen": (
            [choice("When does it open?", f"When does it open?\n{LONG}", "At nine."), choice("r", "a", "b")],
            {1},
        ),
        "rejected": ([choice("When does it open?", "At nine.", "when does it  open? At nine.")], {1}),
        "with who speaks": (
            [choice("When does it open?", "Human: When does it open?\n\nAssistant: At nine.", "x")],
            {1},
        ),
        "the instruction only": (
            [choice("Name the last word.\n\nto and fro", "Name the last word. It is fro.", "x")],
            {1},
        ),
    }
    silent = {
        "what the task wants": [choice("after you rinse, dry it.\nWrite it right", "After you rinse, dry it.", "no")],
        "a title": [choice("Islamic banking in Pakistan today", "Islamic banking in Pakistan today\n\nBanks …", "no")],
        "half of it": [choice("When does it open on Monday?", "When does it open? At nine.", "At ten.")],
        "later on": [choice("When does it open?", "You ask: When does it open? At nine.", "At ten.")],
        "no pairs": [pair("When does it open?", "When does it open? At nine.")],
    }


def worked(n: int, last: str) -> dict[str, Any]:
    """A sum worked out, and its final line."""
    return pair(f"What is {n} and {n}?", f"{n} + {n} = {2 * n}\n{last}")


SUMS = [worked(n, f"#### {2 * n:,}") for n in range(1, 30)]
OBJECTS = [pair(f"q {n}", f'{{"city": "Bonn", "n": {n}}}') for n in range(30)]


class TestUngradableReference(RuleContract):
    name = "ungradable-reference"
    fires = {
        "no final answer": ([*SUMS, worked(7, "So it is 14.")], {30}),
        "no number in it": (
            [*SUMS, worked(7, "#### fourteen"), worked(8, "####"), worked(9, "#### 1,8")],
            {30, 31, 32},
        ),
        "two numbers": ([*SUMS, worked(7, "#### 13 or 14")], {30}),
        "a box": (
            [*(worked(n, rf"So \boxed{{{n}}}") for n in range(30)), worked(7, r"So \boxed{}"), worked(8, "So 16")],
            {31, 32},
        ),
        "a word among numbers": ([*(pair(f"q {n}", str(n)) for n in range(30)), pair("q", "unknown")], {31}),
        "JSON": (
            [*OBJECTS, pair("q", '{"city": "Bonn", "n": 3'), pair("q", '{"n": 1, "n": 2}'), pair("q", '{"n": NaN}')],
            {31, 32, 33},
        ),
    }
    silent = {
        "all can be read": [*SUMS, worked(7, "#### $1,234.50"), worked(8, "#### 18 apples")],
        "a final answer in a short one": [*SUMS, pair("q", "Dog:9-3=<<9-3=6>>6\n#### 6")],
        "texts": [pair(f"q {n}", f"The answer is {n}." if n % 2 else LONG) for n in range(30)],
        "final answers in words": [worked(n, "The answer is yes." if n % 7 else "The answer is 3.") for n in range(30)],
        "all JSON": OBJECTS,
    }


PLACES = ("kettle", "harbour", "garden", "museum", "library", "station", "bakery", "tower", "bridge", "market")


def toned(n: int) -> dict[str, Any]:
    """A friendly answer over a rude one."""
    place = f"{PLACES[n % 10]} behind the {PLACES[n // 10 % 10]}"
    return choice(
        f"where is it, {n}?", f"Certainly, it is kindly near the {place}.", f"Duh, it is obviously near the {place}."
    )


def turned(pair: dict[str, Any]) -> dict[str, Any]:
    """The pair the wrong way round."""
    return {**pair, "chosen": pair["rejected"], "rejected": pair["chosen"]}


class TestFlippedPreference(RuleContract):
    name = "flipped-preference"
    fires = {
        "against the tone of the others": (
            [turned(toned(n)) if n in (3, 40, 77) else toned(n) for n in range(120)],
            {4, 41, 78},
        )
    }
    silent = {
        "all in one tone": [toned(n) for n in range(120)],
        "chosen for what is true": [
            choice(
                f"q {n}",
                *(f"It is the {PLACES[(n * k + n // 10) % 10]} of the {PLACES[n * k // 7 % 10]}." for k in (3, 7)),
            )
            for n in range(120)
        ],
        "no tone at all": [turned(toned(n)) if n % 2 else toned(n) for n in range(120)],
        "few pairs": [turned(toned(n)) if n == 3 else toned(n) for n in range(60)],
    }


def test_a_tenth_of_real_pairs_turned_round(tmp_path: Path) -> None:
    """0.94 and 0.69 were seen; none of the pairs as they are."""
    if not PAIRS.exists():
        pytest.skip(f"{PAIRS} is not here")
    pairs = json.loads(PAIRS.read_text())
    wrong = {n for n in range(3, len(pairs), 10) if pairs[n]["chosen"] != pairs[n]["rejected"]}
    settings = CheckConfig(select=("K104",))
    for rows, found_at_least in (
        (pairs, 0.0),
        ([turned(row) if n in wrong else row for n, row in enumerate(pairs)], 0.5),
    ):
        found = {
            finding.rows[0].line - 1
            for finding in check(formats.stream([write(tmp_path / "pairs.jsonl", rows)]), settings=settings).findings
        }
        assert len(found & wrong) >= found_at_least * len(wrong)
        assert len(found - wrong) <= (0.15 * len(found) if found_at_least else 2)
