"""The rules of preference data and of answers to be graded (K)."""

from __future__ import annotations

from typing import Any

from tailor.testing.rules import RuleContract, pair

LONG = "It is closed on Mondays, and on the other days it opens at nine in the morning."


def choice(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    """A preference pair."""
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


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
