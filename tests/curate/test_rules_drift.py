"""The rules of answers that are written otherwise than the rest (C2)."""

from __future__ import annotations

import json
import random
from typing import Any

from tailor.testing.rules import RuleContract, pair


def answer(number: int, **more: Any) -> str:
    """JSON as the rows of one format have it."""
    return json.dumps({"ref": f"A{number}", "count": number, "tags": ["x"], **more})


ROWS = [pair(f"ticket {n}", answer(n)) for n in range(27)]
PROSE = [pair(f"question {n}", f"This is the answer to question {n}, in words of its own.") for n in range(27)]
SHORT = [pair(f"town of {n}", f"Town {n}") for n in range(27)]
SLOTS = [
    pair(
        f"song {n}",
        json.dumps({"intent": "play", **({"artist": "X"} if n % 2 else {}), **({"year": n} if n % 3 else {})}),
    )
    for n in range(27)
]


THIRD = set(random.Random(0).sample(range(300), 100))


def task(n: int) -> str:
    """One of many ways to ask."""
    thing = ("a kettle", "the fan", "my lamp", "two cups")[n % 4]
    return f"{('note', 'mail', 'call', 'chat', 'form')[n % 5]} about {thing} {n % 97}"


class TestMixedAnswerForms(RuleContract):
    name = "mixed-answer-forms"
    fires = {
        "prose among JSON": ([*ROWS, pair("ticket", "The reference is A3.")], {28}),
        "a list among objects": ([*ROWS, pair("ticket", "[1, 2]")], {28}),
        "JSON that breaks off": ([*ROWS, pair("ticket", '{"ref": "A1", "cou')], {28}),
        "a sentence among numbers": (
            [pair(f"{n} + 1?", str(n + 1)) for n in range(20)] + [pair("q", "It is 7.")],
            {21},
        ),
        "JSON among prose": ([*PROSE, pair("question", answer(1))], {28}),
        "a third of one task in prose": (
            [pair(task(n), f"The reference is A{n}." if n in THIRD else answer(n)) for n in range(300)],
            {n + 1 for n in THIRD},
        ),
    }
    silent = {
        "a number among prose": [*PROSE, pair("What is 6 times 7?", "42")],
        "JSON was asked for": [*PROSE, pair("Give it as JSON", answer(1))],
        "fences and words before JSON are other rules'": [*ROWS, pair("t", f"```json\n{answer(1)}\n```")],
        "two tasks": [*ROWS, *PROSE],
        "two tasks, one of them larger": [
            pair(f"explain {task(n)}" if n in THIRD else task(n), f"It is A{n}." if n in THIRD else answer(n))
            for n in range(300)
        ],
        "few rows": [*ROWS[:10], pair("ticket", "The reference is A3.")],
    }


class TestMixedJsonKeys(RuleContract):
    name = "mixed-json-keys"
    fires = {
        "one less, one more": (
            [*ROWS, pair("t", '{"ref": "A", "count": 1}'), pair("u", answer(1, note="x"))],
            {28, 29},
        ),
        "spelt otherwise among optional ones": ([*SLOTS, pair("s", '{"Intent": "play"}')], {28}),
    }
    silent = {
        "optional keys": SLOTS,
        "all the same": ROWS,
        "another order": [*ROWS, pair("t", '{"tags":[],"count":1,"ref":"A"}')],
    }


class TestMixedJsonKeyOrder(RuleContract):
    name = "mixed-json-key-order"
    fires = {"the last first": ([*ROWS, pair("t", '{"count": 1, "ref": "A", "tags": []}')], {28})}
    silent = {"optional keys in one order": SLOTS, "a key less": [*ROWS, pair("t", '{"ref": "A", "tags": []}')]}


class TestMixedValueTypes(RuleContract):
    name = "mixed-value-types"
    fires = {
        "a text for a number": ([*ROWS, pair("t", answer(1, count="1"))], {28}),
        "a text for a list": ([*ROWS, pair("t", answer(1, tags="x"))], {28}),
    }
    silent = {
        "null": [*ROWS, pair("t", answer(1, count=None))],
        "whole and broken numbers": [*ROWS, pair("t", answer(1, count=1.5))],
        "both are usual": [pair(f"t {n}", answer(n, count=str(n) if n % 2 else n)) for n in range(30)],
    }


class TestStrayFences(RuleContract):
    name = "stray-fences"
    fires = {
        "JSON": ([*ROWS, pair("t", f"```json\n{answer(1)}\n```")], {28}),
        "a query": (
            [pair(f"rivers of {n}", f"SELECT river FROM rivers WHERE state = {n}") for n in range(20)]
            + [pair("t", "```sql\nselect 1\n```")],
            {21},
        ),
        "bare among fenced": (
            [*[pair(f"t {n}", f"```\n{answer(n)}\n```") for n in range(20)], pair("t", answer(1))],
            {21},
        ),
    }
    silent = {
        "a program among prose": [*PROSE, pair("Write it in Python", "```python\nprint(1)\n```")],
        "prose about a fenced piece": [*ROWS, pair("t", "Use this:\n```\nx\n```\nthen that.")],
    }


class TestStrayPreambles(RuleContract):
    name = "stray-preambles"
    fires = {
        "before and after JSON": (
            [*ROWS, pair("t", f"Here is the ticket:\n{answer(1)}"), pair("u", f"{answer(2)}\nLet me know!")],
            {28, 29},
        ),
        "before prose": ([*PROSE, pair("q", "Sure! I can help with that. The answer is the second one.")], {28}),
    }
    silent = {
        "the word in a sentence": [
            *PROSE,
            pair("q", "Sure signs of rain are low clouds."),
            pair("r", "Of course it is."),
        ],
        "the habit of all": [pair(f"q {n}", f"Sure! Here it is: the answer {n}.") for n in range(30)],
    }


class TestMixedTrailingMarks(RuleContract):
    name = "mixed-trailing-marks"
    fires = {"a stop": ([*SHORT, pair("t", "Bergen.")], {28})}
    silent = {
        "sentences among names": [
            *SHORT,
            *[pair(f"why {n}", f"Because it is {n} miles from the sea.") for n in range(9)],
        ],
        "an abbreviation": [*SHORT, pair("t", "Washington D.C.")],
        "prose": [*PROSE, pair("q", "Bergen")],
    }
