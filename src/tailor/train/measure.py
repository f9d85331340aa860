"""What a step costs in memory and time, measured on a stand-in of few layers (`weights/sketch.py`).

The true forward and backward pass runs on forests of a few shapes, with the last layer alone and with two layers of
each kind before it; the differences are what a layer costs. Costs are linear in a Tree's rows, in the area of its
attention and in the rows that carry loss, so that few shapes say all; memory is what the tensors hold that torch makes
meanwhile (`weights/memory.py: Account`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from scipy.optimize import nnls

from tailor.kernels import arena, logprobs, why_not_fast
from tailor.kernels.layout import BLOCK
from tailor.records import Segment, Targets, Tree
from tailor.train import optim
from tailor.train.average import Average
from tailor.weights.allocation import keep_freed_memory
from tailor.weights.cache import KVCache, shareable
from tailor.weights.memory import Account
from tailor.weights.sketch import Sketch, StandIn

SECONDS = 0.3  # the longest pass that is measured; a larger Tree's costs follow from smaller ones
LEAST = 128  # rows below which a pass measures calls, not work
ALONE = 256  # rows of a first look at the speed
REPEATS = 4  # of a pass that is timed; the first makes what is kept for its shapes, and the median of the others counts
BATCH = 32  # rows of a generation step that is measured

Vector = np.ndarray
"""float64 [4]: one, rows, area of attention, rows that carry loss."""


def features(tree: Tree) -> Vector:
    """What the costs of a Tree depend on."""
    area = 0
    for segment in tree.segments:
        first = int(tree.positions[segment.start])
        for start in range(0, segment.length, BLOCK):
            end = min(start + BLOCK, segment.length)
            area += (end - start) * (first + end)
    return np.array([1, len(tree), area, len(np.unique(tree.targets.rows))], float)


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass: bytes kept for the backward pass, most bytes held at once, seconds."""

    kept: int
    peak: int
    forward: float
    seconds: float


@dataclass(frozen=True)
class Line:
    """Linear costs of a part of the model, by the features of a Tree."""

    kept: Vector
    again: Vector  # what is kept where it is checkpointed
    forward: Vector
    seconds: Vector


@dataclass(frozen=True)
class Costs:
    """What the parts of a model cost. `rest` is everything but the layers before the last."""

    rest: Line
    layers: tuple[Line, ...]  # one a kind
    work: Vector  # bytes that a pass needs beside what it keeps, by rows: [at none, a row]
    looking: Vector  # bytes of a forward pass without gradients
    state: float  # bytes of optimiser state, a trained weight
    update: float  # seconds of an update of all trained weights
    making: float  # seconds that a row count costs when it is met for the first time: what is compiled for it
    padded: bool  # whether rows are, so that Trees have few different numbers of them
    slot: float  # bytes of keys and values, a slot, in all layers; 0 where they are not kept that way
    token: float  # seconds of one generation step of BATCH rows
    timed: bool


def forest(rows: int, length: int, share: float, vocabulary: int) -> Tree:
    """Rows in roots of `length`, the last `share` of each carrying loss."""
    starts = range(0, rows, length)
    segments = tuple(Segment(-1, start, min(length, rows - start)) for start in starts)
    positions = np.concatenate([np.arange(segment.length) for segment in segments])
    asking = [
        np.arange(s.start + s.length - max(1, round(share * s.length)), s.start + s.length) for s in segments
    ]  # fmt: skip
    wanted = np.concatenate(asking).astype(np.int32)
    draw = np.random.default_rng(0)
    ids = draw.integers(0, vocabulary, rows).astype(np.int32)
    owner = np.repeat(np.arange(len(segments), dtype=np.int32), [len(part) for part in asking])
    tokens = draw.integers(0, vocabulary, len(wanted)).astype(np.int32)
    targets = Targets(wanted, tokens, np.ones(len(wanted), np.float32), owner)
    return Tree(ids, positions.astype(np.int32), segments, targets, ())


