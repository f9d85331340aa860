"""Who may attend to whom in a Tree, cut so that attention costs what its rows need and not the square of the Tree.

Each segment is a piece: its own rows ask, the rows on its path from the root and its own answer. On such a path every
row has a position of its own, so causal order by position is all that keeps branches apart. Pieces of similar size are
padded to one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tailor.records import Segment, Tree

Pattern = Callable[[Any, Any, Any, Any], Any]
"""transformers' mask function (batch, head, query position, key position) -> bool: causal, windowed or chunked."""

WASTE = 1.5  # padded over real area that a batch may have: GEMMs on padding cost less than another call
SLACK = 32_768  # area that may be wasted in any case: about what a call of its own costs on a CPU


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Pieces of similar size. A short piece repeats its last asking row, and its missing keys are masked."""

    queries: Tensor  # int64 [b, q] rows of the Tree
    keys: Tensor  # int64 [b, k] rows of the Tree
    mask: Tensor | None  # bool [b, 1, q, k], True: sees; None: plain causal


@dataclass(frozen=True, eq=False, slots=True)
class TreeMask:
    """What the attention function receives in place of a mask tensor."""

    batches: tuple[Batch, ...]
    places: Tensor  # int64 [t] where each row's outcome stands in those of the batches, one after another
    positions: Tensor  # int64 [t]


@dataclass(frozen=True, eq=False, slots=True)
class _Pieces:
    """A Batch before a pattern is known."""

    queries: Tensor
    keys: Tensor
    real: Tensor  # bool [b, k]: not padding
    roots: bool


class Layout:
    """A Tree on a device, and the masks of the patterns its layers ask for."""

    def __init__(self, tree: Tree, device: torch.device) -> None:
        self.positions = torch.as_tensor(tree.positions, dtype=torch.int64, device=device)
        self.calls = 0  # how often the attention function ran, to notice layers that went around it
        paths = rows_on_path(tree.segments)
        self._pieces: list[_Pieces] = []
        places = np.empty(len(tree), np.int64)
        start = 0
        for group in grouped(tree.segments, paths):
            widths = np.array([len(paths[index]) for index in group])
            longest = max(tree.segments[index].length for index in group)
            queries = np.stack([_padded(paths[index][-tree.segments[index].length :], longest) for index in group])
            keys = np.stack([_padded(paths[index], widths.max()) for index in group])
            real = np.arange(widths.max()) < widths[:, None]
            roots = all(tree.segments[index].parent < 0 for index in group)
            asking, seen, there = (torch.as_tensor(part, device=device) for part in (queries, keys, real))
            self._pieces.append(_Pieces(asking, seen, there, roots))
            for index in group:
                segment = tree.segments[index]
                places[segment.start : segment.start + segment.length] = np.arange(start, start + segment.length)
                start += longest
        self._places = torch.as_tensor(places, device=device)

    def mask(self, pattern: Pattern) -> TreeMask:
        """The batches under a pattern, which is judged on position ids."""
        return TreeMask(tuple(self._batch(part, pattern) for part in self._pieces), self._places, self.positions)

    def _batch(self, part: _Pieces, pattern: Pattern) -> Batch:
        zero = torch.zeros((), dtype=torch.int64, device=self.positions.device)
        asking, seen = self.positions[part.queries], self.positions[part.keys]
        allowed: Tensor = pattern(zero, zero, asking[:, :, None], seen[:, None, :])
        # Among roots, padding comes after every real row: if no window hides a first key from a last row, the order of
        # rows is all there is to say, and the kernel needs no mask.
        plain = part.roots and bool(allowed[:, -1, 0].all())
        return Batch(part.queries, part.keys, None if plain else (allowed & part.real[:, None, :])[:, None])


def rows_on_path(segments: Sequence[Segment]) -> list[np.ndarray]:
    """For each segment the rows from its root to its own last row, by position (int64)."""
    paths: list[np.ndarray] = []
    for segment in segments:
        own = np.arange(segment.start, segment.start + segment.length)
        paths.append(np.concatenate([paths[segment.parent], own]) if segment.parent >= 0 else own)
    return paths


def grouped(segments: Sequence[Segment], paths: Sequence[np.ndarray]) -> list[list[int]]:
    """Segments in batches whose padded area stays near the real one; roots by themselves, as they need no mask."""
    groups: list[list[int]] = []
    real = longest = 0
    order = sorted(range(len(segments)), key=lambda i: (segments[i].parent >= 0, len(paths[i]), segments[i].length))
    for before, index in zip([-1, *order], order):
        length, width = segments[index].length, len(paths[index])  # widths rise, so this one is the widest
        alike = before >= 0 and (segments[before].parent < 0) == (segments[index].parent < 0)
        padded = (len(groups[-1]) + 1) * max(longest, length) * width if alike else 0
        if alike and padded <= WASTE * (real + length * width) + SLACK:
            groups[-1].append(index)
            real, longest = real + length * width, max(longest, length)
        else:
            groups.append([index])
            real, longest = length * width, length
    return groups


def _padded(rows: np.ndarray, length: int) -> np.ndarray:
    return np.pad(rows, (0, length - len(rows)), mode="edge")
