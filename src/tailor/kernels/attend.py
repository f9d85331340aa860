"""Attention over a Tree on a CPU, forward and back: on matrix tiles where there are some, else as matrix products.

PyTorch's fused kernel with a mask runs far below a CPU's matrix units, and a Tree needs masks. Both ways here keep
softmax statistics in fp32, make the scores again in the backward pass (Dao et al. 2022), and copy nothing for heads
that share keys (GQA). `tree_attention.py` holds the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tailor.kernels import gemm_attention, tile_attention
from tailor.kernels.layout import Batch
from tailor.kernels.scratch import scratch


def attend(
    query: Tensor, key: Tensor, value: Tensor, batches: Sequence[Batch], factor: float, out: Tensor
) -> list[Tensor]:
    """Writes the outcome of query [m, heads, d], key [t, kv, d] and value [t, kv, dv] to `out` [m, heads, dv].

    Heads may be slices of longer rows. Rows behind those that pieces ask with (padding) become zeros. Returns the
    log-sum-exp of each batch.
    """
    out[_asked(batches) :] = 0
    way = tile_attention if tile_attention.fits(query, key, value) else gemm_attention
    return [way.attend(query, key, value, batch, factor, out) for batch in batches]


def attend_backward(
    dout: Tensor,
    out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    batches: Sequence[Batch],
    factor: float,
    sums: Sequence[Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attend`, which gave `out`, in scratch memory: by query in its type, by key and value in fp32."""
    dq = scratch("gradient of query", *query.shape, like=query)
    dq[_asked(batches) :] = 0
    dk, dv = (
        scratch(f"gradient of {name}", *x.shape, like=x.new_empty(0, dtype=torch.float32)).zero_()
        for name, x in (("key", key), ("value", value))
    )
    way = tile_attention if tile_attention.fits(query, key, value) else gemm_attention
    for batch, lse in zip(batches, sums):
        way.attend_backward(dout, out, query, key, value, batch, factor, lse, dq, dk, dv)
    return dq, dk, dv


def _asked(batches: Sequence[Batch]) -> int:
    """How many rows ask: the first ones."""
    return sum(int(batch.asked.sum()) for batch in batches)


class Attend(torch.autograd.Function):
    """`attend` for layers that autograd walks through."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, batches: Sequence[Batch], factor: float) -> Tensor:
        """As `attend`."""
        out = query.new_empty(*query.shape[:2], value.shape[-1])
        sums = attend(query, key, value, batches, factor, out)
        ctx.save_for_backward(query, key, value, out, *sums)
        ctx.batches, ctx.factor = batches, factor
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        """As `attend_backward`, in the types of the inputs."""
        query, key, value, out, *sums = ctx.saved_tensors
        grads = attend_backward(dout.contiguous(), out, query, key, value, ctx.batches, ctx.factor, sums)
        return (*(grad.to(x.dtype, copy=True) for grad, x in zip(grads, (query, key, value))), None, None)