class Meter:
    """Runs passes of a stand-in."""

    def __init__(self, sketch: Sketch, *, reference: bool) -> None:
        self.sketch = sketch
        self.weight_bytes, self.trained = sketch.weight_bytes, sketch.trained
        self.kind = sketch.kind
        self.reference = reference
        self.account = Account()
        keep_freed_memory()
        with self.account:
            self.stand: StandIn = sketch.stand_in()
        self.loaded = self.stand.loaded

    def run(self, places: Sequence[int], tree: Tree, *, again: int = 0, timed: bool = True) -> Pass:
        """What a pass keeps and holds and, where it is to be `timed`, how long it takes."""
        self.loaded.model.train()
        with self.stand.only(places):
            clocked = [self._clocked(tree, again) for _ in range(REPEATS if timed else 0)][1:]
            forward, seconds = (median(times) for times in zip(*clocked)) if clocked else (0.0, 0.0)
            with self.account, arena.bypassed():
                before = self.account.peak = self.account.live
                loss = self._loss(tree, again)
                kept = self.account.live - before
                loss.backward()  # type: ignore[no-untyped-call]
                peak = self.account.peak - before
        return Pass(kept, peak, forward, seconds)

    def making(self, places: Sequence[int], tree: Tree) -> float:
        """Seconds that the first pass of a Tree with as many rows takes longer than the second."""
        self.loaded.model.train()
        with self.stand.only(places):
            (_, first), (_, second) = (self._clocked(tree, 0) for _ in range(2))
        return max(0.0, first - second)

    def _clocked(self, tree: Tree, again: int) -> tuple[float, float]:
        """Seconds of a forward pass, and of it with its backward pass."""
        start = self._now()
        loss = self._loss(tree, again)
        middle = self._now()
        loss.backward()  # type: ignore[no-untyped-call]
        return middle - start, self._now() - start

    def _now(self) -> float:
        if self.loaded.device.type == "cuda":
            torch.cuda.synchronize(self.loaded.device)
        return time.perf_counter()

    def warm(self, places: Sequence[int], tree: Tree) -> None:
        """The first pass of these layers, after which weights lie as kernels want them."""
        self.loaded.model.train()
        with self.stand.only(places), self.account, arena.bypassed():
            self._loss(tree, 0).backward()  # type: ignore[no-untyped-call]

    def look(self, places: Sequence[int], tree: Tree) -> int:
        """Most bytes of a pass without gradients."""
        self.loaded.model.eval()
        with torch.no_grad(), self.stand.only(places), self.account, arena.bypassed():
            before = self.account.peak = self.account.live
            self._loss(tree, 0)
        return self.account.peak - before

    def _loss(self, tree: Tree, again: int) -> torch.Tensor:
        with self.loaded.autocast():
            values = logprobs(self.loaded.model, tree, reference=self.reference, again=again)
        return values.sum()

    def update(self, plan: optim.Plan) -> tuple[float, float]:
        """(bytes of optimiser state a trained weight, seconds of an update of all of the stand-in's)."""
        parameters = self.loaded.trainable()
        for parameter in parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        optimizer = optim.make(self.loaded, plan)
        average = Average(optimizer, plan.average)
        optimizer.step()
        average.update(1)
        start = self._now()
        torch.nn.utils.clip_grad_norm_(parameters.values(), plan.max_grad_norm)
        optimizer.step()
        average.update(2)
        seconds = self._now() - start
        tensors = [v for held in optimizer.state.values() for v in held.values() if isinstance(v, torch.Tensor)]
        for parameter in parameters.values():
            parameter.grad = None
        count = sum(parameter.numel() for parameter in parameters.values())
        return sum(tensor.nbytes for tensor in tensors) / count, seconds / count

    @torch.no_grad()
    def generate(self, places: Sequence[int]) -> tuple[float, float]:
        """(bytes of keys and values a slot, seconds of a step of BATCH rows) with these layers; 0 bytes where the
        model's past is no list of keys and values."""
        self.loaded.model.eval()
        with self.stand.only(places), self.loaded.autocast():
            kept = shareable(self.loaded.model)
            cache = KVCache() if kept else None
            ids = torch.zeros(BATCH, 1, dtype=torch.int64, device=self.loaded.device)
            clocked = []
            for position in range(REPEATS):
                start = self._now()
                self.loaded.model(
                    input_ids=ids, position_ids=torch.full_like(ids, position), past_key_values=cache, use_cache=kept
                )
                clocked.append(self._now() - start)
        return (cache.bytes / (REPEATS * BATCH) if cache is not None else 0.0), min(clocked)


