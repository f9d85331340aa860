"""The rules of what the rows do and do not cover (V)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailor.testing.rules import RuleContract, pair

WORDS = ("kettle", "invoice", "garage", "paint", "harbour", "voucher", "screw", "colleague", "lamp", "driver")


def labelled(**counts: int) -> list[dict[str, str]]:
    """So many rows of each label."""
    return [pair(f"{label} {WORDS[n % 10]} {n}", label) for label, count in counts.items() for n in range(count)]


class TestTooFewRows(RuleContract):
    name = "too-few-rows"
    fires = {
        "49": ([pair(f"q {n}", "a") for n in range(49)], {1}),
        "copies": ([pair(f"q {n % 9}", "a") for n in range(90)], {1}),
        "few to measure with": ([pair(f"q {n}", "a") for n in range(199)], {1}),
    }
    silent = {"200": [pair(f"q {n}", "a") for n in range(200)]}

    @pytest.mark.parametrize(("rows", "severity"), [(9, "block"), (10, "warn"), (49, "warn"), (50, "inform")])
    def test_how_few_decides_how_loud(self, rows: int, severity: str, tmp_path: Path) -> None:
        (finding,) = self.report([pair(f"q {n}", "a") for n in range(rows)], tmp_path).findings
        assert finding.severity == severity
        assert ("few-shot and retrieval first" in finding.message) == (rows < 50)


class TestImbalance(RuleContract):
    name = "imbalance"
    fires = {"one class has nearly all": (labelled(lost=3, found=90, late=4), {4})}
    silent = {
        "twice as many": labelled(lost=30, found=60),
        "some small classes beside even ones": labelled(a=30, b=30, c=30, d=30, e=3),
        "no labels": [pair(f"q {n}", f"an answer of its own, number {n}") for n in range(60)],
    }


class TestThinClasses(RuleContract):
    name = "thin-classes"
    fires = {"three rows": (labelled(lost=30, found=30, late=3), {61})}
    silent = {
        "eight rows": labelled(lost=30, found=30, late=8),
        "numbers": [pair(f"q {n}", str(n % 14)) for n in range(60)],
    }


class TestUnseenClasses(RuleContract):
    name = "unseen-classes"
    fires = {
        "only held out": (labelled(lost=20, found=20), {5}),
        "only trained on": (labelled(lost=20, found=20, late=20), {41}),
    }
    silent = {"both have all": labelled(lost=20, found=20), "nothing is held out": labelled(lost=20, found=20)}
    against = {
        "only held out": [*labelled(lost=2, found=2), pair("x", "late")],
        "only trained on": labelled(lost=2, found=2),
        "both have all": labelled(lost=2, found=2),
    }


class TestLittleVariety(RuleContract):
    name = "little-variety"
    fires = {
        "the same again and again": ([pair(f"where is my {WORDS[n % 10]}", "Look again.") for n in range(60)], {1})
    }
    silent = {
        "questions of their own": [pair(f"{WORDS[n % 10]} and {WORDS[n // 10]}?", "Look again.") for n in range(60)],
        "several answers are meant": [pair(f"fact {n % 10}", f"text {n} is one of many") for n in range(60)],
    }


class TestOneTemplate(RuleContract):
    name = "one-template"
    fires = {
        "a sentence with other words put in": (
            [pair(f"Please write a short poem about a {WORDS[n % 10]} and a {WORDS[n // 10]}", "…") for n in range(60)],
            {1},
        )
    }
    silent = {
        "a short instruction before a text": [
            pair(f"Classify this ticket: {' '.join(WORDS[(n * k + n // 10) % 10] for k in range(1, 7))}", "late")
            for n in range(60)
        ],
        "questions of their own": [pair(f"{WORDS[n % 10]} and {WORDS[n // 10]}?", "Look again.") for n in range(60)],
        "one question": [pair("Please write a short poem about a kettle", f"text {n}") for n in range(60)],
    }
