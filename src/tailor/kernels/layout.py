"""Who may attend to whom in a Tree, cut so that attention costs what its rows need and not the square of the Tree.

Each segment is a piece: its own rows ask, the rows on its path from the root and its own answer. On such a path every
row has a position of its own, so causal order by position is all that keeps branches apart, and what a row sees
(everything before it, a window, a chunk) is one span of the path. Pieces of similar size are padded to one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tailor.errors import ModelError
from tailor.records import Segment, Tree

Pattern = Callable[[Any, Any, Any, Any], Any]
"""transformers' mask function (batch, head, query position, key position) -> bool: causal, windowed or chunked."""

WASTE = 1.5  # padded over real area that a batch may have: GEMMs on padding cost less than another call
BLOCK = 256  # queries of a piece on a CPU: few of its scores are masked, and those of a long row are never all held
UNITS = (16, 32)  # queries and keys of a batch are multiples on a CPU: its matrix units take whole tiles
AREA = 2**21  # scores a head that a batch may have: some 64 MB with 16 heads
SLACK = 32_768  # area that may be wasted in any case: about what a call of its own costs on a CPU


@dataclass(frozen=True, eq=False)
class Batch:
    """Pieces of similar size. A short piece repeats its last row: asking, it then sees nothing; answering, nobody sees
    it."""

    queries: Tensor  # int64 [b, q], among the rows that ask
    keys: Tensor  # int64 [b, k], among all rows
    asked: Tensor  # int64 [b], how many of the queries are real
    answered: Tensor  # int64 [b], how many of the keys are
    first: Tensor  # int32 [b, q]: a row sees the places first <= j < last of its keys
    last: Tensor
    plain: bool  # spans are those of causal attention from the first row on, so that nothing needs to be masked

    @cached_property
    def asking(self) -> int:
        """How many rows ask."""
        return int(self.asked.sum())

    @cached_property
    def mask(self) -> Tensor | None:
        """bool [b, 1, q, k], True: sees; None where causal order says it all. Rows that see nothing see the first."""
        if self.plain:
            return None
        places = torch.arange(self.keys.shape[1], device=self.keys.device)
        seen = (places >= self.first[..., None]) & (places < self.last[..., None])
        seen[..., 0] |= self.first == self.last
        return seen[:, None]


@dataclass(frozen=True, eq=False, slots=True)
class TreeMask:
    """What the attention function receives in place of a mask tensor."""

    batches: tuple[Batch, ...]
    places: Tensor  # int64 [rows that ask], where each one's outcome stands in those of the batches, one after another
    positions: Tensor  # int64 [t]


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """Rows of one segment that ask, the rows on their path that may answer, and whether both are a whole root."""

    queries: np.ndarray
    keys: np.ndarray
    root: bool


@dataclass(frozen=True, eq=False, slots=True)
class _Padded:
    """A Batch before a pattern is known."""

    queries: Tensor
    keys: Tensor
    asked: Tensor
    answered: Tensor
    positions: tuple[Tensor, Tensor]  # of both
    roots: bool


