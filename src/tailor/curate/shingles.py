"""Texts -> sets of five-byte pieces, many texts at once, what all texts share taken off before.

Two texts are as similar as the share of pieces that they have in common (Jaccard). In data made with a prompt template
most pieces of every row are the template's: on one tool-use set that calls 83% of the rows near duplicates. So runs of
`RUN` words that stand in `SHARED` of the rows or more are taken off first, but for words behind or before a template
that others could stand for (many questions begin with "calculate the"); and the first words, three and more but no
run, that `COMMON` of the rows begin with.

Texts are as `rows.plain` leaves them: words divided by one space, no line ends. Everything is UTF-8 bytes, so that
NumPy handles a batch as one array.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

PIECE = 5  # bytes; shorter ones are common to all English, longer ones make a typo cost too much
RUN = 6  # words: long enough that only what was copied repeats, short enough to see a one-line instruction
SHARED = 0.05  # of the rows; rarer templates leave near duplicates of their own
FEWEST = 8  # rows that a run has to stand in, whatever the share
STEADY = 0.5  # share of what follows five words that shared runs must make up: less, and it is no template that goes on
COMMON = 0.5  # of the rows; no question begins so often in the same way
BATCH = 1 << 18  # bytes: what is worked on fits a core's cache

_mask = (1 << 64) - 1
_random = [(0x9E3779B97F4A7C15 * (k + 1) ^ 0xD1B54A32D192ED03 * (k + 7)) & _mask | 1 for k in range(80)]
_PLACES = np.array(_random[:64], np.uint64)  # of a byte in its word
_WORDS = np.array(_random[64:], np.uint64)  # of a word in its run
_SPACE, _END = 32, 10


def mix(values: np.ndarray) -> np.ndarray:
    """Spreads uint64 values over all bits (the finaliser of SplitMix64)."""
    mixed: np.ndarray = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


class Pieces(NamedTuple):
    """The pieces of some texts: text i has `values[starts[i] : starts[i] + counts[i]]`, in order, repeats included."""

    values: np.ndarray  # uint32 hashes
    starts: np.ndarray
    counts: np.ndarray


class Template:
    """What rows share: runs of words, sorted uint64 hashes; and the words that they begin with."""

    def __init__(self, runs: np.ndarray, start: str = "") -> None:
        self.runs = runs
        self.start = np.frombuffer(f"{start} ".encode() if start else b"", np.uint8)
        self._table = np.zeros(1 << 16, np.bool_)  # says at once of most runs that they are none of these
        self._table[(runs >> np.uint64(48)).astype(np.intp)] = True

    @classmethod
    def of(cls, texts: Sequence[str]) -> Template:
        """What these texts share; they should be all different, and a few thousand at most."""
        runs, counts, within = _counted(texts)
        often = counts >= max(FEWEST, SHARED * len(texts))
        return cls(np.sort(runs[often][_steady(counts[often], within[often])]), _start(texts))

    def pieces(self, texts: Sequence[str]) -> Iterator[Pieces]:
        """The pieces of what is left of each text, batch by batch."""
        for batch in batches(texts):
            yield _pieces(self._stripped(batch))

    def runs_of(self, texts: Sequence[str], length: int) -> tuple[np.ndarray, np.ndarray]:
        """(hash, text) of every run of `length` words in what is left of each text."""
        runs, rows = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        before = 0
        for batch in batches(texts):
            stripped = self._stripped(batch)
            found, places = _Words(stripped, length).runs()
            runs.append(found)
            rows.append(places + before)
            before += int(np.count_nonzero(stripped == _END))
        return np.concatenate(runs), np.concatenate(rows)

    def _stripped(self, data: np.ndarray) -> np.ndarray:
        """The texts without the words that they begin with, and without those that stand in a shared run."""
        if not len(self.runs):
            return self._begun(data)
        words = _Words(data)
        runs, _ = words.runs(every=True)
        maybe = np.flatnonzero(self._table[(runs >> np.uint64(48)).astype(np.intp)])
        places = np.minimum(np.searchsorted(self.runs, runs[maybe]), len(self.runs) - 1)
        hits = maybe[(self.runs[places] == runs[maybe]) & words.whole[maybe]]
        if not len(hits):
            return self._begun(data)
        edges = np.zeros(len(words.starts) + 1, np.int64)
        np.add.at(edges, hits, 1)
        np.add.at(edges, hits + RUN, -1)
        keep = np.ones(len(data), np.bool_)
        keep[words.starts[0] :] = np.repeat(np.cumsum(edges[:-1]) == 0, words.spans)
        return self._begun(data[keep | (data == _END)])

    def _begun(self, data: np.ndarray) -> np.ndarray:
        length = len(self.start)
        if not length or len(data) <= length:
            return data
        starts = np.concatenate([[0], np.flatnonzero(data[:-1] == _END) + 1])
        starts = starts[starts <= len(data) - length]
        found = starts[(data[starts[:, None] + np.arange(length)] == self.start).all(axis=1)]
        keep = np.ones(len(data), np.bool_)
        keep[(found[:, None] + np.arange(length)).ravel()] = False
        left: np.ndarray = data[keep]
        return left


def _counted(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The runs of RUN words of texts: hash, in how many texts it stands, and of each of the two runs of one word less
    within it, the first and the last, the hash and in how many texts that stands; uint64, int64, uint64 [n, 2, 2]."""
    long, short, rows = [np.empty(0, np.uint64)], [np.empty((0, 2), np.uint64)], [np.empty(0, np.int64)]
    part, part_rows = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    before = 0
    for batch in batches(texts):
        words, less = _Words(batch), _Words(batch, RUN - 1)
        found, places = words.runs(every=True)
        whole = words.whole[: len(found)]
        pieces, of = less.runs(every=True)
        long.append(found[whole])
        short.append(np.stack([pieces[:-1], pieces[1:]], axis=1)[whole])
        rows.append(places[whole] + before)
        part.append(pieces[less.whole[: len(pieces)]])
        part_rows.append(of[less.whole[: len(pieces)]] + before)
        before += int(np.count_nonzero(batch == _END))
    runs, first, counts = _in_texts(np.concatenate(long), np.concatenate(rows))
    parts, _, often = _in_texts(np.concatenate(part), np.concatenate(part_rows))
    ends = np.concatenate(short)[first]
    within = np.stack([ends, often[np.searchsorted(parts, ends)].astype(np.uint64)], axis=2)
    return runs, counts, within


