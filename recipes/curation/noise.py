"""Noise of known rate and kind, put into clean rows.

Each kind takes the rows (prompt, answer) and spoils the first `rate` of them in a seeded order: those spoilt at 30% are
among those spoilt at 50%. `flipped` and `slots` are random, so that errors contradict each other; `next-class` and
`prose` are systematic: every error says the same, as a wrong convention or a second format does.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

Row = tuple[str, str]


def spoilt(rows: Sequence[Row], kind: str, rate: float, seed: int = 0) -> list[Row]:
    """The rows, `rate` of them with another answer; the order stays."""
    make = KINDS[kind](rows)
    order = list(range(len(rows)))
    random.Random(f"{seed} rows").shuffle(order)
    wrong = set(order[: round(rate * len(rows))])
    return [
        (prompt, make(answer, random.Random(f"{seed} {place}")) if place in wrong else answer)
        for place, (prompt, answer) in enumerate(rows)
    ]


Spoil = Callable[[str, random.Random], str]


def _flipped(rows: Sequence[Row]) -> Spoil:
    """Another label, each with the same chance."""
    labels = sorted({answer for _, answer in rows})
    return lambda answer, dice: dice.choice([label for label in labels if label != answer])


def _next_class(rows: Sequence[Row]) -> Spoil:
    """The next label in the alphabet."""
    labels = sorted({answer for _, answer in rows})
    after = dict(zip(labels, [*labels[1:], labels[0]]))
    return lambda answer, dice: after[answer]


def _slots(rows: Sequence[Row]) -> Spoil:
    """Every value under a slot name that it does not belong to; another intent where there is no slot."""
    parsed = [json.loads(answer) for _, answer in rows]
    names = sorted({name for answer in parsed for name in answer["slots"]})
    intents = sorted({answer["intent"] for answer in parsed})

    def make(answer: str, dice: random.Random) -> str:
        said = json.loads(answer)
        if said["slots"]:
            others = dice.sample([name for name in names if name not in said["slots"]], len(said["slots"]))
            said["slots"] = dict(zip(others, said["slots"].values()))
        else:
            said["intent"] = dice.choice([intent for intent in intents if intent != said["intent"]])
        return json.dumps(said, ensure_ascii=False)

    return make


def _prose(rows: Sequence[Row]) -> Spoil:
    """The same facts as a sentence instead of JSON."""

    def make(answer: str, dice: random.Random) -> str:
        said = json.loads(answer)
        facts = [
            f"{name.replace('_', ' ')} is {value if isinstance(value, str) else ' and '.join(value)}"
            for name, value in said["slots"].items()
        ]
        return f"The user wants {said['intent']}" + (f", where {', '.join(facts)}." if facts else ".")

    return make


KINDS: dict[str, Callable[[Sequence[Row]], Spoil]] = {
    "flipped": _flipped,
    "next-class": _next_class,
    "slots": _slots,
    "prose": _prose,
}