class Layout:
    """A Tree on a device, and the masks of the patterns its layers ask for.

    `asking` (bool [t]) keeps only some rows as queries, which are then counted among themselves. `block` cuts the
    queries of a long segment, so that none is compared with many rows behind it.
    """

    def __init__(
        self, tree: Tree, device: torch.device, *, asking: np.ndarray | None = None, block: int | None = None
    ) -> None:
        self.positions = torch.as_tensor(tree.positions, dtype=torch.int64, device=device)
        self.calls = 0  # how often the attention function ran, to notice layers that went around it
        number = np.arange(len(tree)) if asking is None else np.cumsum(asking) - 1
        cut = [
            part
            for segment, path in zip(tree.segments, rows_on_path(tree.segments))
            for part in pieces(segment, path, asking, block)
        ]
        units = (1, 1) if block is None else UNITS
        self._batches: list[_Padded] = []
        places = np.empty(int(number[-1]) + 1, np.int64)
        start = 0
        for group in grouped(cut):
            mine = [cut[index] for index in group]
            asked, answered = (np.array([len(rows) for rows in side]) for side in zip(*_sides(mine)))
            wide, long = (
                -(-int(side.max()) // unit) * unit for side, unit in ((asked, units[0]), (answered, units[1]))
            )
            queries = np.stack([_padded(part.queries, wide) for part in mine])
            keys = np.stack([_padded(part.keys, long) for part in mine])
            positions = tuple(torch.as_tensor(tree.positions[rows], device=device) for rows in (queries, keys))
            tensors = (torch.as_tensor(part, device=device) for part in (number[queries], keys, asked, answered))
            self._batches.append(_Padded(*tensors, positions, all(part.root for part in mine)))  # type: ignore
            for part in mine:
                places[number[part.queries]] = np.arange(start, start + len(part.queries))
                start += wide
        self._places = torch.as_tensor(places, device=device)

    def mask(self, pattern: Pattern) -> TreeMask:
        """The batches under a pattern, which is judged on position ids.

        Raises ModelError where what a row sees has a gap: no model in reach has one.
        """
        return TreeMask(tuple(self._batch(part, pattern) for part in self._batches), self._places, self.positions)

    def _batch(self, part: _Padded, pattern: Pattern) -> Batch:
        zero = torch.zeros((), dtype=torch.int64, device=self.positions.device)
        asking, answering = part.positions
        (_, q), (_, k) = asking.shape, answering.shape
        allowed: Tensor = pattern(zero, zero, asking[:, :, None], answering[:, None, :])
        # Among roots, padding comes after every real row: if no window hides a first key from a last row, the order of
        # rows is all there is to say, and the kernel needs no mask.
        plain = part.roots and bool(allowed[:, -1, 0].all())
        allowed = allowed & (torch.arange(k, device=zero.device) < part.answered[:, None])[:, None]
        count = allowed.sum(-1)
        first = allowed.to(torch.uint8).argmax(-1)
        last = k - allowed.flip(-1).to(torch.uint8).argmax(-1)
        real = torch.arange(q, device=zero.device) < part.asked[:, None]
        if not bool(((last - first == count) | ~real).all()):
            raise ModelError("this model's attention pattern has gaps", fix="use another model")
        first, last = (torch.where(real, side, 0).to(torch.int32) for side in (first, last))
        return Batch(part.queries, part.keys, part.asked, part.answered, first, last, plain)


def rows_on_path(segments: Sequence[Segment]) -> list[np.ndarray]:
    """For each segment the rows from its root to its own last row, by position (int64)."""
    paths: list[np.ndarray] = []
    for segment in segments:
        own = np.arange(segment.start, segment.start + segment.length)
        paths.append(np.concatenate([paths[segment.parent], own]) if segment.parent >= 0 else own)
    return paths


def pieces(segment: Segment, path: np.ndarray, asking: np.ndarray | None, block: int | None) -> Iterator[Piece]:
    """The rows of `segment` that ask, `block` at a time, each time with the path up to the last of them."""
    step = block or segment.length
    for offset in range(0, segment.length, step):
        end = len(path) - segment.length + min(offset + step, segment.length)
        rows = path[len(path) - segment.length + offset : end]
        chosen = rows if asking is None else rows[asking[rows]]
        if len(chosen):
            keys = path[: chosen[-1] - rows[-1] + end]
            yield Piece(chosen, keys, len(chosen) == len(keys))


def grouped(cut: Sequence[Piece]) -> list[list[int]]:
    """Pieces in batches whose padded area stays near the real one; roots by themselves, as they need no mask."""
    groups: list[list[int]] = []
    real = longest = 0
    order = sorted(range(len(cut)), key=lambda i: (not cut[i].root, len(cut[i].keys), len(cut[i].queries)))
    for before, index in zip([-1, *order], order):
        length, width = len(cut[index].queries), len(cut[index].keys)  # widths rise, so this one is the widest
        alike = before >= 0 and cut[before].root == cut[index].root
        padded = (len(groups[-1]) + 1) * max(longest, length) * width if alike else 0
        if alike and padded <= min(AREA, WASTE * (real + length * width) + SLACK):
            groups[-1].append(index)
            real, longest = real + length * width, max(longest, length)
        else:
            groups.append([index])
            real, longest = length * width, length
    return groups


def _sides(cut: Sequence[Piece]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(part.queries, part.keys) for part in cut]


def _padded(rows: np.ndarray, length: int) -> np.ndarray:
    return np.pad(rows, (0, length - len(rows)), mode="edge")
