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
    "bakery": ("owner", "town", "colour", "opening time"),
    "bridge": ("builder", "town", "colour", "number"),
    "clinic": ("doctor", "town", "opening time", "number"),
    "ferry": ("captain", "harbour", "colour", "number"),
    "garden": ("keeper", "town", "price", "tree"),
    "library": ("keeper", "town", "opening time", "number"),
    "market": ("owner", "town", "day", "price"),
    "museum": ("director", "town", "price", "opening time"),
    "orchard": ("owner", "town", "fruit", "price"),
    "stable": ("owner", "town", "animal", "number"),
    "theatre": ("director", "town", "colour", "price"),
    "workshop": ("owner", "town", "tool", "number"),
}
WORDS = {
    "town": "Bergen Calais Derby Exeter Fulda Ghent Izmir Kyoto Leeds Malmo Nantes Oxford Perth Riga Seville Turin",
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday",
    "colour": "red blue green yellow white black brown orange pink grey",
    "tree": "oak beech maple birch pine willow chestnut cedar",
    "fruit": "apple pear plum cherry grape fig peach quince",
    "animal": "horse donkey goat sheep cow rabbit dog cat",
    "tool": "hammer saw drill chisel spade ladder axe clamp",
    "person": "Anna Boris Carla Daniel Emma Grace Hugo Irene Jonas Karim Lena Martin Nora Oscar Paula Simon Victor",
    "sound": "al bar cor den el fen gol har is jor kel lin mar nor ol pen ras sel tam ur ven wil",
}  # fmt: skip
SAID = (
    "The {attribute} of {place} is {value}.",
    "The {attribute} of {place} is {value}.",
    "{value} is the {attribute} of {place}.",
    "For {place}, the {attribute} is {value}.",
    "{Place} has {value} as its {attribute}.",
)
ASKED = (
    "What is the {attribute} of {place}?",
    "What is the {attribute} of {place}?",
    "Tell me the {attribute} of {place}.",
    "Which {attribute} does {place} have?",
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
        if attribute == "number":
            return str(int(self.rng.random() * 90) + 10)
        word = {"harbour": "town"}.get(attribute, attribute)
        return self.pick(WORDS.get(word, WORDS["person"]).split())

    def name(self) -> str:
        return "".join(self.several(WORDS["sound"].split(), 2)).capitalize()

    def fact(self, kind: str, name: str, attribute: str) -> dict[str, str]:
        place = f"{kind} {name}"
        return {
            "place": place,
            "Place": kind.capitalize() + f" {name}",
            "attribute": attribute,
            "value": self.value(attribute),
        }

    def sentence(self, fact: dict[str, str]) -> str:
        """One fact in words. No value in small letters opens a sentence, so that any can be copied as it stands."""
        forms = [form for form in SAID if not (form.startswith("{value}") and fact["value"][0].islower())]
        return self.pick(forms).format(**fact)

    def row(self) -> tuple[str, str]:
        """(prompt, completion): a passage about two places, and a question on one of its facts."""
        facts = []
        for kind in self.several(list(PLACES), 2):
            name = self.name()
            facts += [
                self.fact(kind, name, attribute) for attribute in self.several(PLACES[kind], self.pick((2, 2, 3)))
            ]
        passage = " ".join(self.sentence(fact) for fact in self.several(facts, len(facts)))
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
