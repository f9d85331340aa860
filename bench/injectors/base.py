"""Rows of a clean set, and how an injector says what it breaks.

An injector is one function. Four kinds, by what they make:

    @edit(code, *on)    row, dice, clean -> the row with the defect in it, or None where this row cannot have it
    @more(code, *on)    row, dice, clean -> a new row that is put among the others, or None
    @whole(code, *on)   rows, dice, clean -> other rows: a defect of the set as a whole
    @damage(code, *on)  bytes, dice, clean -> (a file's suffix or "", other bytes): a defect of its file

`code` names the rule that should find it (`also` others, where two rules share a case), `on` the sets (by name or
trait) that can have it. Several functions with one code are its variants, which take turns. `@decoy` and `@other` are
as `@edit` and `@more`, for rows that only look like the defect: what a rule says of them is a false alarm. Nothing here
knows how a rule works.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["edit", "more", "whole", "file"]


@dataclass
class Row:
    """One row: `turns` as OpenAI messages, and of a pair the two answers.

    `raw` is the line as it stands, where that matters. `shape` is how it is written: messages, completion, alpaca,
    sharegpt, pair, rated, text or table.
    """

    turns: list[dict[str, Any]]
    shape: str = "messages"
    chosen: str | None = None
    rejected: str | None = None
    tools: list[dict[str, Any]] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    id: int = -1  # its number in the clean set; -1 for a row that was put in

    @property
    def question(self) -> str:
        """The user's last words."""
        return next((str(turn["content"]) for turn in reversed(self.turns) if turn["role"] == "user"), "")

    @question.setter
    def question(self, text: str) -> None:
        next(turn for turn in reversed(self.turns) if turn["role"] == "user")["content"] = text

    @property
    def answer(self) -> str:
        """What is to be learned; of a pair the chosen answer."""
        if self.chosen is not None:
            return self.chosen
        return str(self.turns[-1].get("content") or "") if self.turns[-1]["role"] == "assistant" else ""

    @answer.setter
    def answer(self, text: str) -> None:
        if self.chosen is not None:
            self.chosen = text
        else:
            self.turns[-1]["content"] = text

    @property
    def json(self) -> Any:
        """The answer as JSON; None where it is none."""
        try:
            return json.loads(self.answer)
        except ValueError:
            return None

    def copy(self, **changes: Any) -> Row:
        """A row of its own: the same but for `changes`, which may name question and answer."""
        made = copy.deepcopy(self)
        for name, value in changes.items():
            setattr(made, name, value)
        return made

    def document(self) -> dict[str, Any]:
        """The row as the object that stands in a file."""
        question = "\n".join(str(turn["content"]) for turn in self.turns if turn.get("role") in ("system", "user"))
        if self.shape == "messages":
            shown: dict[str, Any] = {"messages": self.turns} | ({"tools": self.tools} if self.tools else {})
        elif self.shape == "alpaca":
            shown = {"instruction": question, "input": "", "output": self.answer}
        elif self.shape == "sharegpt":
            names = {"user": "human", "assistant": "gpt", "system": "system"}
            shown = {"conversations": [{"from": names[t["role"]], "value": t["content"]} for t in self.turns]}
        elif self.shape == "pair":
            shown = {"prompt": question, "chosen": self.chosen, "rejected": self.rejected}
        elif self.shape == "text":
            shown = {"text": self.answer}
        else:
            shown = {"prompt": question, "completion": self.answer}
        return shown | self.extra


@dataclass
class Clean:
    """A set without the defect: its rows, those held out, and what it is (`traits`, its own name among them).

    `group` names the key of `Row.extra` that rows of one source share; `columns` are those of a table.
    """

    name: str
    rows: list[Row]
    held: list[Row] = field(default_factory=list)
    traits: frozenset[str] = frozenset()
    group: str | None = None
    columns: tuple[str, str] = ("prompt", "completion")

    def other(self, row: Row, dice: random.Random) -> Row:
        """Another row that asks and answers something else."""
        for _ in range(100):
            found = dice.choice(self.rows)
            if found.answer != row.answer and found.question != row.question:
                return found
        raise LookupError(f"{self.name}: all rows are alike")


Injector = Callable[[Any, random.Random, Clean], Any]


@dataclass(frozen=True)
class Defect:
    """One way to break a row or a set."""

    code: str
    kind: Kind
    on: frozenset[str]
    make: Injector
    right: bool = False  # a decoy: it only looks broken
    also: tuple[str, ...] = ()  # other codes under which the defect may rightly be told

    def fits(self, clean: Clean) -> bool:
        """Whether the set can have it."""
        return not self.on.isdisjoint(clean.traits)


DEFECTS: list[Defect] = []


def _register(kind: Kind, right: bool) -> Callable[..., Callable[[Injector], Injector]]:
    def declare(code: str, *on: str, also: tuple[str, ...] = ()) -> Callable[[Injector], Injector]:
        def keep(make: Injector) -> Injector:
            DEFECTS.append(Defect(code, kind, frozenset(on), make, right, also))
            return make

        return keep

    return declare


edit, more, whole, damage = (_register(kind, False) for kind in ("edit", "more", "whole", "file"))
decoy, other = _register("edit", True), _register("more", True)


# ------------------------------------------------------------------------------- what several families need


def pieces(text: str, size: int = 5) -> set[bytes]:
    """Runs of bytes of a text, case and spaces aside."""
    raw = " ".join(text.lower().split()).encode()
    return {raw[at : at + size] for at in range(len(raw) - size + 1)}


def jaccard(one: str, two: str) -> float:
    """The share of runs of five bytes that two texts have in common."""
    a, b = pieces(one), pieces(two)
    return len(a & b) / max(1, len(a | b))


def words(text: str) -> list[str]:
    """The text cut at white space."""
    return text.split()


def slip(word: str, dice: random.Random) -> str:
    """A typist's slip: two letters exchanged, one lost, one struck twice, a neighbour's key hit."""
    if len(word) < 4 or not word.isascii():
        return word
    at = dice.randrange(1, len(word) - 1)
    rows = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    near = next((row[(row.index(word[at]) + 1) % len(row)] for row in rows if word[at] in row), word[at])
    made = dice.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + near + word[at + 1 :],
        )
    )
    return made if made != word else word[:at] + word[at + 1 :]


def lines(rows: Sequence[Row]) -> list[bytes]:
    """The rows as lines of a file of JSON objects."""
    return [row.raw if row.raw is not None else json.dumps(row.document(), ensure_ascii=False).encode() for row in rows]
