"""Short passages of made-up facts with one question each: the bundled example `passages`.

    python recipes/passages/generate.py                 # writes src/tailor/examples/passages/{train,test}.jsonl

The answer stands in the passage, word for word. thimble learned to find it there in its pretraining, so that this is
the task on which tailor has to say that tuning is not worth it. Only `Random.random` is used, the one generator that
Python promises to keep: any Python writes the same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
OUT = Path(__file__).parents[2] / "src" / "tailor" / "examples" / "passages"
SEED = 2203
ROWS = {"train": 200, "test": 200}

PLACES = {
    "farm": ("owner", "animal", "town"),
    "film": ("director", "town", "price"),
    "hotel": ("owner", "town", "price"),
    "school": ("teacher", "town"),
    "ship": ("captain", "harbour", "colour"),
    "shop": ("owner", "opening time"),
    "team": ("coach", "colour", "town"),
    "train": ("driver", "town"),
}
WORDS = {
    "town": "Bergen Calais Derby Exeter Fulda Ghent Izmir Kyoto Leeds Malmo Nantes Oxford Perth Riga Seville Turin",
    "colour": "red blue green yellow white black brown orange pink grey",
    "animal": "horse donkey goat sheep cow rabbit dog cat",
    "person": "Anna Boris Carla Daniel Emma Grace Hugo Irene Jonas Karim Lena Martin Nora Oscar Paula Simon Victor",
    "sound": "al bar cor den el fen gol har is jor kel lin mar nor ol pen ras sel tam ur ven wil",
}  # fmt: skip
SAID = (
    "The {attribute} of {place} is {value}.",
    "The {attribute} of {place} is {value}.",
    "For {place}, the {attribute} is {value}.",
)
ASKED = (
    "What is the {attribute} of {place}?",
    "Tell me the {attribute} of {place}.",
)


class Writer:
    """Draws passages from one seeded stream."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.random() * len(choices))]

    def several(self, choices: Sequence[T], count: int) -> list[T]:
        """`count` different choices in random order."""
        return sorted(choices, key=lambda _: self.rng.random())[:count]

    def value(self, attribute: str) -> str:
        if attribute == "opening time":
            return f"{int(self.rng.random() * 5) + 6}:{self.pick(('00', '15', '30', '45'))}"
        if attribute == "price":
            return f"{int(self.rng.random() * 90) + 10} euros"
        word = {"harbour": "town"}.get(attribute, attribute)
        return self.pick(WORDS.get(word, WORDS["person"]).split())

    def name(self) -> str:
        return "".join(self.several(WORDS["sound"].split(), 2)).capitalize()

    def fact(self, kind: str, name: str, attribute: str) -> dict[str, str]:
        place = f"{kind} {name}"
        return {
            "place": place,
            "attribute": attribute,
            "value": self.value(attribute),
        }

    def row(self) -> tuple[str, str]:
        """(prompt, completion): a passage about one place, and a question on one of its facts."""
        kind = self.pick(list(PLACES))
        name = self.name()
        facts = [self.fact(kind, name, attribute) for attribute in self.several(PLACES[kind], 3)]
        passage = " ".join(self.pick(SAID).format(**fact) for fact in self.several(facts, len(facts)))
        asked = self.pick(facts)
        return f"Passage: {passage}\nQuestion: {self.pick(ASKED).format(**asked)}", asked["value"]


def rows(seed: int = SEED) -> dict[str, list[dict[str, str]]]:
    """The rows of both files; no prompt stands twice."""
    writer = Writer(random.Random(seed))
    fresh = unique(writer)
    return {name: [next(fresh) for _ in range(count)] for name, count in ROWS.items()}


def unique(writer: Writer) -> Iterator[dict[str, str]]:
    seen = set()
    while True:
        prompt, completion = writer.row()
        if prompt not in seen:
            seen.add(prompt)
            yield {"prompt": prompt, "completion": completion}


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the bundled passages.")
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, file in rows().items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in file)
        (out / f"{name}.jsonl").write_text(lines, encoding="utf-8", newline="\n")
        print(f"{out / name}.jsonl: {len(file):,} rows")


if __name__ == "__main__":
    main()