def measure(meter: Meter, like: Vector, plan: optim.Plan, *, timed: bool) -> Costs:
    """The costs of a model whose largest Trees have features `like`. Without `timed`, memory alone, on small Trees."""
    share = min(1.0, max(like[3] / like[1], 1 / like[1]))
    length = _length(like)
    small = forest(ALONE, ALONE, share, meter.loaded.vocabulary)
    for group in meter.stand.groups:
        meter.warm(group, small)
    rows = _affordable(meter, small, int(like[1])) if timed else int(min(like[1], 2 * LEAST))
    shapes = _shapes(rows, min(length, rows), share)
    trees = [forest(*shape, meter.loaded.vocabulary) for shape in shapes]
    design = np.stack([features(tree) for tree in trees])

    alone = [meter.run((), tree, timed=timed) for tree in trees]
    lines, together = [], []
    for group in meter.stand.groups:
        passes = [meter.run(group, tree, timed=timed) for tree in trees]
        again = [meter.run(group, tree, again=len(group), timed=False) for tree in trees]
        lines.append(_line(design, passes, again, alone, len(group)))
        together.append(passes)
    rest = _line(design, alone, alone, None, 1)
    work = _by_rows(design, [max((p[i].peak - p[i].kept for p in together or [alone]), default=0) for i in (0, 1)])
    every = [place for group in meter.stand.groups for place in group]
    looking = _by_rows(design, [meter.look(every, trees[i]) for i in (0, 1)])
    new = [forest(rows * eighths // 8, min(length, rows), share, meter.loaded.vocabulary) for eighths in (7, 6, 5)]
    making = median(meter.making(every, tree) for tree in new) if timed else 0.0
    state, update = meter.update(plan)
    slot, token = _generation(meter, timed)
    fast = not meter.reference and not why_not_fast(meter.loaded.model)
    return Costs(rest, tuple(lines), work, looking, state, update * meter.trained, making, fast, slot, token, timed)


def _generation(meter: Meter, timed: bool) -> tuple[float, float]:
    alone, total = np.array(meter.generate(())), np.zeros(2)
    for number, group in enumerate(meter.stand.groups):
        total += (np.array(meter.generate(group)) - alone) / len(group) * meter.kind.count(number)
    slot, token = alone + total
    return float(slot), float(max(token, 0.0)) if timed else 0.0


def _affordable(meter: Meter, small: Tree, wanted: int) -> int:
    """Rows of the largest Tree that is measured: all that are `wanted`, if they take no longer than SECONDS."""
    every = [place for group in meter.stand.groups for place in group]
    seconds = meter.run(every, small).seconds
    return max(min(wanted, LEAST), min(wanted, int(len(small) * SECONDS / seconds)))


def _length(like: Vector) -> int:
    """The length of roots whose attention has the same area a row as `like`."""
    mean = float(like[2] / like[1])
    return max(2, round(mean if mean <= BLOCK else 2 * mean - BLOCK))


def _shapes(rows: int, length: int, share: float) -> list[tuple[int, int, float]]:
    """(rows, length of roots, share that carries loss) of four forests whose features are independent."""
    half = max(2, rows // 2)
    other_length = max(2, length // 4) if 4 * length > rows else 4 * length
    other_share = share / 2 if share > 0.5 else min(1.0, 2 * share)
    return [
        (half, min(length, half), share),
        (rows, length, share),
        (rows, other_length, share),
        (rows, length, other_share),
    ]


def _line(
    design: np.ndarray, passes: Sequence[Pass], again: Sequence[Pass], without: Sequence[Pass] | None, count: int
) -> Line:
    """The costs of one of `count` layers, by what passes cost more than those `without` them."""

    def fit(passes: Sequence[Pass], name: str) -> Vector:
        values = np.array([getattr(one, name) for one in passes], float)
        if without is not None:
            values -= [getattr(one, name) for one in without]
        scale = design.max(0)
        return nnls(design / scale, np.maximum(values, 0) / count)[0] / scale  # type: ignore[no-any-return]

    return Line(fit(passes, "kept"), fit(again, "kept"), fit(passes, "forward"), fit(passes, "seconds"))


def _by_rows(design: np.ndarray, values: Sequence[float]) -> Vector:
    """A line through the first two measurements, by rows; it never falls."""
    slope = max(0.0, (values[1] - values[0]) / max(1.0, design[1][1] - design[0][1]))
    return np.array([max(0.0, values[1] - slope * design[1][1]), slope])
