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


def attend(
    query: Tensor, key: Tensor, value: Tensor, batches: Sequence[Batch], factor: float
) -> tuple[Tensor, list[Tensor]]:
    """(outcome [m, heads, dv], log-sum-exp of each batch) of query [m, heads, d], key [t, kv, d], value [t, kv, dv].

    Heads may be slices of longer rows. Rows of `query` that no piece asks for (padding) come out as zeros.
    """
    out = query.new_zeros(*query.shape[:2], value.shape[-1])
    way = tile_attention if tile_attention.fits(query, key, value) else gemm_attention
    return out, [way.attend(query, key, value, batch, factor, out) for batch in batches]


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
    """Gradients of `attend`, which gave `out`: by query, of which each row has one place, in its type; by key and value
    in fp32."""
    dq = torch.zeros(query.shape, dtype=query.dtype, device=query.device)
    dk, dv = (torch.zeros(x.shape, device=x.device) for x in (key, value))
    way = tile_attention if tile_attention.fits(query, key, value) else gemm_attention
    for batch, lse in zip(batches, sums):
        way.attend_backward(dout, out, query, key, value, batch, factor, lse, dq, dk, dv)
    return dq, dk, dv


class Attend(torch.autograd.Function):
    """`attend` for layers that autograd walks through."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, batches: Sequence[Batch], factor: float) -> Tensor:
        """As `attend`."""
        out, sums = attend(query, key, value, batches, factor)
        ctx.save_for_backward(query, key, value, out, *sums)
        ctx.batches, ctx.factor = batches, factor
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        """As `attend_backward`, in the types of the inputs."""
        query, key, value, out, *sums = ctx.saved_tensors
        grads = attend_backward(dout.contiguous(), out, query, key, value, ctx.batches, ctx.factor, sums)
        return (*(grad.to(x.dtype) for grad, x in zip(grads, (query, key, value))), None, None)
