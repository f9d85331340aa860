"""What a small model, that has not seen a row, thinks of its label.

Ridge regression from hashed n-grams of the prompt to one column a class. The prediction for a row by the model of all
other rows follows from the model of all rows: with leverage h of the row, (f - h y) / (1 - h) (Allen 1974, PRESS). So
no folds are drawn, and every row is judged by all others.
"""

from __future__ import annotations

import itertools
import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tailor.curate.rows import Row
from tailor.curate.spool import Spool

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

SAMPLE = 50_000  # rows that are judged at most: 12 s on one core
SIZE = 2048  # places of the hash; 3,072 find 1% more and take twice the time
_GRAM = 4  # characters beside words and pairs of words: they carry typos and endings
_TAIL = 2000  # characters at the end of the prompt that are looked at: what differs between rows stands there
_RIDGE = 1.0
_TASK = 4096
_BATCH = 1024
_COUNTED = re.compile(r"\W*(?:\d[\d,.]*|[A-Za-z])\W*")
_WORD = re.compile(r"\w+")


class Judged(NamedTuple):
    """Rows and what the model of all other rows gives for their label and for the best other one, about 0 to 1.

    `classes` holds a row of each class; `own` the place in it of each row's label, `other` of the best other one.
    `fit` is the share of rows whose label it guesses, over guessing by how often classes occur (Cohen's kappa).
    """

    rows: np.ndarray
    classes: np.ndarray
    own: np.ndarray
    other: np.ndarray
    of_own: np.ndarray
    of_other: np.ndarray
    doubted: np.ndarray
    fit: float


class Classes(NamedTuple):
    """The labels of the training rows; all arrays are empty where answers are no labels.

    `first` is a row of each label, `counts` how many rows have it; `own` is the place of the label of each of `rows`.
    """

    rows: np.ndarray
    own: np.ndarray
    first: np.ndarray
    counts: np.ndarray


def classes(corpus: Corpus) -> Classes:
    """The labels of the training rows."""
    rows = np.flatnonzero(corpus.asked & corpus.labelled)
    keys = corpus.answer_key[rows]
    _, first, own, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return Classes(rows, own, rows[first], counts)


def judged(corpus: Corpus) -> Judged | None:
    """The labelled rows as others see them, at most SAMPLE taken evenly; None where there is nothing to compare."""
    _, first = np.unique(corpus.row_key, return_index=True)  # copies would vouch for each other
    rows = np.sort(first[corpus.asked[first]])
    return judged_among(corpus, rows[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(np.intp)])


def judged_among(corpus: Corpus, rows: np.ndarray) -> Judged | None:
    """These rows, at most SAMPLE and no copies of each other, as the others among them see them."""
    _, classes, own = np.unique(corpus.answer_key[rows], return_index=True, return_inverse=True)
    if len(classes) < 2 or len(rows) < 2 * len(classes):
        return None
    features, counts = grams(corpus, rows)
    scores = left_out(features, counts, own)
    place = np.arange(len(rows))
    of_own = scores[place, own]
    best = scores.argmax(axis=1)
    fit = _kappa(best, own)
    least = np.array([of_own[own == label].mean() for label in range(len(classes))])
    sure = np.where(scores >= least, scores, -np.inf)
    doubted = np.isfinite(sure).any(axis=1) & (sure.argmax(axis=1) != own)
    scores[place, own] = -np.inf
    other = scores.argmax(axis=1)
    return Judged(rows, rows[classes], own, other, of_own, scores[place, other], doubted, fit)


def follows(corpus: Corpus, rows: np.ndarray, own: np.ndarray) -> float:
    """How well the class of each row, `own`, is guessed from its prompt by the model of all other rows: Cohen's kappa,
    0 where prompts say nothing of it."""
    return _kappa(left_out(*grams(corpus, rows), own).argmax(axis=1), own)


def _kappa(guessed: np.ndarray, own: np.ndarray) -> float:
    hit = float((guessed == own).mean())
    shares = np.bincount(own) / len(own)
    chance = float(shares @ (np.bincount(guessed, minlength=len(shares)) / len(own)))
    return (hit - chance) / max(1 - chance, 1e-9)


