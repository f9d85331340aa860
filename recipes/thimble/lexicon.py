"""The words of the small business world: word lists in, random names, titles, dates, amounts and sentences out.

Everything random goes through a ``World``, which owns one seeded ``random.Random``; the same seed gives the same text.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WORDS = Path(__file__).parent / "words"
VOWELS = "aeiou"


@cache
def lists(file: str) -> dict[str, list[str]]:
    """The ``name: a, b, c`` lines of a word file."""
    found = {}
    for line in (WORDS / file).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, members = line.partition(":")
            found[name.strip()] = [member.strip() for member in members.split(",")]
    return found


@cache
def parse(template: str) -> list:
    """A template as nested lists: text, ``("slot", name)`` and ``("any", [alternatives])``."""

    def sequence(at: int) -> tuple[list, int]:
        parts: list = []
        while at < len(template) and template[at] not in "|)":
            if template[at] == "(":
                choices = []
                while template[at] != ")":
                    choice, at = sequence(at + 1)
                    choices.append(choice)
                parts.append(("any", choices))
                at += 1
            elif template[at] == "{":
                end = template.index("}", at)
                parts.append(("slot", template[at + 1 : end]))
                at = end + 1
            else:
                end = re.compile(r"[(){|]|$").search(template, at).start()
                parts.append(template[at:end])
                at = end
        return parts, at

    return sequence(0)[0]


@dataclass(frozen=True)
class Filled:
    """A sentence and the slots that stand in it, in order of appearance."""

    text: str
    slots: tuple[tuple[str, str], ...]


class World:
    """Random choices about the business world, from one seed."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def any(self, *choices):
        return self.rng.choice(choices)

    def of(self, name: str) -> str:
        """One member of a semantic class or name list."""
        return self.rng.choice(lists("classes.txt").get(name) or lists("names.txt")[name])

    # names and titles

    def person(self) -> str:
        first, last = self.of("first"), self.of("last")
        return self.any(first, f"{first} {last}", f"{first} {last}", last)

    def made_up(self, least: int = 2, most: int = 4) -> str:
        """A word nobody has seen, so that it can only be copied."""
        return "".join(self.of("syllable") for _ in range(self.rng.randint(least, most))).capitalize()

    def rare_name(self) -> str:
        """A proper name that may be made up altogether."""
        return self.any(
            self.made_up(), f"{self.made_up()} {self.made_up()}", f"{self.of('first')} {self.made_up()}", self.person()
        )

    def title(self) -> str:
        """A made-up name of a song, book, film or playlist."""
        noun, adjective, verb = self.of("noun"), self.of("adjective"), self.of("verb")
        words = self.any(
            f"the {adjective} {noun}",
            f"{noun} of {self.of('noun')}",
            f"{adjective} {noun}",
            f"{verb} the {noun}",
            f"{verb} me {self.any('again', 'now', 'tonight', 'home', 'slowly')}",
            noun,
            f"a {noun} in {self.of('city')}",
            f"the {noun} and the {self.of('animal')}",
            f"{self.of('first')}'s {noun}",
            f"no {noun} for {self.of('noun')}s",
            f"{self.made_up()}",
            f"{self.made_up()} {noun}",
            f"when the {self.of('bird')} {verb}s",
            f"{self.of('number_word')} {self.of('colour')} {noun}s",
            f"this is {self.of('music_genre')}",
            f"{self.of('weekday')} {self.any('morning', 'night', 'blues', 'chill', 'hits')}",
            f"best of {self.of('music_genre')}",
            f"{self.of('country')} {self.any('top 50', 'viral hits', 'classics')}",
            f"{adjective} {self.of('music_genre')} {self.any('mix', 'hits', 'vibes', 'classics', 'sessions')}",
            f"{self.rare_name()}",
            f"{verb} like {self.of('animal')}s",
            f"letters to {self.of('first')}",
        )
        return words.title() if self.chance(0.5) else words

    def place_name(self) -> str:
        return self.any(
            f"{self.of('last')}'s",
            f"the {self.of('adjective')} {self.of('animal')}",
            f"{self.of('first')}'s {self.of('noun')}",
            f"The {self.of('colour').title()} {self.of('animal').title()}",
            f"{self.made_up()} {self.of('building').title()}",
            f"{self.of('company')} {self.any('Cinema', 'Theatre', 'Grill', 'Hall', 'House', 'Kitchen', 'Pictures')}",
            f"Café {self.made_up()}",
        )

    def company(self) -> str:
        stem = self.any(self.of("company"), self.made_up(), self.of("last"))
        return f"{stem} {self.of('company_suffix')}"

    # figures

    def digits(self, count: int) -> str:
        return str(self.rng.randint(1, 9)) + "".join(str(self.rng.randint(0, 9)) for _ in range(count - 1))

    def n(self) -> str:
        return str(self.rng.choice([self.rng.randint(1, 12), self.rng.randint(10, 99), self.rng.randint(100, 999)]))

    def code(self) -> str:
        letters = "".join(self.rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(self.rng.randint(1, 3)))
        return f"{letters}{self.any('-', '', '')}{self.digits(self.rng.randint(2, 4))}"

    def amount(self) -> str:
        whole = self.rng.choice([self.rng.randint(1, 20), self.rng.randint(10, 99), self.rng.randint(100, 5000)])
        return f"{whole}.{self.rng.randint(0, 99):02d}" if self.chance(0.6) else str(whole)

    def price(self) -> str:
        amount = self.amount()
        return self.any(
            f"${amount}",
            f"£{amount}",
            f"€{amount}",
            f"{amount} {self.of('currency')}",
            f"{amount} EUR",
            f"{amount} USD",
        )

    def number(self) -> str:
        return self.any(str(self.rng.randint(1, 12)), self.rng.choice(lists("classes.txt")["number_word"][:12]))

    def time(self) -> str:
        hour, minute = self.rng.randint(0, 23), self.rng.choice([0, 0, 5, 10, 15, 20, 30, 40, 45, 50])
        return self.any(
            f"{hour}:{minute:02d}",
            f"{hour % 12 + 1} {self.any('am', 'pm')}",
            f"{hour % 12 + 1}:{minute:02d} {self.any('am', 'pm')}",
            f"{hour % 12 + 1} o'clock",
            "noon",
            "midnight",
        )

    def date(self) -> str:
        day, month, year = self.rng.randint(1, 28), self.of("month"), self.rng.randint(2015, 2029)
        number = lists("classes.txt")["month"].index(month) + 1
        return self.any(
            f"{day} {month} {year}",
            f"{month} {day}, {year}",
            f"{year}-{number:02d}-{day:02d}",
            f"{day}/{number}/{year}",
            f"{day} {month}",
            f"{month} {day}",
        )

    def when(self) -> str:
        return self.any(
            f"on {self.of('weekday')}",
            f"at {self.time()}",
            f"in {self.n()} {self.any('days', 'minutes', 'hours', 'weeks')}",
            "tomorrow",
            "tonight",
            "next week",
            f"on {self.date()}",
            f"next {self.of('weekday')}",
            f"in {self.of('month')}",
            "this afternoon",
            "right now",
            "in one hour",
            f"{self.rng.randint(2, 9)} years from now",
            f"on {self.of('month')} {self.rng.randint(1, 28)}",
            "this weekend",
            "today at noon",
        )

    def email(self) -> str:
        user, host = f"{self.of('first')}.{self.made_up()}".lower(), self.made_up().lower()
        return f"{user}@{host}.{self.any('com', 'org', 'net', 'de', 'co.uk')}"

    def phone(self) -> str:
        return self.any(
            f"0{self.digits(3)} {self.digits(6)}",
            f"+{self.digits(2)} {self.digits(3)} {self.digits(4)}",
            f"555-{self.digits(4)}",
        )

    def address(self) -> str:
        return f"{self.rng.randint(1, 199)} {self.of('street')}"

    # kinds of slot in frames.txt that are not word classes

    def town(self) -> str:
        return self.any(
            self.of("city"),
            self.of("city"),
            self.made_up(),
            f"{self.made_up()} {self.any('City', 'Falls', 'Springs', 'Heights', 'Bay')}",
            f"{self.any('Saint', 'Lake', 'Fort', 'North', 'El', 'San')} {self.made_up()}",
        )

    def park(self) -> str:
        name = self.any(self.made_up(), self.of("last"))
        return f"{name} {self.any('National Park', 'State Forest', 'Nature Reserve', 'Wildlife Area')}"

    def year(self) -> str:
        return str(self.rng.randint(1920, 2026))

    def score(self) -> str:
        return (
            self.any(str(self.rng.randint(0, 10)), self.of("number_word"), "zero")
            if self.chance(0.5)
            else str(self.rng.randint(0, 6))
        )

    def best(self) -> str:
        return self.any("5", "6", "10", "six", "five", "ten")

    def age(self) -> str:
        return str(self.rng.randint(18, 90))

    def roomname(self) -> str:
        return self.any(
            f"room {self.digits(self.rng.randint(1, 3))}", f"the {self.of('colour')} room", f"{self.made_up()} Hall"
        )

    # phrases

    def chore(self) -> str:
        noun = self.of("noun")
        return self.any(
            f"{self.any('buy', 'clean', 'check', 'bring', 'fix', 'order', 'return')} the {noun}",
            f"call {self.of('first')}",
            f"pay the {self.any('rent', 'bill', 'invoice')}",
            f"pick up {self.any('the ' + noun, self.of('first'))}",
            f"feed the {self.of('animal')}",
            f"water the {self.of('flower')}s",
            f"write to {self.of('first')}",
        )

    def grocery(self) -> str:
        return self.of(self.any("fruit", "vegetable", "drink", "fish", "dish"))

    def slot(self, name: str) -> str:
        """The value of a ``{slot}``: a method of this class where there is one, otherwise a word class."""
        if "|" in name:
            return self.rng.choice(name.split("|"))
        special = {"placename": self.place_name, "person": self.rare_name, "time": self.time, "n": self.n}
        method = special.get(name) or getattr(self, name, None)
        return method() if method else self.of(name)

    def fill(self, template: str, **given: str) -> Filled:
        """One sentence of a template, with what its slots became."""
        slots: list[tuple[str, str]] = []

        def walk(parts: list) -> str:
            out = []
            for part in parts:
                if isinstance(part, str):
                    out.append(part)
                elif part[0] == "any":
                    out.append(walk(self.rng.choice(part[1])))
                else:
                    key, _, kind = part[1].partition(":")
                    value = given[key] if key in given else self.slot(kind or key)
                    slots.append((key, value))
                    out.append(value)
            return "".join(out)

        text = walk(parse(template))
        return Filled(re.sub(r" +", " ", text).strip(), tuple(slots))

    def typo(self, text: str) -> str:
        """One slip of the fingers."""
        at = self.rng.randrange(len(text))
        kind = self.rng.randrange(4)
        if kind == 0 or not text[at].isalpha():
            return text[:at] + text[at + 1 :]
        if kind == 1:
            return text[:at] + text[at] + text[at:]
        if kind == 2 and at + 1 < len(text):
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        return text[:at] + self.rng.choice("abcdefghijklmnopqrstuvwxyz") + text[at + 1 :]
