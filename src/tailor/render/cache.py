"""Tokenised rows kept between runs, so that a large data set is tokenised once.

One file a batch of new rows, written whole or not at all and never changed, so several runs may share a folder. A file
holds plain arrays behind a checksum and nothing that could run; a damaged one is left aside and its rows are tokenised
again. Layout, little-endian:

    16 bytes  b"tailor rows 1\\n" and two zero bytes
    16 bytes  blake2b of all that follows
    int64[4]  number of rows r, Datums d, spans s, tokens t
    bytes[16 r]  keys              uint32[r]  Datums a row
    uint32[d]    tokens a Datum    uint32[d]  spans a Datum (runs of equal weight)
    uint32[s]    tokens a span     float32[s] weight of a span     uint32[t] ids
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tailor.disk import write_atomic

MAGIC = b"tailor rows 1\n\0\0"
HEAD = len(MAGIC) + 16

Pairs = list[tuple[np.ndarray, np.ndarray]]
"""(ids int32 [n], weights float32 [n]) of each Datum of a row."""


class RowCache:
    """Rows of one Renderer (its `fingerprint`) in a folder, or only in memory: `get`, `put`, then `save`."""

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self._kept: dict[bytes, tuple[_Page, int]] = {}
        self._new: dict[bytes, Pairs] = {}
        for path in sorted(folder.glob(f"{fingerprint}-*.rows")) if folder else ():
            page = _Page.read(path)
            if page is not None:
                self._kept |= {key: (page, row) for row, key in enumerate(page.keys)}

    def get(self, key: bytes) -> Pairs | None:
        """What was put under `key`, in this run or an earlier one."""
        if key in self._new:
            return self._new[key]
        found = self._kept.get(key)
        return found[0].row(found[1]) if found else None

    def put(self, key: bytes, pairs: Pairs) -> None:
        """Keep a row; `key` is the 16-byte hash of its content."""
        self._new[key] = pairs

    def save(self) -> None:
        """Write the new rows as one more file. Raises ResourceError where the folder cannot be written."""
        if self._new and self.folder:
            body = _pack(self._new)
            digest = hashlib.blake2b(body, digest_size=16)
            name = f"{self.fingerprint}-{digest.hexdigest()}.rows"
            write_atomic(self.folder / name, MAGIC + digest.digest() + body)


class _Page:
    """One file, its columns mapped into memory."""

    def __init__(self, body: np.ndarray) -> None:
        """Raises ValueError where the columns do not add up."""
        rows, datums, spans, tokens = (int(n) for n in body[:32].view("<i8"))
        sizes = (16 * rows, 4 * rows, 4 * datums, 4 * datums, 4 * spans, 4 * spans, 4 * tokens)
        if 32 + sum(sizes) != len(body):
            raise ValueError("columns do not fill the file")
        keys, per_row, lengths, runs, self.run_lengths, self.run_weights, self.ids = (
            body[end - size : end].view(kind)
            for size, end, kind in zip(
                sizes, 32 + np.cumsum(sizes), ("u1", "<u4", "<u4", "<u4", "<u4", "<f4", "<u4"), strict=True
            )
        )
        blob = keys.tobytes()
        self.keys = [blob[i : i + 16] for i in range(0, len(blob), 16)]
        self.first_datum, self.first_token, self.first_run = (
            np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]) for counts in (per_row, lengths, runs)
        )

    @classmethod
    def read(cls, path: Path) -> _Page | None:
        """None where the file is damaged."""
        try:
            data = np.memmap(path, np.uint8, "r")
            if data[: len(MAGIC)].tobytes() != MAGIC:
                return None
            if hashlib.blake2b(data[HEAD:].data, digest_size=16).digest() != data[len(MAGIC) : HEAD].tobytes():
                return None
            return cls(data[HEAD:])
        except (OSError, ValueError):
            return None

    def row(self, index: int) -> Pairs:
        """The Datums of one row."""
        pairs: Pairs = []
        for datum in range(self.first_datum[index], self.first_datum[index + 1]):
            ids = self.ids[self.first_token[datum] : self.first_token[datum + 1]].astype(np.int32)
            runs = slice(self.first_run[datum], self.first_run[datum + 1])
            pairs.append((ids, np.repeat(self.run_weights[runs], self.run_lengths[runs]).astype(np.float32)))
        return pairs


def _pack(rows: dict[bytes, Pairs]) -> bytes:
    pairs = [pair for row in rows.values() for pair in row]
    runs = [_runs(weights) for _, weights in pairs]
    columns = (
        _column([len(row) for row in rows.values()]),
        _column([len(ids) for ids, _ in pairs]),
        _column([len(lengths) for lengths, _ in runs]),
        _joined([lengths for lengths, _ in runs], "<u4"),
        _joined([weights for _, weights in runs], "<f4"),
        _joined([ids for ids, _ in pairs], "<u4"),
    )
    counts = np.array([len(rows), len(pairs), len(columns[3]) // 4, len(columns[5]) // 4], "<i8")
    return counts.tobytes() + b"".join(rows) + b"".join(columns)


def _runs(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lengths, weights) of the runs of equal weight."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(weights)) + 1, [len(weights)]])
    lengths = np.diff(edges)
    return lengths[lengths > 0], weights[edges[:-1]] if len(weights) else weights


def _column(values: Sequence[int]) -> bytes:
    return np.array(values, "<u4").tobytes()


def _joined(arrays: Sequence[np.ndarray], kind: str) -> bytes:
    return np.concatenate(arrays).astype(kind).tobytes() if arrays else b""
