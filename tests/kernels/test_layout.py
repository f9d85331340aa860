"""Who sees whom, against a walk up the parents."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tailor.kernels.layout import Layout, ancestors, cut
from tailor.records import Segment, Targets, Tree

shapes = st.lists(st.tuples(st.integers(1, 4), st.integers(-1, 5)), min_size=1, max_size=8)


def forest(shape: list[tuple[int, int]]) -> Tree:
    segments: list[Segment] = []
    positions: list[int] = []
    for index, (length, parent) in enumerate(shape):
        parent = min(parent, index - 1)
        depth = positions[segments[parent].start + segments[parent].length - 1] + 1 if parent >= 0 else 0
        segments.append(Segment(parent, len(positions), length))
        positions.extend(range(depth, depth + length))
    none = np.zeros(0, np.int32)
    ids = np.arange(len(positions), dtype=np.int32)
    return Tree(ids, np.array(positions, np.int32), tuple(segments), Targets(none, none, none, none), ())


def sees(tree: Tree, row: int) -> set[int]:
    """Rows on the way from `row` to its root."""
    index = next(i for i, s in enumerate(tree.segments) if s.start <= row < s.start + s.length)
    segment = tree.segments[index]
    found = set(range(segment.start, row + 1))
    while segment.parent >= 0:
        segment = tree.segments[segment.parent]
        found |= set(range(segment.start, segment.start + segment.length))
    return found


@given(shapes)
@settings(max_examples=100, deadline=None)
def test_a_row_sees_its_ancestors_and_itself(shape: list[tuple[int, int]]) -> None:
    tree = forest(shape)
    mask = ancestors(tree.segments)
    for row in range(len(tree)):
        assert set(mask[row].nonzero()[:, 0].tolist()) == sees(tree, row)


@given(shapes, st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_blocks_cover_all_rows_and_lose_nobody_within_the_window(shape: list[tuple[int, int]], window: int) -> None:
    tree = forest(shape)

    def pattern(batch: object, head: object, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return (key <= query) & (key > query - window)

    seen: list[set[int]] = []
    for block in Layout(tree, torch.device("cpu")).mask(pattern).blocks:
        size = block.stop - block.start
        mask = torch.ones(size, size, dtype=torch.bool).tril() if block.mask is None else block.mask
        assert block.start == len(seen)
        seen += [{block.start + int(k) for k in line.nonzero()[:, 0]} for line in mask]
    wanted = [
        {other for other in sees(tree, row) if tree.positions[other] > tree.positions[row] - window}
        for row in range(len(tree))
    ]
    assert seen == wanted


def test_the_cut_is_as_fine_as_it_can_be() -> None:
    parents = [-1, 0, 0, -1, -1, 3, -1, 6, 7]  # 5 hangs on 3 across the root 4
    segments = [Segment(parent, index, 1) for index, parent in enumerate(parents)]
    assert cut(segments) == [(0, 3), (3, 6), (6, 9)]


def test_a_row_alone_needs_no_mask_unless_a_window_is_shorter() -> None:
    layout = Layout(forest([(4, -1), (3, -1), (2, 1)]), torch.device("cpu"))
    causal = layout.mask(lambda b, h, q, k: k <= q)
    assert [block.mask is None for block in causal.blocks] == [True, False]
    windowed = layout.mask(lambda b, h, q, k: (k <= q) & (k > q - 3))
    assert [block.mask is None for block in windowed.blocks] == [False, False]
