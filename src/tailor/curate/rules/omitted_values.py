"""A fact of the question that the answer leaves out.

Where questions are lists of facts (`name[The Mill], near[Burger King]`, `name: The Mill` on lines) and answers put
them into words, at least 90% of the answers say what stands under a key: they repeat the value, or hold words that
answers to questions with that value or key have and others have not (`not family-friendly` for `familyFriendly[no]`,
`British` for `food[English]`). This one does neither, nor does it hold the rare word that most such answers hold
instead (`café` for `eatType[coffee shop]`). A model trained on such rows learns to leave facts out: of the E2E set
40% of the rows had facts added or left out, and a cleaned set gave up to 97% fewer wrong statements (Dušek, Howcroft
and Rieser 2019). Silent on conversations, where the same names begin line after line.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

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
SAID = 0.9  # share of answers that say what stands under a key: fewer, and it is no task to say it
_SAMPLE = 5_000  # rows from which the words for each fact are learned
_FACTS = 300  # keys and values for which words are learned, the commonest
_OFTEN = 5  # rows that a word, or a value, stands in to say something
_CHANCE = 10.0  # G of a word and a fact (Dunning 1993): chance gives as much once in six hundred
_OF_KEY, _OF_VALUE = 0.5, 0.4  # share of a word's answers, over what chance gives, whose questions have the fact
_INSTEAD, _FEW = 0.8, 3  # share, and number, of the answers without a fact that hold a word: then it is how they say it
_RARE = 25.0  # G of such a word: many words are looked at, and a common one that all of a few answers hold says nothing
_SMALL = 3  # letters: `in the` says nothing
_BRACKETS = re.compile(r"([A-Za-z][\w ]*?)\s*\[([^\[\]\n]+)\]")
_LINES = re.compile(r"^[-* ]*([A-Za-z][\w ]{0,30}?)\s*[:=]\s*(\S[^\n]{0,80})$", re.MULTILINE)
_WORD = re.compile(r"\w+")

Fact = tuple[str, str]  # key, value; the value "" stands for any


class _Cues(NamedTuple):
    """What is learned of the sample: keys that answers say, and the words that say a fact."""

    keys: frozenset[str]
    words: dict[Fact, set[str]]


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
    for found in corpus.map(_omitted, cues) if cues.keys else ():
        for index, key, value in found:
            row = corpus.row(index)
            message = f"{value!r} ({key}) is not said in the answer"
            yield Hit(message=message, rows=(index,), evidence="\n".join(wrap(row.given(210), 70)), at=value)


def _learned(rows: list[Row]) -> _Cues:
    words = _telling(rows)
    count: Counter[str] = Counter()
    untold: defaultdict[Fact, list[Row]] = defaultdict(list)
    for row in rows:
        for fact in _facts(row):
            count[fact[0]] += 1
            if not _tells(row, fact, words):
                untold[fact].append(row)
    silent: Counter[str] = Counter()
    for (key, _), without in untold.items():
        silent[key] += len(without)
    keys = {key for key in count if count[key] >= FEWEST and count[key] - silent[key] >= SAID * count[key]}
    return _Cues(frozenset(keys), words | _instead(rows, {fact: untold[fact] for fact in untold if fact[0] in keys}))


def _instead(rows: list[Row], untold: dict[Fact, list[Row]]) -> dict[Fact, set[str]]:
    """Of each fact the words that most answers without it hold, and others rarely: those say it their own way."""
    often = Counter(itertools.chain.from_iterable(map(_own, rows))) if untold else Counter()
    found = {}
    for fact, without in untold.items():
        held = Counter(itertools.chain.from_iterable(map(_own, without)))
        words = [word for word in held if held[word] >= max(_FEW, _INSTEAD * len(without))]
        ones, both = (np.array([count[word] for word in words], np.float64) for count in (often, held))
        tied = _tied(both, ones, len(without), len(rows))
        found[fact] = {word for word, much in zip(words, tied) if much >= _RARE}
    return found


def _telling(rows: list[Row]) -> dict[Fact, set[str]]:
    """The words for each key; a word speaks for one, that of the fact it is tied to the most of those it implies."""
    names, has = _table([{(key, part) for key, value in _facts(row) for part in ("", value)} for row in rows], _FACTS)
    grams, said = _table([_said(row) for row in rows])
    if not names or not grams:
        return {}
    together = np.asarray((said.T @ has).todense(), np.float64)
    words, facts = np.asarray(said.sum(axis=0)).reshape(-1, 1), np.asarray(has.sum(axis=0)).reshape(1, -1)
    tied = _tied(together, words, facts, len(rows))
    places = {key: at for at, key in enumerate(dict.fromkeys(key for key, _ in names))}
    key = np.array([places[key] for key, _ in names])
    base = facts / len(rows)
    least = np.array([_OF_VALUE if value else _OF_KEY for _, value in names])
    sure = together / words >= base + least * (1 - base)
    holds = sure & (tied >= _CHANCE) & (key[np.where(sure, tied, 0).argmax(axis=1)][:, None] == key)
    found: defaultdict[Fact, set[str]] = defaultdict(set)
    for word, fact in zip(*np.nonzero(holds)):
        found[names[fact][0], ""].add(grams[word])
    return dict(found)


def _table(sets: list[Any], most: int | None = None) -> tuple[list[Any], Any]:
    """What stands in _OFTEN of the sets and more, the commonest; and which set has it, sparse [sets, things]."""
    from scipy.sparse import csr_matrix

    count = Counter(itertools.chain.from_iterable(sets))
    names = [name for name, number in count.most_common(most) if number >= _OFTEN]
    place = {name: at for at, name in enumerate(names)}
    found = [sorted(place[name] for name in held if name in place) for held in sets]
    ends = np.cumsum([0, *map(len, found)])
    flat = np.fromiter(itertools.chain.from_iterable(found), np.int64, int(ends[-1]))
    return names, csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(sets), len(names)))


def _tied(both: np.ndarray, one: np.ndarray, other: np.ndarray | int, rows: int) -> np.ndarray:
    """G of two things that stand in `one` and `other` of the rows, and in `both`; 0 where they rather shun each other.

    Twice the log of how much likelier the counts are if the two depend on each other (Dunning 1993).
    """
    from scipy.special import xlogy

    seen = (both, one - both, other - both, rows - one - other + both)
    chance = (one * other, one * (rows - other), (rows - one) * other, (rows - one) * (rows - other))
    total = sum(xlogy(number, number * rows / np.maximum(free, 1e-9)) for number, free in zip(seen, chance))
    tied: np.ndarray = np.where(both * rows > one * other, 2 * total, 0.0)
    return tied


def _omitted(rows: list[Row], cues: _Cues) -> list[tuple[int, str, str]]:
    found = []
    for row in rows:
        if answered(row):
            facts = (fact for fact in _facts(row) if fact[0] in cues.keys and not _tells(row, fact, cues.words))
            found += [(row.index, *fact) for fact in itertools.islice(facts, 1)]
    return found


def _tells(row: Row, fact: Fact, words: dict[Fact, set[str]]) -> bool:
    """Whether the answer says a fact: repeats it, a word of it, or one of those for it."""
    key, value = fact
    if _repeats(row, value):
        return True
    said = _said(row)
    if not words.get((key, ""), set()).isdisjoint(said) or not said.isdisjoint(_WORD.findall(value.casefold())):
        return True
    return fact in words and not words[fact].isdisjoint(_own(row))


def _facts(row: Row) -> list[Fact]:
    text = row.prompt[-2000:]
    pairs = _BRACKETS.findall(text) if "[" in text else []
    if not pairs and (":" in text or "=" in text):
        pairs = _LINES.findall(text)
        if len({key for key, _ in pairs}) < len(pairs):
            return []  # who said what, line after line
    return [(key.strip(), value.strip()) for key, value in pairs]


def _said(row: Row) -> set[str]:
    """The words and pairs of words of an answer, but for those that are small."""
    words = _WORD.findall(row.plain_answer)
    pairs = (f"{a} {b}" for a, b in itertools.pairwise(words) if len(a) > _SMALL or len(b) > _SMALL)
    return {*(word for word in words if len(word) > _SMALL), *pairs}


def _own(row: Row) -> set[str]:
    """Those of the words and pairs of an answer that its question has not."""
    asked = set(_WORD.findall(row.plain_prompt))
    return {word for word in _said(row) if not asked.issuperset(word.split())}


def _repeats(row: Row, value: str) -> bool:
    """Whether the answer has a value to the letter, but for case, marks and an article."""
    bare = " ".join(_WORD.findall(value.casefold())).removeprefix("the ")
    return bare in row.plain_answer or bare in " ".join(_WORD.findall(row.plain_answer))
