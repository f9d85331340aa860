"""Support tickets of a made-up mail-order shop and how its house files them: the bundled example `tickets`.

    python recipes/tickets/generate.py                    # writes src/tailor/examples/tickets/{train,test}.jsonl

The facts of a ticket are drawn first; the text and the answer are both made from them, so each answer follows from its
text by the rules in `instructions.md`. Phrases stand in `phrases.toml`. Only `Random.random` is used, the one generator
that Python promises to keep: any Python writes the same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
OUT = Path(__file__).parents[2] / "src" / "tailor" / "examples" / "tickets"
PHRASES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))
SEED = 1906
ROWS = {"train": 600, "test": 200}
MAX_SHARED = 0.55  # Jaccard similarity of the word sets of any two tickets stays below

ITEMS = {
    "K1": ("kettle",), "K2": ("toaster",), "K3": ("blender",), "K4": ("coffee machine", "espresso maker"),
    "H1": ("lamp",), "H2": ("fan",), "H3": ("heater", "radiator"), "H4": ("vacuum cleaner", "hoover"),
    "T1": ("drill",), "T2": ("saw",), "T3": ("mower", "lawn mower"), "T4": ("sander",),
}  # fmt: skip
WANTS = {
    "broken_on_arrival": ("MB", "NW"),
    "does_not_work": ("MB", "NW", "FX", "AN"),
    "wrong_item": ("MB", "NW"),
    "part_missing": ("MB", "NW"),
    "not_delivered": ("MB", "NW", "AN"),
    "wrong_charge": ("MB", "AN"),
    "question": ("AN",),
}
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
NUMBER_FORMS = ("{}", "{}", "#{}", "AF{}", "AF-{}", "AF {}")


@dataclass(frozen=True)
class Facts:
    """What a ticket says."""

    order: str
    item: str
    case: str
    want: str
    date: tuple[int, int] | None
    danger: bool
    due: str
    repeat: bool

    @property
    def marks(self) -> list[str]:
        named = {"danger": self.danger, f"due_{self.due[:3].lower()}": bool(self.due), "repeat": self.repeat}
        return [mark for mark, given in named.items() if given]

    @property
    def team(self) -> str:
        if self.want == "MB" or self.case == "wrong_charge":
            desk = "till"
        else:
            desk = "bench" if self.case in ("does_not_work", "question") else "dock"
        return f"{desk}-{1 if self.danger else 2 if self.marks else 3}"

    @property
    def answer(self) -> str:
        """The house's JSON, on one line."""
        day = f"{self.date[0]:02}{MONTHS[self.date[1]][:3].upper()}" if self.date else None
        filed = {
            "ref": f"AF{self.order}", "item": self.item, "case": self.case, "want": self.want, "day": day,
            "marks": self.marks, "team": self.team,
        }  # fmt: skip
        return json.dumps(filed)


