"""Who sees whom, against a walk up the parents."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tailor.kernels import layout
from tailor.kernels.layout import Layout, TreeMask, grouped, pieces, rows_on_path
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


def seen_by_each(mask: TreeMask, rows: int) -> list[set[int]]:
    """What every row sees, read from the batches as the attention function does."""
    outcome: list[set[int]] = []
    for batch in mask.batches:
        for number, (queries, keys) in enumerate(zip(batch.queries.tolist(), batch.keys.tolist())):
            for at in range(len(queries)):
                flags = [key <= at for key in range(len(keys))] if batch.mask is None else batch.mask[number, 0, at]
                outcome.append({key for key, flag in zip(keys, flags) if flag})
    return [outcome[place] for place in mask.places.tolist()]


@given(shapes, st.integers(1, 6), st.sampled_from([0, 10**6]))
@settings(max_examples=100, deadline=None)
def test_a_row_sees_its_ancestors_and_itself_within_the_window(
    shape: list[tuple[int, int]], window: int, slack: int
) -> None:
    tree = forest(shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "SLACK", slack)
        mask = Layout(tree, torch.device("cpu")).mask(lambda b, h, q, k: (k <= q) & (k > q - window))
    for row, seen in enumerate(seen_by_each(mask, len(tree))):
        assert seen == {r for r in sees(tree, row) if tree.positions[r] > tree.positions[row] - window}


def test_roots_need_no_mask_unless_a_window_is_shorter() -> None:
    found = Layout(forest([(4, -1), (3, -1), (2, 1)]), torch.device("cpu"))
    causal = found.mask(lambda b, h, q, k: k <= q)
    assert [batch.mask is None for batch in causal.batches] == [True, False]
    windowed = found.mask(lambda b, h, q, k: (k <= q) & (k > q - 3))
    assert [batch.mask is None for batch in windowed.batches] == [False, False]


def test_padding_stays_within_its_bound() -> None:
    draw = np.random.default_rng(0)
    shape = [(30, -1)] + [(int(length), 0) for length in draw.integers(1, 400, 60)]
    tree = forest(shape)
    cut = [part for pair in zip(tree.segments, rows_on_path(tree.segments)) for part in pieces(*pair, None, None)]
    groups = grouped(cut)
    assert sorted(index for group in groups for index in group) == list(range(len(shape)))
    assert len(groups) < 15
    real = sum(length * (length + 30 * (parent == 0)) for length, parent in shape)
    padded = sum(
        len(group) * max(shape[i][0] for i in group) * max(shape[i][0] + 30 * (i > 0) for i in group)
        for group in groups
    )
    assert padded < layout.WASTE * real + len(groups) * layout.SLACK
    assert padded < len(tree) ** 2 / 10  # one mask over the whole Tree
