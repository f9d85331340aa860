"""Texts -> sets of five-byte pieces, many texts at once, what all texts share taken off before.

Two texts are as similar as the share of pieces that they have in common (Jaccard). In data made with a prompt template
most pieces of every row are the template's: on one tool-use set that calls 83% of the rows near duplicates. So runs of
`RUN` words that stand in `SHARED` of the rows or more are taken off first.

Texts are as `rows.plain` leaves them: words divided by one space, no line ends. Everything is UTF-8 bytes, so that
NumPy handles a batch as one array.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

PIECE = 5  # bytes; shorter ones are common to all English, longer ones make a typo cost too much
RUN = 6  # words: long enough that only what was copied repeats, short enough to see a one-line instruction
SHARED = 0.05  # of the rows; rarer templates leave near duplicates of their own
FEWEST = 8  # rows that a run has to stand in, whatever the share
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
    """The runs of words that rows share."""

    def __init__(self, runs: np.ndarray) -> None:
        self.runs = runs  # sorted uint64 hashes
        self._table = np.zeros(1 << 16, np.bool_)  # says at once of most runs that they are none of these
        self._table[(runs >> np.uint64(48)).astype(np.intp)] = True

    @classmethod
    def of(cls, texts: Sequence[str]) -> Template:
        """What these texts share; they should be all different, and a few thousand at most."""
        seen = [np.empty(0, np.uint64)]
        for batch in batches(texts):
            runs, rows = _Words(batch).runs()
            order = np.lexsort((rows, runs))
            runs, rows = runs[order], rows[order]
            again = (runs[1:] == runs[:-1]) & (rows[1:] == rows[:-1])
            seen.append(runs[np.concatenate([[True], ~again])[: len(runs)]])
        runs, counts = np.unique(np.concatenate(seen), return_counts=True)
        return cls(runs[counts >= max(FEWEST, SHARED * len(texts))])

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
        """The texts without the words that stand in a shared run."""
        if not len(self.runs):
            return data
        words = _Words(data)
        runs, _ = words.runs(every=True)
        maybe = np.flatnonzero(self._table[(runs >> np.uint64(48)).astype(np.intp)])
        places = np.minimum(np.searchsorted(self.runs, runs[maybe]), len(self.runs) - 1)
        hits = maybe[(self.runs[places] == runs[maybe]) & words.whole[maybe]]
        if not len(hits):
            return data
        edges = np.zeros(len(words.starts) + 1, np.int64)
        np.add.at(edges, hits, 1)
        np.add.at(edges, hits + RUN, -1)
        keep = np.ones(len(data), np.bool_)
        keep[words.starts[0] :] = np.repeat(np.cumsum(edges[:-1]) == 0, words.spans)
        left: np.ndarray = data[keep | (data == _END)]
        return left


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
