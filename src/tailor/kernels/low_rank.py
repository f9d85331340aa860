"""The gradients of low-rank adapters: products of many rows with few columns.

They have less to compute than to read. On a CPU's matrix tiles each row is read once, and layers side by side meet
their own ranks only (`low_rank.c`); elsewhere they are plain matrix products.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from tailor.kernels import native, tile_attention
from tailor.kernels.scratch import scratch

UNIT = 32  # rows and columns of a product on tiles
MOST = 128  # ranks, beyond which plain products are as fast


def gradient_by_down(dinner: Tensor, x: Tensor) -> Tensor:
    """That by A, fp32 [r, d], of x [n, d] and the gradient by x A', [n, r]."""
    if not _fits(x, dinner):
        return (dinner.T.contiguous() @ x).float()  # contiguous: twice as fast as a transposed view
    da = torch.empty(dinner.shape[1], x.shape[1])
    _run(x, dinner, da, (), (), [1.0] * len(da))
    return da


def gradients(
    dy: Tensor, up: Tensor, inner: Tensor, columns: Sequence[int], ranks: Sequence[int], scales: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """(that by x A' [n, r], that by B', fp32 [r, outputs]) of dy [n, outputs], up = s B [outputs, r] and inner = x A'.

    Layers side by side have so many `columns` of dy and so many `ranks` each; `up` is zero but where both are those of
    one. The gradient by B' is multiplied by the `scales` of each; what it holds between layers is of no meaning.
    """
    factors = [scale for scale, rank in zip(scales, ranks) for _ in range(rank)]
    if not _fits(dy, inner) or not up.is_contiguous():
        return dy @ up, (inner.T.contiguous() @ dy).float() * torch.tensor(factors)[:, None]
    dinner, db = torch.empty_like(inner), torch.empty(up.shape[1], up.shape[0])
    _run(dy, inner, db, columns, ranks, factors, up, dinner)
    return dinner, db


def _fits(x: Tensor, left: Tensor) -> bool:
    whole = x.stride(1) == 1 and left.is_contiguous() and not any(size % UNIT for size in x.shape)
    return whole and left.shape[1] <= MOST and tile_attention.fits(x, left)


def _run(
    x: Tensor, left: Tensor, outer: Tensor, columns: Sequence[int], ranks: Sequence[int], factors: Sequence[float],
    right: Tensor | None = None, out: Tensor | None = None,
) -> None:  # fmt: skip
    """As `low_rank.c` has it."""
    sizes = *x.shape, left.shape[1]
    ends = [(ctypes.c_int64 * len(each))(*itertools.accumulate(each)) for each in (columns, ranks)]
    memory = scratch(native.count("low_rank_room", *sizes, torch.get_num_threads()), like=x, dtype=torch.uint8)
    native.call("low_rank", x, x.stride(0), right, left, (ctypes.c_float * len(factors))(*factors), out, outer, *ends,
                len(columns), *sizes, memory)  # fmt: skip
