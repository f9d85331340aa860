"""Who may attend to whom in a Tree: its rows cut into blocks that share nothing, and a mask for each block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tailor.records import Segment, Tree

Pattern = Callable[[Any, Any, Any, Any], Any]
"""transformers' mask function (batch, head, query position, key position) -> bool: causal, windowed or chunked."""


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """Rows `start:stop` attend among themselves only. `mask` is bool [n, n] (True: sees); None means plain causal."""

    start: int
    stop: int
    mask: Tensor | None


@dataclass(frozen=True, eq=False, slots=True)
class TreeMask:
    """What the attention function receives in place of a mask tensor."""

    blocks: tuple[Block, ...]
    positions: Tensor  # int64 [t]


class Layout:
    """A Tree on a device, and the masks of the patterns its layers ask for, each made once."""

    def __init__(self, tree: Tree, device: torch.device) -> None:
        self.segments = tree.segments
        self.positions = torch.as_tensor(tree.positions, dtype=torch.int64, device=device)
        self.calls = 0  # how often the attention function ran, to notice layers that went around it
        self._bounds = cut(tree.segments)

    def mask(self, pattern: Pattern) -> TreeMask:
        """The blocks under a pattern, which is judged on position ids: ancestors and itself, and what it allows."""
        return TreeMask(tuple(self._block(first, last, pattern) for first, last in self._bounds), self.positions)

    def _block(self, first: int, last: int, pattern: Pattern) -> Block:
        segments = self.segments[first:last]
        start, stop = segments[0].start, segments[-1].start + segments[-1].length
        positions = self.positions[start:stop]
        zero = torch.zeros((), dtype=torch.int64, device=positions.device)
        allowed: Tensor = pattern(zero, zero, positions[:, None], positions[None, :])
        allowed = allowed.expand(stop - start, stop - start)
        if len(segments) > 1:
            allowed = allowed & ancestors(segments, first).to(positions.device)
        elif bool(allowed[-1].all()):  # one segment whose last token sees its first: no window or chunk applies
            return Block(start, stop, None)
        return Block(start, stop, allowed)


def cut(segments: Sequence[Segment]) -> list[tuple[int, int]]:
    """Ranges (first, last + 1) of segments between which no parent link runs: the finest cut into stretches of rows."""
    bounds: list[tuple[int, int]] = []
    stop, reach = len(segments), len(segments)
    for index in range(len(segments) - 1, -1, -1):
        parent = segments[index].parent
        reach = min(reach, index if parent < 0 else parent)
        if reach == index:
            bounds.append((index, stop))
            stop = index
    return bounds[::-1]


def ancestors(segments: Sequence[Segment], first: int = 0) -> Tensor:
    """Bool [n, n] over the rows of the segments: may row i see row j, windows aside?

    Within a segment that is causal order; of an ancestor segment all rows are seen. `first` is the index of
    `segments[0]` in the Tree, by which parents count.
    """
    origin = segments[0].start
    size = segments[-1].start + segments[-1].length - origin
    seen = torch.zeros(size, size, dtype=torch.bool)
    for segment in segments:
        rows = slice(segment.start - origin, segment.start - origin + segment.length)
        if segment.parent >= 0:
            parent = segments[segment.parent - first]
            seen[rows] = seen[parent.start - origin + parent.length - 1]  # the parent's last row sees its whole path
        seen[rows, rows] = torch.ones(segment.length, segment.length, dtype=torch.bool).tril()
    return seen
