"""Attention of pieces, each way of computing it, against its definition on one branch at a time in float64."""

from __future__ import annotations

import ctypes
import threading

import pytest
import torch
from torch import Tensor

from tailor.kernels import native, tile_attention, tree_attention
from tailor.kernels.attend import attend, attend_backward, sinks_gradient
from tailor.kernels.layout import BLOCK, Batch, Layout, Pattern, rows_on_path
from tailor.records import Tree

from .test_layout import forest

SHAPES = {  # heads, heads of keys, numbers of a query's head and of a value's
    "one head of keys each": (2, 2, 64, 64),
    "shared keys": (6, 2, 32, 64),
    "one for all, odd sizes": (3, 1, 40, 24),
}
TREES = {
    "a shared prefix": [(70, -1), (33, 0), (5, 0), (64, 0)],
    "branches of branches, and a root of its own": [(9, -1), (40, 0), (3, 1), (31, 1), (1, -1)],
    "longer than a piece": [(BLOCK + 70, -1), (300, 0)],
}


def causal(window: int | None) -> Pattern:
    return lambda batch, head, query, key: (key <= query) & (True if window is None else key > query - window)


def one_by_one(
    tree: Tree, window: int | None, factor: float, *heads: Tensor, softcap: float | None = None, sinks: Tensor
) -> Tensor:
    """The definition: each row's outcome among the rows of its own path, in the type of the heads."""
    query, key, value = (x.transpose(0, 1) for x in heads)
    key, value = (x.repeat_interleave(len(query) // len(x), dim=0) for x in (key, value))
    out = torch.zeros(query.shape[1], query.shape[0], value.shape[-1], dtype=query.dtype)
    for segment, path in zip(tree.segments, rows_on_path(tree.segments)):
        rows = torch.as_tensor(path)
        order = torch.arange(len(rows))
        seen = causal(window)(None, None, order[:, None], order)
        scores = query[:, rows] @ key[:, rows].transpose(1, 2) * factor
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        sink = sinks[:, None, None].expand(-1, len(rows), 1)
        weights = torch.cat([scores.masked_fill(~seen, -torch.inf), sink], dim=-1).softmax(-1)
        mixed = weights[..., :-1] @ value[:, rows]
        out[rows[-segment.length :]] = mixed.transpose(0, 1)[-segment.length :]
    return out


def draw(tree: Tree, shape: tuple[int, int, int, int]) -> list[Tensor]:
    """query, key, value, gradient: slices of longer rows, in bf16 to be exact in every type."""
    heads, kv, d, dv = shape
    generator = torch.Generator().manual_seed(len(tree) + d)
    sizes = [(heads, d), (kv, d), (kv, dv), (heads, dv)]
    return [torch.randn(len(tree), n + 1, m, generator=generator).bfloat16()[:, 1:] for n, m in sizes]


def far(got: Tensor, wanted: Tensor) -> float:
    return float((got.double() - wanted).norm() / wanted.norm())


@pytest.fixture(params=["tiles", "products in bf16", "products in fp32", "PyTorch alone"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[torch.dtype, float]:
    """The type of the arithmetic and how far from exact it may be."""
    if request.param == "tiles":
        if native.library() is None or not native.library().has_tiles():
            pytest.skip("no matrix tiles here")
        return torch.bfloat16, 0.004
    monkeypatch.setattr(tile_attention, "fits", lambda *heads: False)
    if request.param == "PyTorch alone":
        monkeypatch.setattr(native, "library", lambda: None)
    return (torch.bfloat16, 0.008) if request.param.endswith("bf16") else (torch.float32, 1e-6)


@pytest.mark.parametrize("window", [None, 20])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tree", TREES)
def test_outcome_and_gradients(tree: str, shape: str, window: int | None, way: tuple[torch.dtype, float]) -> None:
    compare(tree, shape, window, way)


@pytest.mark.parametrize(("softcap", "sunk"), [(0.7, False), (None, True), (3.0, True)])
@pytest.mark.parametrize("window", [None, 20])
@pytest.mark.parametrize("shape", ["shared keys", "one for all, odd sizes"])
def test_softcap_and_sinks(
    shape: str, window: int | None, softcap: float | None, sunk: bool, way: tuple[torch.dtype, float]
) -> None:
    compare("longer than a piece", shape, window, way, softcap, sunk)


def compare(
    tree: str, shape: str, window: int | None, way: tuple[torch.dtype, float],
    softcap: float | None = None, sunk: bool = False,
) -> None:  # fmt: skip
    dtype, bound = way
    planted = forest(TREES[tree])
    *heads, dout = draw(planted, SHAPES[shape])
    factor = SHAPES[shape][2] ** -0.5
    sinks = torch.linspace(-1, 5, SHAPES[shape][0]) if sunk else None
    nothing = torch.full((SHAPES[shape][0],), -torch.inf, dtype=torch.float64)
    exact = [x.double().requires_grad_() for x in heads]
    exact_sinks = (nothing if sinks is None else sinks.double()).requires_grad_()
    wanted = one_by_one(planted, window, factor, *exact, softcap=softcap, sinks=exact_sinks)
    wanted.backward(dout.double())
    batches = Layout(planted, dout.device, block=BLOCK).mask(causal(window)).batches
    mine = [x.to(dtype) if dtype == torch.float32 else x for x in heads]
    out = torch.full(dout.shape, torch.nan, dtype=dtype)
    sums = attend(*mine, batches, factor, out, softcap, sinks)
    assert far(out, wanted.detach()) < bound
    dout = dout.to(dtype).contiguous()
    grads = attend_backward(dout, out, *mine, batches, factor, sums, softcap)
    for got, x in zip(grads, exact, strict=True):
        assert x.grad is not None
        assert far(got, x.grad) < bound
    if sinks is not None:
        assert exact_sinks.grad is not None
        assert far(sinks_gradient(dout, out, batches, sums, sinks), exact_sinks.grad) < 2 * bound  # rows cancel


@pytest.mark.parametrize(("softcap", "sunk"), [(None, False), (0.7, False), (None, True), (3.0, True)])
def test_other_devices_do_the_same(softcap: float | None, sunk: bool) -> None:
    """What they run, a dropout of nearly nothing makes run here."""
    planted = forest(TREES["branches of branches, and a root of its own"])
    *heads, dout = (x.float() for x in draw(planted, SHAPES["shared keys"]))
    mask = Layout(planted, dout.device).mask(causal(20))
    sinks = torch.linspace(-1, 5, 6).requires_grad_() if sunk else None
    found = []
    for dropout in (0.0, 1e-12):
        leaves = [x.transpose(0, 1)[None].detach().requires_grad_() for x in heads]
        out, _ = tree_attention.attention(torch.nn.Module(), *leaves, mask, 0.3, dropout, softcap, sinks)
        found.append([out, *torch.autograd.grad(out, leaves + ([sinks] if sinks is not None else []), dout[None])])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_whole_numbers_of_a_configuration_are_numbers() -> None:
    planted = forest(TREES["a shared prefix"])
    heads = [x.transpose(0, 1)[None] for x in draw(planted, SHAPES["shared keys"])[:3]]
    mask = Layout(planted, heads[0].device, block=BLOCK).mask(causal(None))
    whole, real = (tree_attention.attention(torch.nn.Module(), *heads, mask, kind(1), 0.0, kind(2))[0]
                   for kind in (int, float))  # fmt: skip
    assert torch.equal(whole, real)


def test_it_gives_the_same_on_any_number_of_threads(way: tuple[torch.dtype, float]) -> None:
    planted = forest(TREES["a shared prefix"])
    *heads, dout = (x.to(way[0]) for x in draw(planted, SHAPES["shared keys"]))
    batches = Layout(planted, dout.device, block=BLOCK).mask(causal(None)).batches
    found, sinks = [], torch.linspace(-1, 5, 6)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            out = torch.empty(dout.shape, dtype=dout.dtype)
            sums = attend(*heads, batches, 0.2, out, 2.0, sinks)
            grads = attend_backward(dout.contiguous(), out, *heads, batches, 0.2, sums, 2.0)
            found.append([out, *map(torch.clone, grads), sinks_gradient(dout.contiguous(), out, batches, sums, sinks)])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_rows_that_nobody_asks_for_and_rows_that_see_nothing_come_out_as_zeros(way: tuple[torch.dtype, float]) -> None:
    *heads, _ = (x.to(way[0]) for x in draw(forest([(40, -1)]), SHAPES["shared keys"]))
    rows, spans = torch.arange(32)[None], torch.arange(1, 33, dtype=torch.int32)[None]
    spans[0, 30:] = 0
    counts = torch.tensor([31]), torch.tensor([32])
    out = torch.full((40, 6, 64), torch.nan, dtype=way[0])
    attend(*heads, [Batch(rows, rows, *counts, torch.zeros_like(spans), spans, False)], 0.2, out)
    assert not out[30:].any()
    assert out[:30].any(-1).all()


def test_huge_scores_choose_one_key_and_overflow_nothing(way: tuple[torch.dtype, float]) -> None:
    planted = forest(TREES["a shared prefix"])
    query, key, value, dout = (x.to(way[0]) for x in draw(planted, SHAPES["shared keys"]))
    batches = Layout(planted, dout.device, block=BLOCK).mask(causal(None)).batches
    for size in (1e6, 1e10, 1e30):
        heads = (query * size, key, torch.ones_like(value))
        sums = attend(*heads, batches, 0.23, out := torch.empty(dout.shape, dtype=dout.dtype))
        torch.testing.assert_close(out, torch.ones_like(out))
        grads = attend_backward(dout.contiguous(), out, *heads, batches, 0.23, sums)
        assert all(grad.isfinite().all() for grad in grads)


def test_nan_reaches_whoever_sees_it_and_nobody_else(way: tuple[torch.dtype, float]) -> None:
    """A run that has gone wrong must look so."""
    planted = forest(TREES["a shared prefix"])
    for number in range(3):
        heads = [x.to(way[0]) for x in draw(planted, SHAPES["shared keys"])[:3]]
        heads[number][69] = torch.nan  # the prefix's last row
        batches = Layout(planted, heads[0].device, block=BLOCK).mask(causal(None)).batches
        attend(*heads, batches, 0.2, out := torch.zeros(len(planted), 6, 64, dtype=way[0]))
        seen = out.isnan().all(-1).all(-1)
        assert seen[69:70].all()
        assert seen[70:].all() == (number > 0)
        assert number == 2 or not seen[:69].any()  # values that weigh nothing are multiplied by 0


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="only glibc says what it holds")
def test_a_thread_that_ends_leaves_no_memory_behind() -> None:
    planted = forest([(1000, -1)])
    *heads, dout = draw(planted, (2, 2, 128, 128))
    batches = Layout(planted, dout.device, block=BLOCK).mask(causal(None)).batches

    def run() -> None:
        attend(*heads, batches, 0.1, torch.empty(dout.shape, dtype=dout.dtype))

    held = []
    for _ in range(5):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        held.append(_held())
    assert held[-1] - held[0] < 2**20


def _held() -> int:
    """Bytes that the C heap has given out."""

    names = ("arena", "small", "in_fast", "mappings", "mapped", "most", "fast", "given", "free", "top")
    kind = type("Info", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_size_t) for name in names]})
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = kind
    info = ask()
    return int(info.given + info.mapped)
