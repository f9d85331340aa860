"""A fact of the question that the answer leaves out.

Where questions are lists of facts (`name[The Mill], near[Burger King]`, `name: The Mill` on lines) and answers put
them into words, a key whose value at least 95% of the answers repeat to the letter must stand in this answer too; and
where answers say a value in words of their own (`not family-friendly` for `familyFriendly[no]`), one of the words that
hardly stand in answers to questions without that key must. A model trained on such rows learns to leave facts out: of
the E2E set 40% of the rows had facts added or left out, and a cleaned set gave up to 97% fewer wrong statements
(Dušek, Howcroft and Rieser 2019).
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tailor.curate.drift import FEWEST, USUAL, answered
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "C502"
SEVERITY = "warn"
COST = "the model learns to leave out what it was told to say"
FIX = "say the value in the answer, or take it out of the question"
SAID = 0.95  # share of answers that repeat a value, from which one that does not leaves it out
_SAMPLE = 20_000  # rows from which the words for each key are learned
_SURE = 0.8  # share of a word's answers, over what chance gives, whose questions have the key
_OFTEN = 3  # answers that a word stands in, to say something
_MOSTLY = 0.3  # share of the answers without the value that a word must stand in, to stand for it
_RATHER = 5  # times as often a word stands where the value is not repeated, to stand for it
_WORDED = 0.9  # share of answers with the key that hold one of its words: fewer, and it is no task to say it
_BRACKETS = re.compile(r"([A-Za-z][\w ]*?)\s*\[([^\[\]\n]+)\]")
_LINES = re.compile(r"^[-* ]*([A-Za-z][\w ]{0,30}?)\s*[:=]\s*(\S[^\n]{0,80})$", re.MULTILINE)
_WORD = re.compile(r"\w+")


class _Cues(NamedTuple):
    """What is learned of the sample: keys that are repeated to the letter, and the words for each other key."""

    repeated: frozenset[str]
    words: dict[str, frozenset[str]]


def collect(row: Row) -> bool | None:
    """Whether the question is a list of facts."""
    return row.json is None and len(_facts(row)) >= 2 if answered(row) else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    indices, seen = corpus.collected.get(CODE, ((), []))
    rows = np.array(indices, np.int64)[np.array(seen, bool)]
    if len(rows) < max(FEWEST, USUAL * len(seen)) or corpus.labelled:
        return
    cues = _learned([corpus.row(at) for at in rows[:: max(1, len(rows) // _SAMPLE)]])
    for found in corpus.map(_omitted, cues.repeated, cues.words):
        for index, key, value in found:
            row = corpus.row(index)
            message = f"{value!r} ({key}) is not said in the answer"
            yield Hit(message=message, rows=(index,), evidence=row.excerpt(), at=value)


def _learned(rows: list[Row]) -> _Cues:
    count: Counter[str] = Counter()
    repeated: Counter[str] = Counter()
    words: Counter[str] = Counter()
    together: defaultdict[str, Counter[str]] = defaultdict(Counter)
    held = []
    for row in rows:
        facts, said = _facts(row), _said(row)
        held.append((set(facts), said))
        words.update(said)
        for key, value in facts.items():
            count[key] += 1
            repeated[key] += _repeats(row, value)
            together[key].update(said)
    often = {key for key, number in count.items() if number >= FEWEST}
    exact = frozenset(key for key in often if repeated[key] >= SAID * count[key])
    cues = {}
    for key in often - exact:
        base = count[key] / len(rows)
        telling = frozenset(
            word
            for word, number in together[key].items()
            if number >= _OFTEN and number / words[word] >= base + _SURE * (1 - base)
        )
        having = [said for facts, said in held if key in facts]
        if base < 1 and sum(not telling.isdisjoint(said) for said in having) >= _WORDED * len(having):
            cues[key] = telling
    return _Cues(exact, cues | _renamed(rows, exact))


def _renamed(rows: list[Row], exact: frozenset[str]) -> dict[str, frozenset[str]]:
    """`key[value]` -> words that stand for the value where it is not repeated: British for English."""
    among: defaultdict[str, tuple[Counter[str], Counter[str]]] = defaultdict(lambda: (Counter(), Counter()))
    for row in rows:
        for key, value in _facts(row).items():
            if key in exact:
                among[f"{key}[{value}]"][_repeats(row, value)].update(["", *_said(row)])
    return {
        name: frozenset(
            word
            for word, number in without.items()
            if word
            and number >= max(_OFTEN, _MOSTLY * without[""])
            and number / without[""] >= _RATHER * repeating[word] / max(repeating[""], 1)
        )
        for name, (without, repeating) in among.items()
        if without[""] >= _OFTEN
    }


def _omitted(rows: list[Row], repeated: frozenset[str], words: dict[str, frozenset[str]]) -> list[tuple[int, str, str]]:
    found = []
    for row in rows:
        if not answered(row):
            continue
        said = None
        for key, value in _facts(row).items():
            if key not in repeated and key not in words:
                continue
            if _repeats(row, value):
                continue
            said = said or _said(row)
            part = key in repeated and any(len(word) > 3 and word in said for word in _WORD.findall(value.casefold()))
            if not part and words.get(f"{key}[{value}]" if key in repeated else key, frozenset()).isdisjoint(said):
                found.append((row.index, key, value))
                break
    return found


def _facts(row: Row) -> dict[str, str]:
    text = row.prompt[-2000:]
    pairs = _BRACKETS.findall(text) if "[" in text else []
    if not pairs and (":" in text or "=" in text):
        pairs = _LINES.findall(text)
    return {key.strip(): value.strip() for key, value in pairs}


def _said(row: Row) -> set[str]:
    """The words and pairs of words of an answer."""
    words = _WORD.findall(row.plain_answer)
    return {*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))}


def _repeats(row: Row, value: str) -> bool:
    """Whether the answer has a value to the letter, but for case, marks and an article."""
    bare = " ".join(_WORD.findall(value.casefold())).removeprefix("the ")
    return bare in row.plain_answer or bare in " ".join(_WORD.findall(row.plain_answer))