class Writer:
    """Draws facts, and puts them into words, from one seeded stream."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.random() * len(choices))]

    def facts(self) -> Facts:
        case = self.pick(list(WANTS))
        return Facts(
            order=str(10_000 + int(self.rng.random() * 90_000)),
            item=self.pick(list(ITEMS)),
            case=case,
            want=self.pick(WANTS[case]),
            date=(1 + int(self.rng.random() * 28), int(self.rng.random() * 12)) if self.chance(0.75) else None,
            danger=case == "does_not_work" and self.chance(0.35),
            due=self.pick(WEEKDAYS) if self.chance(0.3) else "",
            repeat=self.chance(0.25),
        )

    # ------------------------------------------------------------------------------------------ words

    def say(self, phrase: str, **slots: str) -> str:
        """`phrase` with its choices made, innermost first, and its slots filled."""
        while choice := re.search(r"\(([^()]*\|[^()]*)\)", phrase):
            phrase = phrase[: choice.start()] + self.pick(choice[1].split("|")) + phrase[choice.end() :]
        return re.sub(r"\{(\w+)\}", lambda slot: slots.get(slot[1]) or self.word(slot[1]), phrase)

    def word(self, name: str) -> str:
        if name == "name":
            return self.pick(PHRASES["words"]["first"])
        if name.startswith("amount"):
            return f"{15 + int(self.rng.random() * 180)}.{self.pick(('00', '50', '90', '95', '99'))}"
        if name == "phone":
            return f"0{self.pick('1579')}{int(self.rng.random() * 90) + 10} 555 0{int(self.rng.random() * 90) + 10}"
        return self.pick(PHRASES["words"][name])

    def date(self, date: tuple[int, int]) -> str:
        day, month = date[0], MONTHS[date[1]]
        ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        forms = (f"{day} {month}", f"{month} {day}", f"{day}{ending} {month}", f"the {day}{ending} of {month}")
        return self.pick((*forms, f"{day} {month[:3]}"))

    def ticket(self, facts: Facts, customer: tuple[str, str, str]) -> str:
        first, last, firm = customer
        item = self.pick(ITEMS[facts.item])
        other = self.pick(ITEMS[self.pick([code for code in ITEMS if code != facts.item])])
        number = self.pick(NUMBER_FORMS).format(facts.order)
        colours = PHRASES["words"]["colour"]
        colour = int(self.rng.random() * len(colours))
        slots = {
            "item": item, "a_item": article(item), "a_other": article(other), "number": number,
            "order": self.pick(("order", "order", "order number", "order no.")) + f" {number}",
            "date": self.date(facts.date) if facts.date else "", "weekday": facts.due,
            "name": self.pick((first, f"{first} {last}")), "firm": firm,
            "colour": colours[colour], "colour_2": colours[(colour + 1) % len(colours)],
        }  # fmt: skip
        body = [*self.problem(facts, slots), *self.asides(facts, slots)]
        sentences = [*self.opening(bool(firm), slots), *body, *self.closing(slots)]
        return self.finish([sentence for sentence in sentences if sentence])

    def opening(self, firm: bool, slots: dict[str, str]) -> list[str]:
        frame, opening = PHRASES["frame"], []
        if self.chance(0.6):
            opening.append(self.pick(frame["greeting"]) + self.pick((",", "", "!")))
        if self.chance(0.35):
            opening.append(self.say(self.pick(frame["who"] if firm else frame["who"][:1]), **slots))
        return opening

    def problem(self, facts: Facts, slots: dict[str, str]) -> list[str]:
        """The sentences that name product, order, date and what is wrong."""
        frame = PHRASES["frame"]
        case = self.pick(PHRASES["case"][facts.case])
        the_item = self.pick(("the", "my", "our")) + f" {slots['item']}"
        if self.chance(0.6):
            lead = self.say(self.pick(frame["lead_dated" if facts.date else "lead"]), **slots)
            it = self.pick(("it", "it", the_item))
            return [lead, self.say(case, it=it, the=the_item, **slots)]
        if facts.date:
            noun = self.say(
                the_item + self.pick((" I ordered on {date}", " from {date}", " we bought on {date}")), **slots
            )
            later = [self.say(self.pick(frame["order_later"]), **slots)]
        elif self.chance(0.5):
            noun, later = the_item, [self.say(self.pick(frame["order_later"]), **slots)]
        else:
            noun, later = self.say(the_item + self.pick((" from {order}", " ({order})")), **slots), []
        return [self.say(case, it=noun, the=noun, **slots), *later]

    def asides(self, facts: Facts, slots: dict[str, str]) -> list[str]:
        """What the customer asks for, and what else they say, in any order."""
        asks = PHRASES["want"][facts.want]
        special = asks.get(facts.case, [])
        ask = self.pick(special if special and (self.chance(0.7) or "any" not in asks) else asks["any"])
        extra = PHRASES["extra"]
        asides = [self.say(ask, **slots)]
        for kind, given in (("due", facts.due), ("repeat", facts.repeat)):
            if given:
                asides.insert(int(self.rng.random() * (len(asides) + 1)), self.say(self.pick(extra[kind]), **slots))
        if self.chance(0.45):
            filler = self.say(self.pick(PHRASES["frame"]["filler"]), **slots)
            asides.insert(int(self.rng.random() * (len(asides) + 1)), filler)
        if facts.danger:
            asides.insert(0, self.say(self.pick(extra["danger"]), **slots))
        return asides

    def closing(self, slots: dict[str, str]) -> list[str]:
        closing = [self.pick(PHRASES["frame"]["thanks"])] if self.chance(0.55) else []
        if self.chance(0.4):
            closing = [f"{closing[0]}, {slots['name']}"] if closing else [slots["name"]]
        return closing

    def finish(self, sentences: list[str]) -> str:
        """Sentences joined as people type: some in one breath, some in lower case, some with a slip."""
        hasty = self.chance(0.15)
        text = ""
        for sentence in sentences:
            end = "" if sentence[-1] in ".?!," else self.pick((",", ".", " -")) if hasty else "."
            capital = not hasty and not text.endswith(", ")
            text += (sentence[0].upper() + sentence[1:] if capital else sentence) + end + " "
        text = text.strip().rstrip(",-. ") + self.pick(("", ".", ".")) if text[-2] != "?" else text.strip()
        if self.chance(0.1):
            text = text.lower()
        return self.slip(text) if self.chance(0.2) else text

    def slip(self, text: str) -> str:
        """`text` with two letters swapped, or one left out, in a word that is no name, month, weekday or product."""
        words = text.split(" ")
        places = [i for i, word in enumerate(words) if re.fullmatch(r"[a-z]{5,}", word) and word not in PROTECTED]
        if places:
            place = self.pick(places)
            word, at = words[place], 1 + int(self.rng.random() * (len(words[place]) - 3))
            swap = self.chance(0.6)
            words[place] = word[:at] + (word[at + 1] + word[at] + word[at + 2 :] if swap else word[at + 1 :])
        return " ".join(words)


PROTECTED = frozenset(
    word.lower() for name in (*MONTHS, *WEEKDAYS, *(name for names in ITEMS.values() for name in names))
    for word in (*name.split(), "order", "number")
)  # fmt: skip


def article(item: str) -> str:
    return f"an {item}" if item[0] in "aeiou" else f"a {item}"


def customers(writer: Writer) -> Iterator[tuple[str, str, str]]:
    """(first name, last name, firm or nothing) of ever new people."""
    words, seen = PHRASES["words"], set()
    while True:
        name = (writer.pick(words["first"]), writer.pick(words["last"]))
        if name not in seen:
            seen.add(name)
            yield (*name, writer.pick(words["firm"]) if writer.chance(0.3) else "")


def rows(seed: int = SEED) -> dict[str, list[dict[str, Any]]]:
    """The rows of both files. No customer stands in both, and no two tickets share much of their wording."""
    writer = Writer(random.Random(seed))
    people = customers(writer)
    kept: list[frozenset[str]] = []
    files: dict[str, list[dict[str, Any]]] = {}
    for name, count in ROWS.items():
        file = files[name] = []
        while len(file) < count:
            customer = next(people)
            for _ in range(writer.pick((1, 1, 2, 3))):
                facts = writer.facts()
                text = writer.ticket(facts, customer)
                words = frozenset(text.lower().split())
                if 20 <= len(text.split()) <= 60 and not any(similar(words, other) for other in kept):
                    kept.append(words)
                    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": facts.answer}]
                    file.append({"messages": turns, "customer": " ".join(customer[:2])})
        del file[count:]
    return files


def similar(a: frozenset[str], b: frozenset[str]) -> bool:
    return len(a & b) > MAX_SHARED * len(a | b)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the bundled support tickets.")
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, file in rows().items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in file)
        (out / f"{name}.jsonl").write_text(lines, encoding="utf-8", newline="\n")
        print(f"{out / name}.jsonl: {len(file):,} rows")


if __name__ == "__main__":
    main()
