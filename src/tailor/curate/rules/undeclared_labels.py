"""A label that is not among those that the instructions declare.

The system prompt, or the part of the question that all rows share, names the labels (a list, an `enum` of a schema,
"one of billing, refund or other"), and this answer is none of them. It holds for answers that are labels and for the
keys of JSON answers whose values at least 80% of the rows find declared. At inference the caller handles what was
declared; the undeclared label falls through. Case counts for nothing here: see C301. Numbers are left alone.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.answers import LABEL
from tailor.curate.drift import FEWEST, USUAL, answered
from tailor.curate.rows import Row
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "C303"
SEVERITY = "block"
COST = "the caller handles the declared labels, and this one falls through"
FIX = "give one of the declared labels, or declare this one"
_SAMPLE = 400  # rows from which it is told what is shared and which keys hold labels
_SHARED = 12  # characters of the question that rows share, at least: less declares nothing
_NUMBER = re.compile(r"[\W\d_]*")


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a value."""
    asked = np.flatnonzero(corpus.asked)
    if len(asked) < FEWEST:
        return
    sample = [corpus.row(at) for at in asked[np.unique(np.linspace(0, len(asked) - 1, _SAMPLE).astype(int))]]
    begins, ends = _shared([_question(row) for row in sample])
    declares = _Declared(begins, ends)
    values: defaultdict[str, list[tuple[str, bool]]] = defaultdict(list)
    for row in sample:
        for key, value in _labels(row, corpus.labelled):
            values[key].append((value.casefold(), declares.holds(row, value)))
    keys = []
    for key, seen in values.items():
        names = {value for value, held in seen if held}
        several = len(names) > 1 and len(seen) >= FEWEST and max(Counter(seen).values()) > 1
        if several and sum(held for _, held in seen) >= USUAL * len(seen):
            keys.append(key)
    if keys:
        for found in corpus.map(_undeclared, begins, ends, tuple(keys), corpus.labelled):
            for index, key, value in found:
                row = corpus.row(index)
                where = f" under {key!r}" if key else ""
                message = f"{value!r}{where} is none of the labels that the instructions declare"
                yield Hit(message=message, rows=(index,), evidence=row.excerpt(), at=value)


class _Declared:
    """Whether the instructions of a row hold a value, looked up once for each pair of both."""

    def __init__(self, begins: str, ends: str) -> None:
        self.shared = f"{begins}\n{ends}".casefold()
        self.known: dict[tuple[str, str], bool] = {}

    def holds(self, row: Row, value: str) -> bool:
        system = "\n".join(turn.text for turn in row.example.prompt if turn.role == "system")
        pair = system, value
        if pair not in self.known:
            text = f"{system.casefold()}\n{self.shared}"
            self.known[pair] = re.search(rf"(?<!\w){re.escape(value.casefold())}(?!\w)", text) is not None
        return self.known[pair]


def _undeclared(
    rows: list[Row], begins: str, ends: str, keys: tuple[str, ...], labelled: bool
) -> list[tuple[int, str, str]]:
    declares = _Declared(begins, ends)
    return [
        (row.index, key, value)
        for row in rows
        if not row.against and row.example.kind == "chat"
        for key, value in _labels(row, labelled)
        if key in keys and not declares.holds(row, value)
    ]


def _labels(row: Row, labelled: bool) -> list[tuple[str, str]]:
    """(key, value) of what may be a label in an answer."""
    if not answered(row) or (row.json is None and not labelled):
        return []
    return [
        (key, text.strip()) for key, text in row.leaves if len(text) <= LABEL and not _NUMBER.fullmatch(text.strip())
    ]


def _question(row: Row) -> str:
    return next((turn.text for turn in reversed(row.example.prompt) if turn.role == "user"), "")


def _shared(questions: list[str]) -> tuple[str, str]:
    """The words that nine in ten questions begin with, and those that they end with."""
    found = []
    for texts in (sorted(questions), sorted(text[::-1] for text in questions)):
        low, high = texts[len(texts) // 20], texts[-1 - len(texts) // 20]
        same = next((at for at, (a, b) in enumerate(zip(low, high)) if a != b), min(len(low), len(high)))
        found.append(low[:same] if same >= _SHARED else "")
    return found[0], found[1][::-1]