def _in_texts(runs: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each different run, a place where it stands, and in how many texts it does."""
    order = np.lexsort((rows, runs))
    again = (np.diff(runs[order]) == 0) & (np.diff(rows[order]) == 0)
    once = order[np.concatenate([[True], ~again])[: len(order)]]
    found, first, counts = np.unique(runs[once], return_index=True, return_counts=True)
    return found, once[first], counts


def _steady(counts: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Which shared runs are the template's to the first and to the last word, bool [n].

    Behind a template anything may follow. The run that goes one word beyond it is shared where many texts go on in the
    same way; but then shared runs make up little of what follows the five words before. It is none, and none is the
    run that follows on it; the same backwards.
    """
    keep = np.ones(len(counts), np.bool_)
    for side in (0, 1):
        here, there = within[:, side, 0].tolist(), within[:, 1 - side, 0].tolist()
        covered: Counter[int] = Counter()
        for five, count in zip(here, counts.tolist()):
            covered[five] += count
        steady = np.array([covered[five] for five in here], np.float64) >= STEADY * within[:, side, 1]
        for _ in range(len(counts)):
            led = {five for five, holds in zip(there, steady) if holds}
            behind = set(there)
            still = steady & np.array([five not in behind or five in led for five in here], np.bool_)
            if (still == steady).all():
                break
            steady = still
        keep &= steady
    return keep


def _start(texts: Sequence[str]) -> str:
    """The words, three and more but fewer than a run, that COMMON of the texts begin with."""
    firsts = [text.split(" ", RUN)[: RUN - 1] for text in texts]
    for length in range(RUN - 1, 2, -1):
        start, count = Counter(" ".join(words[:length]) for words in firsts).most_common(1)[0] if firsts else ("", 0)
        if count >= max(FEWEST, COMMON * len(texts)):
            return start
    return ""


def batches(texts: Sequence[str]) -> Iterator[np.ndarray]:
    """The bytes of the texts, each ended by a line end, about BATCH of them at a time."""
    held: list[bytes] = []
    size = 0
    for text in texts:
        held.append(text.encode("utf-8", "surrogatepass"))
        size += len(held[-1]) + 1
        if size >= BATCH:
            yield _joined(held)
            held, size = [], 0
    if held:
        yield _joined(held)


def _joined(texts: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"\n".join(texts) + b"\n", np.uint8)


class _Words:
    """The words of a batch: where each starts, the bytes up to the next, and whether a run from it ends in its text."""

    def __init__(self, data: np.ndarray, length: int = RUN) -> None:
        self.length = length
        ends = data == _END
        apart = ends | (data == _SPACE)
        first = ~apart
        first[1:] &= apart[:-1]
        self.starts = np.flatnonzero(first)
        self.spans = np.diff(self.starts, append=len(data))
        self.rows = np.cumsum(ends)[self.starts]
        self.whole = np.zeros(len(self.starts), np.bool_)
        if len(self.starts) >= length:
            self.whole[: 1 - length] = self.rows[: 1 - length] == self.rows[length - 1 :]
        self._data, self._apart = data, apart

    def runs(self, *, every: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """(hash, text) of the run of words from each word on; with `every` also of those that leave their text."""
        count = len(self.starts) - self.length + 1
        if count < 1:
            return np.empty(0, np.uint64), np.empty(0, np.int64)
        begin = self.starts[0]
        values = np.where(self._apart[begin:], 0, self._data[begin:]).astype(np.uint64)
        place = np.arange(len(values)) - np.repeat(self.starts - begin, self.spans)
        values *= _PLACES[np.minimum(place, len(_PLACES) - 1)]
        words = mix(np.add.reduceat(values, self.starts - begin))
        runs = np.zeros(count, np.uint64)
        for k in range(self.length):
            runs += words[k : k + count] * _WORDS[k]
        runs = mix(runs)
        if every:
            return runs, self.rows[:count]
        whole = self.whole[:count]
        return runs[whole], self.rows[:count][whole]


def _pieces(data: np.ndarray) -> Pieces:
    ends = np.flatnonzero(data == _END)
    inside = np.ones(len(data), np.bool_)
    for back in range(PIECE):
        inside[np.maximum(ends - back, 0)] = False
    trailing = ends[(ends > 0) & (data[ends - 1] == _SPACE)]  # the space behind a last word that was taken off
    inside[np.maximum(trailing - PIECE, 0)] = False
    wide = np.concatenate([data, np.zeros(PIECE, np.uint8)]).astype(np.uint64)
    values = wide[: len(data)].copy()
    for k in range(1, PIECE):
        values |= wide[k : k + len(data)] << np.uint64(8 * k)
    values = (values[inside] * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(29)
    before = np.concatenate([[0], np.cumsum(inside)[ends]])
    return Pieces(values.astype(np.uint32), before[:-1], np.diff(before))
