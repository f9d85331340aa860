"""The bundled tickets: reproducible, split without leaks, and answerable from their written rules alone.

`Reader` is the careful human: it knows `instructions.md` and the phrases of the language, sees only a ticket, and has
to arrive at the answer that the generator derived from the facts.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from string import ascii_lowercase
from types import ModuleType
from typing import Any

import pytest

from tailor import examples

TICKETS = examples.path("tickets")
PHRASES = Path(__file__).parents[2] / "recipes" / "tickets" / "phrases.toml"
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (TICKETS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def both() -> list[tuple[str, dict[str, Any]]]:
    """(ticket, answer) of every row of both files."""
    turns = [[turn["content"] for turn in row["messages"]] for name in ("train", "test") for row in rows(name)]
    return [(ticket, json.loads(answer)) for ticket, answer in turns]


@pytest.fixture(scope="module")
def generator(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("tickets/generate.py")


class Reader:
    """Reads facts off a ticket's text."""

    def __init__(self) -> None:
        source = PHRASES.read_text(encoding="utf-8")
        phrases = tomllib.loads(source)
        self.words = set(re.findall(r"[a-z']+", source.lower())) | set(WEEKDAYS.split("|"))
        self.cases = {case: pattern(lines) for case, lines in phrases["case"].items()}
        self.wants = {
            want: pattern(line for lines in kinds.values() for line in lines) for want, kinds in phrases["want"].items()
        }
        self.danger, self.repeat = pattern(phrases["extra"]["danger"]), pattern(phrases["extra"]["repeat"])

    def spell(self, text: str) -> str:
        """`text` in small letters with its slips put right."""

        def right(found: re.Match[str]) -> str:
            word = found[0]
            cuts = range(len(word) + 1)
            swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in cuts[:-2]}
            completed = {word[:i] + letter + word[i:] for i in cuts for letter in ascii_lowercase}
            known = sorted(swapped & self.words) or sorted(completed & self.words)
            return word if word in self.words or not known else known[0]

        return re.sub(r"[a-z]{4,}", right, text.lower())

    def read(self, text: str) -> dict[str, Any]:
        """Every field that the rules take from the text itself, `item` apart; sets where phrases could be ambiguous."""
        [number] = re.findall(r"(?<!\d)\d{5}(?!\d)", text)
        text = self.spell(text)
        days = re.findall(rf"\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({'|'.join(MONTHS)})[a-z]*\b", text)
        days += [(day, month) for month, day in re.findall(rf"\b({'|'.join(MONTHS)})[a-z]* (\d+)", text)]
        cases = {case for case, wording in self.cases.items() if wording.search(text)}
        wants = {want for want, wording in self.wants.items() if wording.search(text)}
        return {
            "ref": f"AF{number}",
            "day": {f"{int(day):02}{month.upper()}" for day, month in days} or {None},
            "case": cases,
            "want": wants or ({"AN"} if "question" in cases else set()),
            "marks": ["danger"] * bool(self.danger.search(text))
            + [f"due_{day[:3]}" for day in re.findall(rf"\b({WEEKDAYS})\b", text)]
            + ["repeat"] * bool(self.repeat.search(text)),
        }


def pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of the phrases, whatever their slots became."""
    wordings = [
        re.sub(r"\{\w+\}", ".{1,60}?", re.sub(r"([?.])$", r"\\\1", phrase.lower())) for phrase in phrases if phrase
    ]
    return re.compile("|".join(f"(?:{wording.replace('(', '(?:')})" for wording in wordings))


def test_regenerating_writes_the_same_bytes(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["generate.py", "--out", str(tmp_path)])
    generator.main()
    for name in ("train.jsonl", "test.jsonl"):
        assert (tmp_path / name).read_bytes() == (TICKETS / name).read_bytes()


def test_another_seed_writes_other_tickets(generator: ModuleType) -> None:
    assert generator.rows(seed=1)["test"] != rows("test")


def test_there_are_600_and_200_short_tickets() -> None:
    assert [len(rows("train")), len(rows("test"))] == [600, 200]
    lengths = [len(ticket.split()) for ticket, _ in both()]
    assert min(lengths) >= 20
    assert max(lengths) <= 60


def test_no_customer_and_no_wording_stands_in_both_files() -> None:
    train, test = rows("train"), rows("test")
    assert not {row["customer"] for row in train} & {row["customer"] for row in test}
    seen = [set(row["messages"][0]["content"].lower().split()) for row in train]
    for row in test:
        words = set(row["messages"][0]["content"].lower().split())
        assert max(len(words & other) / len(words | other) for other in seen) < 0.6


def test_every_answer_follows_from_its_ticket_by_the_written_rules() -> None:
    reader = Reader()
    for ticket, answer in both():
        found = reader.read(ticket)
        wanted = answer | {key: {answer[key]} for key in ("day", "case", "want")}
        assert found == {key: wanted[key] for key in found}, ticket


def test_the_item_is_the_product_named_and_the_other_one_only_where_the_wrong_one_came(generator: ModuleType) -> None:
    for ticket, answer in both():
        text = re.sub(r"\bi saw\b", "", ticket.lower())
        named = {code for code, names in generator.ITEMS.items() for name in names if re.search(rf"\b{name}\b", text)}
        assert answer["item"] in named
        assert len(named) == 1 or (len(named) == 2 and answer["case"] == "wrong_item"), ticket


def test_teams_and_the_form_are_as_the_rules_say() -> None:
    for _, answer in both():
        assert list(answer) == ["ref", "item", "case", "want", "day", "marks", "team"]
        team = "dock"
        if answer["case"] in ("does_not_work", "question"):
            team = "bench"
        if answer["want"] == "MB" or answer["case"] == "wrong_charge":
            team = "till"
        urgency = 1 if "danger" in answer["marks"] else 2 if answer["marks"] else 3
        assert answer["team"] == f"{team}-{urgency}"


def test_the_rules_name_every_code_that_an_answer_uses(generator: ModuleType) -> None:
    rules = (TICKETS / "instructions.md").read_text(encoding="utf-8")
    for code, names in generator.ITEMS.items():
        assert f"{code} {' or '.join(names)}" in rules
    used = {answer[key] for _, answer in both() for key in ("case", "want")}
    assert used == set(generator.WANTS) | {"MB", "NW", "FX", "AN"}
    assert all(re.search(rf"\b{code}\b", rules) for code in used)
    example = json.loads(rules.split("Example: ")[1])
    assert list(example) == list(both()[0][1])
