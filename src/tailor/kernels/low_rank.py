"""What low-rank adapters take from the gradient by the outcome of their layers.

Two products with few columns, which have less to compute than to read. On a CPU's matrix tiles each row is read once,
and layers side by side meet their own ranks only (`low_rank.c`); elsewhere they are plain matrix products.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from tailor.kernels import native, tile_attention
from tailor.kernels.scratch import scratch

UNIT = 32  # rows and columns of a product on tiles
MOST = 128  # ranks, beyond which plain products are as fast


def gradients(
    dy: Tensor, up: Tensor, inner: Tensor, columns: Sequence[int], ranks: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Of dy [n, outputs], up [outputs, r] and inner [n, r]: the gradients by x A', dy @ up, and by B', inner' @ dy.

    Of layers side by side, so many `columns` of dy and `ranks` each, `up` is zero but where both are those of one; what
    the gradient by B' holds elsewhere is of no meaning.
    """
    (n, outputs), r = dy.shape, up.shape[1]
    contiguous = dy.stride(1) == 1 and up.is_contiguous() and inner.is_contiguous()
    if not contiguous or n % UNIT or outputs % UNIT or r > MOST or not tile_attention.fits(dy, up, inner):
        return dy @ up, inner.T.contiguous() @ dy  # twice as fast as from a transposed view
    dinner, db = dy.new_empty(n, r), torch.empty(r, outputs)
    ends = [torch.tensor(list(itertools.accumulate(sizes)), dtype=torch.int64) for sizes in (columns, ranks)]
    memory = scratch(native.count("low_rank_room", n, outputs, r, torch.get_num_threads()), like=dy, dtype=torch.uint8)
    native.call("low_rank", dy, dy.stride(0), up, inner, dinner, db, *ends, len(columns), n, outputs, r, memory)
    return dinner, db
