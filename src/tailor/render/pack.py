"""Datums -> Trees: no token computed twice.

Datums that begin with the same tokens share them: they are inserted into a radix tree (Morrison 1968) over token ids,
whose nodes become the segments. Groups are taken in the order of their ids, so that those which share a prefix are
neighbours and meet in one Tree while they fit; where the budget ends a Tree, the prefix is computed again in the next.
A group (the turns of a conversation, the two answers of a pair) is kept in one Tree unless it alone is over the budget,
and where the loss needs all of it, even then.

A row is laid out only where it is the input of some prediction: a Datum's last predicted token is no row, nor is
anything behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tailor.records import Datum, Segment, Targets, Tree


def plant(datums: Sequence[Datum], budget: int, *, share: bool = True, whole: bool = False) -> list[Tree]:
    """Micro-batches of at most `budget` rows; a Datum that alone needs more gets a Tree of its own.

    `share=False` lays every Datum out as one segment, for models that cannot share. `whole=True` never divides a group,
    for losses that compare its Datums: one that alone is over the budget gets a Tree of its own, as a Datum does.
    Datums without a weighted token appear in no Tree. `targets.datums` of a Tree counts its own `datums`.
    """
    trees: list[Tree] = []
    bed = _Bed(share)
    for group in _groups(datums):
        if bed.datums and bed.size + bed.cost(group) > budget:
            trees.append(bed.tree())
            bed = _Bed(share)
        together = whole or bed.cost(group) <= budget
        for item in group:
            if not together and bed.datums and bed.size + bed.cost([item]) > budget:
                trees.append(bed.tree())
                bed = _Bed(share)
            bed.add(item)
    if bed.datums:
        trees.append(bed.tree())
    return trees


@dataclass(frozen=True, eq=False, slots=True)
class _Item:
    """A Datum with the rows it needs: `ids` up to, not including, its last weighted token; `key` orders by ids."""

    datum: Datum
    ids: np.ndarray
    key: bytes


def _groups(datums: Sequence[Datum]) -> list[list[_Item]]:
    """The Datums that have something to predict, by group; groups and their Datums in the order of their ids."""
    groups: dict[int, list[_Item]] = {}
    for datum in datums:
        weighted = np.flatnonzero(datum.weights)
        if len(weighted) and weighted[-1] > 0:
            ids = datum.ids[: weighted[-1]]
            groups.setdefault(datum.group, []).append(_Item(datum, ids, ids.astype(">u4").tobytes()))
    for group in groups.values():
        group.sort(key=lambda item: item.key)
    return sorted(groups.values(), key=lambda group: group[0].key)


@dataclass(eq=False, slots=True)
class _Node:
    """A run of tokens that starts at depth `depth`, with its continuations by their first token."""

    ids: np.ndarray
    depth: int
    children: dict[int, _Node] = field(default_factory=dict)
    datums: list[Datum] = field(default_factory=list)

    def cut(self, length: int) -> _Node:
        """A new node that takes over the first `length` tokens, with this node as its only continuation."""
        upper = _Node(self.ids[:length], self.depth)
        self.ids, self.depth = self.ids[length:], self.depth + length
        upper.children[int(self.ids[0])] = self
        return upper


class _Bed:
    """A Tree while it grows."""

    def __init__(self, share: bool) -> None:
        self.share = share
        self.size = 0
        self.datums = 0
        self.roots: list[dict[int, _Node]] = [{}]  # without sharing, one top for each Datum

    def cost(self, items: Sequence[_Item]) -> int:
        """Rows that these Datums, sorted by their ids, would add."""
        if not self.share:
            return sum(len(item.ids) for item in items)
        total, before = 0, None
        for item in items:
            shared = _agreement(before, item.ids) if before is not None else 0
            total += len(item.ids) - max(shared, self._shared(item.ids))
            before = item.ids
        return total

    def _shared(self, ids: np.ndarray) -> int:
        level, depth = self.roots[0], 0
        while depth < len(ids) and (node := level.get(int(ids[depth]))) is not None:
            same = _agreement(node.ids, ids[depth:])
            depth += same
            if same < len(node.ids):
                break
            level = node.children
        return depth

    def add(self, item: _Item) -> None:
        """Insert one Datum."""
        self.datums += 1
        if not self.share:
            self.roots.append({})
        level, depth = self.roots[-1], 0
        while True:
            first = int(item.ids[depth])
            node = level.get(first)
            if node is None:
                node = level[first] = _Node(item.ids[depth:], depth)
                self.size += len(node.ids)
                break
            same = _agreement(node.ids, item.ids[depth:])
            depth += same
            if depth == len(item.ids):
                break  # this Datum ends inside `node`, whose rows it shares
            if same < len(node.ids):
                level[first] = node = node.cut(same)
            level = node.children
        node.datums.append(item.datum)

    def tree(self) -> Tree:
        """The segments in depth-first order, parents first, and the Targets of every Datum."""
        ids: list[np.ndarray] = []
        positions: list[np.ndarray] = []
        segments: list[Segment] = []
        targets = _Harvest()
        path = np.zeros(0, np.int32)  # the row at each depth of the node being visited
        start = 0
        stack = [(node, -1) for top in reversed(self.roots) for node in reversed(top.values())]
        while stack:
            node, parent = stack.pop()
            length = len(node.ids)
            path = np.concatenate([path[: node.depth], np.arange(start, start + length, dtype=np.int32)])
            ids.append(node.ids)
            positions.append(np.arange(node.depth, node.depth + length, dtype=np.int32))
            segments.append(Segment(parent, start, length))
            for datum in node.datums:
                targets.add(datum, path)
            stack += [(child, len(segments) - 1) for child in reversed(node.children.values())]
            start += length
        return Tree(
            np.concatenate(ids).astype(np.int32, copy=False),
            np.concatenate(positions),
            tuple(segments),
            targets.targets(),
            tuple(targets.datums),
        )


class _Harvest:
    """Collects the Targets of a Tree, Datum by Datum."""

    def __init__(self) -> None:
        self.datums: list[Datum] = []
        self.rows: list[np.ndarray] = []
        self.at: list[np.ndarray] = []

    def add(self, datum: Datum, path: np.ndarray) -> None:
        """Token `i` of the Datum is predicted by the row at depth `i - 1` of its path."""
        at = np.flatnonzero(datum.weights)
        at = at[at > 0]
        self.datums.append(datum)
        self.at.append(at)
        self.rows.append(path[at - 1])

    def targets(self) -> Targets:
        """All of them, in the order of the Datums. The Datums of one Tree hold the same streams."""
        pairs = list(zip(self.datums, self.at, strict=True))
        return Targets(
            rows=np.concatenate(self.rows),
            tokens=np.concatenate([datum.ids[at] for datum, at in pairs]).astype(np.int32, copy=False),
            weights=np.concatenate([datum.weights[at] for datum, at in pairs]).astype(np.float32, copy=False),
            datums=np.repeat(np.arange(len(pairs), dtype=np.int32), [len(at) for at in self.at]),
            streams={
                name: np.concatenate([datum.streams[name][at] for datum, at in pairs])
                for name in self.datums[0].streams
            },
        )


def _agreement(a: np.ndarray, b: np.ndarray) -> int:
    """Length of the longest common prefix."""
    length = min(len(a), len(b))
    differs = a[:length] != b[:length]
    first = int(differs.argmax()) if length else 0
    return first if length and differs[first] else length