def named(corpus: Corpus, rows: np.ndarray) -> bool:
    """Whether the answers of rows, one of each class, are names; not numbers or letters of options, which occur as the
    questions have it."""
    answers = [corpus.row(row).answer.strip() for row in rows[:50]]
    return sum(bool(_COUNTED.fullmatch(answer)) for answer in answers) * 2 < len(answers)


def left_out(features: np.ndarray, counts: np.ndarray, own: np.ndarray) -> np.ndarray:
    """What the ridge of all other rows gives for each row and class; float32 [rows, classes].

    `features` are the places of each row one after another, `counts` how many each has, `own` the class of each row.
    """
    rows = len(counts)
    ends = np.cumsum(counts)
    often = np.bincount(features, minlength=SIZE)
    rare = np.log((1 + rows) / (1 + often)).astype(np.float32)

    def batch(at: int) -> np.ndarray:
        some = slice(at, at + _BATCH)
        dense = np.zeros((len(counts[some]), SIZE), np.float32)
        held = features[ends[at] - counts[at] : ends[some][-1]]
        dense[np.repeat(np.arange(len(dense)), counts[some]), held] = rare[held]
        dense /= np.maximum(np.sqrt((dense**2).sum(axis=1, keepdims=True)), 1e-6)
        return dense

    if rows <= SIZE:  # the same by the products of rows, of which there are fewer than places
        dense = np.concatenate([batch(at) for at in range(0, rows, _BATCH)])
        inverse = np.linalg.inv(dense @ dense.T + np.eye(rows, dtype=np.float32) * np.float32(_RIDGE))
        wanted = np.eye(int(own.max()) + 1, dtype=np.float32)[own]
        exact: np.ndarray = wanted - inverse @ wanted / np.diag(inverse)[:, None]
        return exact
    gram = np.eye(SIZE, dtype=np.float32) * np.float32(_RIDGE)
    wanted = np.zeros((int(own.max()) + 1, SIZE), np.float32)
    for at in range(0, rows, _BATCH):
        dense = batch(at)
        gram += dense.T @ dense
        np.add.at(wanted, own[at : at + _BATCH], dense)
    inverse = np.linalg.inv(gram)
    weights = inverse @ wanted.T
    scores = np.empty((rows, len(wanted)), np.float32)
    for at in range(0, rows, _BATCH):
        dense = batch(at)
        leverage = ((dense @ inverse) * dense).sum(axis=1)
        given = dense @ weights
        given[np.arange(len(dense)), own[at : at + _BATCH]] -= leverage
        scores[at : at + _BATCH] = given / (1 - leverage)[:, None]
    return scores


def grams(corpus: Corpus, rows: np.ndarray, *, answers: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The hashed n-grams of rows, places under SIZE, one row after another, and how many each has; each counts once.

    Those of the end of the prompt, and with `answers` of the beginning of the answer.
    """
    tasks = [(corpus.offset[rows[at : at + _TASK]], answers) for at in range(0, len(rows), _TASK)]
    found = list(corpus.crew.run(_grams, tasks)) or [(np.empty(0, np.uint16), np.empty(0, np.int64))]
    places, counts = (np.concatenate(parts) for parts in zip(*found))
    return places, counts


def _grams(spool: Spool, offsets: np.ndarray, answers: bool) -> tuple[np.ndarray, np.ndarray]:
    found: list[int] = []
    counts = []
    for offset in offsets.tolist():
        row = Row(spool.example(offset))
        text = f"{row.prompt[-_TAIL:]} {row.answer[:_TAIL]}" if answers else row.prompt[-_TAIL:]
        words = _WORD.findall(text.lower())
        line = f" {' '.join(words)} "
        pieces = {line[at : at + _GRAM] for at in range(len(line) - _GRAM + 1)}
        pieces.update(f"w {word}" for word in words)
        pieces.update(f"p {a} {b}" for a, b in itertools.pairwise(words))
        places = {zlib.crc32(piece.encode("utf-8", "surrogatepass")) % SIZE for piece in pieces}
        found += sorted(places)
        counts.append(len(places))
    return np.array(found, np.uint16), np.array(counts, np.int64)
