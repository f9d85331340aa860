"""Rows that are nearly equal, found without comparing each with each.

MinHash signatures (Broder 1997) of the pieces of a text, put in buckets band by band (locality-sensitive hashing),
give pairs that are probably similar; each is then compared exactly (`similarities`). With `BANDS` bands of `WIDTH` a
pair at similarity 0.8 is met with probability 1 - (1 - 0.8^5)^14 = 0.996, one at 0.9 practically always.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from tailor.curate.rows import Row
from tailor.curate.shingles import Pieces, Template, mix
from tailor.curate.spool import Chunk, Crew, Spool

WIDTH = 5
BANDS = 14
SIZE = WIDTH * BANDS
SAMPLE = 4000  # rows that the template is learned from
FEWEST = 8  # pieces that a text has to have left to be compared
LAGS = 24  # rows of one bucket that each is compared with; the rest are joined through the first
SLACK = 0.16  # the estimate from a signature is off by more in one pair of a thousand
PAIRS = 8192  # compared in one go
_ORDERED = 6  # words: shorter texts have too few to tell
_TOGETHER = 1 << 19  # pieces that are sorted together
_HALF = np.uint64(32)
_NONE = np.uint32(0xFFFFFFFF)
_NOTHING = Template(np.empty(0, np.uint64))

Part = Literal["prompt", "answer", "row"]

_FLIPS = (mix(np.arange(1, SIZE + 1, dtype=np.uint64)) >> np.uint64(32)).astype(np.uint32)
_ODD = (mix(np.arange(1001, SIZE + 1001, dtype=np.uint64)) >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


class Pairs(NamedTuple):
    """Pairs of rows, the earlier one first, and how similar they are; sorted."""

    pairs: np.ndarray  # int64 [n, 2]
    similarity: np.ndarray  # float64 [n]

    def clusters(self) -> list[list[int]]:
        """Rows that are joined by pairs, in order; the first of each cluster stands for it."""
        parent: dict[int, int] = {}

        def root(row: int) -> int:
            while (above := parent.setdefault(row, row)) != row:
                parent[row] = row = parent[above]
            return row

        for a, b in self.pairs.tolist():
            a, b = sorted((root(a), root(b)))
            parent[b] = a
        found: dict[int, list[int]] = {}
        for row in sorted(parent):
            found.setdefault(root(row), []).append(row)
        return sorted(found.values())


class Near:
    """Near-equal prompts, and near-equal rows (prompt and answer). Of rows that are equal in it only the first is met;
    texts of less than eight pieces, and those made of few words again and again, are met by none.

    `threshold` is the similarity from which texts count as near. Signatures of a million rows take 560 MB until both
    kinds of pairs are worked out.
    """

    def __init__(
        self, crew: Crew, chunks: Sequence[Chunk], offset: np.ndarray, keys: dict[Part, np.ndarray], threshold: float
    ) -> None:
        self.crew = crew
        self.chunks = chunks
        self.offset = offset
        self.keys = keys
        self.threshold = threshold
        self._signatures: dict[Part, np.ndarray] = {}

    @functools.cached_property
    def prompts(self) -> Pairs:
        """Pairs of rows whose prompts are nearly but not quite equal."""
        return self._pairs("prompt")

    @functools.cached_property
    def rows(self) -> Pairs:
        """Pairs of rows whose prompts and answers together are nearly but not quite equal."""
        return self._pairs("row")

    @functools.cached_property
    def template(self) -> Template:
        """What the rows share, learned from rows taken evenly."""
        _, first = np.unique(self.keys["row"], return_index=True)
        first.sort()
        taken = first[np.linspace(0, len(first) - 1, min(SAMPLE, len(first))).astype(np.intp)] if len(first) else first
        rows = [Row(self.crew.spool.example(int(offset))) for offset in self.offset[taken]]
        return Template.of([f"{row.plain_prompt} {row.plain_answer}" for row in rows])

    # ------------------------------------------------------------------------------------------- signatures

    def _sign(self) -> None:
        """Fills the signatures of prompts and rows."""
        tasks = [(chunk, self.template) for chunk in self.chunks]
        count = len(self.offset)
        self._signatures = {part: np.full((count, SIZE), _NONE) for part in ("prompt", "row")}
        for chunk, (prompts, rows) in zip(self.chunks, self.crew.run(_signed, tasks)):
            self._signatures["prompt"][chunk.start : chunk.start + chunk.count] = prompts
            self._signatures["row"][chunk.start : chunk.start + chunk.count] = rows

    def compare(self, pairs: np.ndarray, part: Part) -> np.ndarray:
        """How similar pairs of rows are in one part, exactly; float64 [n]."""
        tasks = []
        for at in range(0, len(pairs), PAIRS):
            needed, places = np.unique(pairs[at : at + PAIRS], return_inverse=True)
            tasks.append((self.offset[needed], places.reshape(-1, 2), part, self.template))
        return np.concatenate([np.empty(0), *self.crew.run(_compared, tasks)])

    def _pairs(self, part: Part) -> Pairs:
        if not self._signatures:
            self._sign()
        signatures = self._signatures[part]
        _, rows = np.unique(self.keys[part], return_index=True)
        rows = np.sort(rows[(self.keys[part][rows] != 0) & (signatures[rows, 0] != _NONE)])
        candidates = _candidates(signatures, rows, self.threshold - SLACK)
        self._signatures[part] = np.empty((0, SIZE), np.uint32)  # a million of them are 280 MB
        similar = self.compare(candidates, part)
        near = similar >= self.threshold
        return Pairs(candidates[near], similar[near])


def _signed(spool: Spool, chunk: Chunk, template: Template) -> tuple[np.ndarray, np.ndarray]:
    rows = spool.rows(chunk)
    few = np.array([repetitive(row.plain_prompt.split()) for row in rows])
    fewer = np.array([repetitive(row.plain_prompt.split() + row.plain_answer.split()) for row in rows])
    prompts, counts = signatures([row.plain_prompt for row in rows], template)
    answers, more = signatures([row.plain_answer for row in rows], template)
    answers = np.minimum(prompts, answers)
    prompts[(counts < FEWEST) | few] = _NONE
    answers[(counts + more < FEWEST) | fewer] = _NONE
    return prompts, answers


def repetitive(words: Sequence[str]) -> bool:
    """Whether a text is made of few words again and again: then what they say is in their order, which sets forget.

    English of n words has about 2.6 n^0.7 different ones (Heaps' law); half of that is too few.
    """
    return len(words) >= _ORDERED and len(set(words)) < 1.5 * len(words) ** 0.7


def signatures(texts: Sequence[str], template: Template) -> tuple[np.ndarray, np.ndarray]:
    """MinHash signatures of texts, uint32 [n, SIZE], and how many pieces each has left; all ones where none."""
    signed = np.full((len(texts), SIZE), _NONE)
    counts = np.zeros(len(texts), np.int64)
    start = 0
    for pieces in template.pieces(texts):
        filled = np.flatnonzero(pieces.counts)
        if len(filled):
            starts = pieces.starts[filled]
            for k in range(SIZE):
                # A product with an odd number permutes the 32-bit values; without the flip before it zero would stay
                # the least of all and the permutations would agree there.
                signed[start + filled, k] = np.minimum.reduceat((pieces.values ^ _FLIPS[k]) * _ODD[k], starts)
        counts[start : start + len(pieces.counts)] = pieces.counts
        start += len(pieces.counts)
    return signed, counts


# ------------------------------------------------------------------------------------------------ candidates


def _candidates(signatures: np.ndarray, rows: np.ndarray, least: float) -> np.ndarray:
    """Pairs of `rows` that share a band and whose signatures agree in `least` of their places; int64 [n, 2], sorted."""
    count = len(signatures)
    found = [np.empty(0, np.int64)]
    for band in range(BANDS):
        keys = np.zeros(len(rows), np.uint64)
        for column in range(band * WIDTH, (band + 1) * WIDTH):
            keys = mix(keys ^ signatures[rows, column].astype(np.uint64))
        for first, second in _met(keys):
            a, b = rows[first], rows[second]
            for at in range(0, len(a), 1 << 16):
                some = slice(at, at + (1 << 16))
                agree = (signatures[a[some]] == signatures[b[some]]).mean(axis=1)
                close = agree >= least
                found.append(a[some][close] * count + b[some][close])
        if band % 4 == 3:
            found = [np.unique(np.concatenate(found))]
    flat = np.unique(np.concatenate(found))
    return np.stack([flat // max(count, 1), flat % max(count, 1)], axis=1)


def _met(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of places with equal keys, in order: each with the next LAGS of its bucket, and with the first of it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    for lag in range(1, LAGS + 1):
        same = np.flatnonzero(ordered[lag:] == ordered[:-lag])
        if not len(same):
            return
        yield order[same], order[same + lag]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    heads = np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))
    far = np.flatnonzero(np.arange(len(new)) - heads > LAGS)
    yield order[heads[far]], order[far]


# ------------------------------------------------------------------------------------------------ comparing


def _compared(spool: Spool, offsets: np.ndarray, pairs: np.ndarray, part: Part, template: Template) -> np.ndarray:
    """The exact similarity of pairs; `pairs` counts within `offsets`."""
    rows = [Row(spool.example(int(offset))) for offset in offsets]
    texts = []
    if part != "answer":
        texts.append([row.plain_prompt for row in rows])
    if part != "prompt":
        texts.append([row.plain_answer for row in rows])
    left = sets(texts, template)
    return similarities(left, sets(texts, _NOTHING) if part == "prompt" and len(template.runs) else left, pairs)


def sets(texts: Sequence[Sequence[str]], template: Template) -> Pieces:
    """The distinct pieces of each row, sorted; `texts` holds one list of texts, or several that are taken together."""
    keys = []
    for column in texts:
        row = 0
        for found in template.pieces(column):
            of = np.repeat(np.arange(row, row + len(found.counts), dtype=np.uint64), found.counts)
            keys.append((of << _HALF) | found.values)
            row += len(found.counts)
    keys_of_rows = np.sort(np.concatenate(keys)) if keys else np.empty(0, np.uint64)
    distinct = keys_of_rows[np.concatenate([[True], keys_of_rows[1:] != keys_of_rows[:-1]])[: len(keys_of_rows)]]
    counts = np.bincount((distinct >> _HALF).astype(np.intp), minlength=len(texts[0]))
    return Pieces(distinct.astype(np.uint32), np.cumsum(counts) - counts, counts)


def similarities(left: Pieces, whole: Pieces, pairs: np.ndarray) -> np.ndarray:
    """Share of the pieces left of either row that stand in both rows, for each pair; 0 where nothing is left.

    Where nothing was taken off, that is Jaccard's similarity. Else what is left of one row is looked for in the whole
    of the other: a slip of the pen in a run that rows share keeps the rest of that run in one row of the two only.
    """
    union, common = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64)
    ends = np.cumsum(whole.counts[pairs].sum(axis=1))
    at = 0
    while at < len(pairs):
        end = max(at + 1, int(np.searchsorted(ends, _TOGETHER + (ends[at - 1] if at else 0))))
        keys = _keys_of(left, pairs[at:end])
        again = keys[1:] == keys[:-1]
        either = keys[np.concatenate([[True], ~again])[: len(keys)]]
        both = keys[1:][again]
        if whole is not left:
            known = _keys_of(whole, pairs[at:end])
            found = known[1:][known[1:] == known[:-1]]
            both = np.union1d(both, either[np.isin(either, found, assume_unique=True)])
        union[at:end] = np.bincount((either >> _HALF).astype(np.intp), minlength=end - at)
        common[at:end] = np.bincount((both >> _HALF).astype(np.intp), minlength=end - at)
        at = end
    similar: np.ndarray = common / np.maximum(union, 1)
    return similar


def _keys_of(found: Pieces, pairs: np.ndarray) -> np.ndarray:
    """(place of the pair, piece) of both rows of each pair as one number, sorted: twice where both rows have it."""
    rows = pairs.ravel()
    counts = found.counts[rows]
    places = np.repeat(found.starts[rows] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    of = np.repeat(np.arange(len(rows), dtype=np.uint64) >> np.uint64(1), counts)
    return np.sort((of << _HALF) | found.values[places])
