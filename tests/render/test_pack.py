"""Trees hold every Datum exactly, within the budget, and no token twice while it can be shared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailor.records import Datum, Source, Tree
from tailor.render.pack import plant


def make(ids: list[int], weights: list[float], group: int = 0, **streams: list[float]) -> Datum:
    arrays = {name: np.array(values, np.float32) for name, values in streams.items()}
    return Datum(np.array(ids, np.int32), np.array(weights, np.float32), group, Source("rows.jsonl", 1), "", arrays)


def path(tree: Tree, segment: int) -> list[int]:
    """Rows from the root to the end of a segment, by walking its parents."""
    if segment < 0:
        return []
    found = tree.segments[segment]
    return [*path(tree, found.parent), *range(found.start, found.start + found.length)]


def segment_of(tree: Tree, row: int) -> int:
    return next(i for i, s in enumerate(tree.segments) if s.start <= row < s.start + s.length)


def check(tree: Tree) -> None:
    """What a Tree promises: parents first, segments side by side, position is depth, Targets spell their Datums."""
    start = 0
    for index, segment in enumerate(tree.segments):
        assert segment.parent < index and segment.start == start and segment.length > 0
        start += segment.length
        rows = path(tree, index)
        assert tree.positions[rows].tolist() == list(range(len(rows)))
    assert start == len(tree) == len(tree.positions)
    targets = tree.targets
    for number, datum in enumerate(tree.datums):
        mine = np.flatnonzero(targets.datums == number)
        at = np.flatnonzero(datum.weights)
        assert targets.tokens[mine].tolist() == datum.ids[at].tolist()
        assert targets.weights[mine].tolist() == datum.weights[at].tolist()
        for name, values in datum.streams.items():
            assert targets.streams[name][mine].tolist() == values[at].tolist()
        for row, place in zip(targets.rows[mine].tolist(), at.tolist(), strict=True):
            rows = path(tree, segment_of(tree, row))
            before = rows[: rows.index(row) + 1]
            assert tree.ids[before].tolist() == datum.ids[:place].tolist()
    assert tree.ids.dtype == tree.positions.dtype == targets.rows.dtype == targets.tokens.dtype == np.int32
    assert targets.weights.dtype == np.float32 and targets.datums.dtype == np.int32


@st.composite
def batches(draw: st.DrawFn) -> list[Datum]:
    """Datums over three tokens, so that prefixes coincide all the time."""
    datums = []
    for _ in range(draw(st.integers(0, 12))):
        ids = draw(st.lists(st.integers(0, 2), min_size=1, max_size=12))
        weights = [0.0, *draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(ids) - 1, max_size=len(ids) - 1))]
        datums.append(make(ids, weights, draw(st.integers(0, 4)), old=[float(i) for i in range(len(ids))]))
    return datums


@settings(max_examples=150, deadline=None)
@given(batches(), st.integers(1, 40), st.booleans())
def test_trees_hold_every_datum_exactly(datums: list[Datum], budget: int, share: bool) -> None:
    trees = plant(datums, budget, share=share)
    for tree in trees:
        check(tree)
        assert len(tree) <= budget or len(tree.datums) == 1
    found = [id(datum) for tree in trees for datum in tree.datums]
    assert sorted(found) == sorted(id(datum) for datum in datums if datum.trained)  # each once
    assert sum(len(tree.targets) for tree in trees) == sum(datum.trained for datum in datums)


@settings(max_examples=100, deadline=None)
@given(batches())
def test_one_tree_computes_each_prefix_once(datums: list[Datum]) -> None:
    """With room for all, the rows are the distinct prefixes that some prediction needs: counted by brute force."""
    trees = plant(datums, 10_000)
    needed = set()
    for datum in datums:
        last = max(np.flatnonzero(datum.weights), default=0)
        needed |= {tuple(datum.ids[: i + 1].tolist()) for i in range(last)}
    assert sum(len(tree) for tree in trees) == len(needed)


def test_without_sharing_every_datum_is_one_segment() -> None:
    datums = [make([1, 2, 3], [0, 0, 1]), make([1, 2, 3], [0, 0, 1]), make([1, 2, 4, 5], [0, 0, 1, 0])]
    (tree,) = plant(datums, 100, share=False)
    assert [(s.parent, s.length) for s in tree.segments] == [(-1, 2)] * 3
    (tree,) = plant(datums, 100)
    assert [(s.parent, s.length) for s in tree.segments] == [(-1, 2)]
    assert tree.targets.rows.tolist() == [1, 1, 1] and tree.targets.tokens.tolist() == [3, 3, 4]


def test_turns_that_rewrite_history_share_their_prefix() -> None:
    """The layout of a conversation whose first turn loses its reasoning (7) in the second turn's history."""
    first = make([1, 2, 7, 3, 9], [0, 0, 1, 1, 1])
    second = make([1, 2, 3, 9, 4, 5, 9], [0, 0, 0, 0, 0, 1, 1])
    (tree,) = plant([second, first], 100)
    assert [(s.parent, s.start, s.length) for s in tree.segments] == [(-1, 0, 2), (0, 2, 4), (0, 6, 2)]
    assert tree.ids.tolist() == [1, 2, 3, 9, 4, 5, 7, 3]
    assert tree.positions.tolist() == [0, 1, 2, 3, 4, 5, 2, 3]
    check(tree)


def test_a_group_stays_together_while_it_fits() -> None:
    system = [1, 1, 1]
    pairs = [make([*system, g, side, side], [0, 0, 0, 0, 1, 1], g) for g in range(10, 16) for side in (2, 3)]
    trees = plant(pairs, 9)
    groups = [{datum.group for datum in tree.datums} for tree in trees]
    assert all(len(tree) <= 9 for tree in trees)
    assert sum(map(len, groups)) == 6  # no group in two trees
    assert [len(tree.datums) for tree in trees] == [
        4,
        4,
        4,
    ]  # 3 shared rows, then 3 a group; the prefix again each time


def test_a_group_over_the_budget_is_split() -> None:
    group = [make([1, 1, 1, i, 5, 5], [0, 0, 0, 0, 1, 1], 0) for i in range(10, 16)]
    trees = plant(group, 8)
    assert sum(len(tree.datums) for tree in trees) == 6 and all(len(tree) <= 8 for tree in trees)
    for tree in trees:
        check(tree)


def test_a_datum_over_the_budget_has_a_tree_of_its_own() -> None:
    trees = plant([make([1] * 50, [0] * 49 + [1]), make([2, 3], [0, 1])], 10)
    assert sorted(len(tree) for tree in trees) == [1, 49]


@pytest.mark.parametrize("share", [True, False])
def test_ten_thousand_datums_are_planted_whole(share: bool) -> None:
    random = np.random.default_rng(0)
    system = random.integers(0, 4000, 40)
    weights = np.repeat(np.float32([0, 1]), [60, 40])
    datums = [
        Datum(
            np.concatenate([system, random.integers(0, 4000, 60)]).astype(np.int32), weights, i, Source("rows.jsonl", i)
        )
        for i in range(10_000)
    ]
    trees = plant(datums, 4096, share=share)
    assert sum(len(tree.targets) for tree in trees) == 400_000
