"""Attention over a Tree on a CPU, forward and back: on matrix tiles where there are some, else as matrix products.

PyTorch's fused kernel with a mask runs far below a CPU's matrix units, and a Tree needs masks. Both ways here keep
softmax statistics in fp32, make the scores again in the backward pass (Dao et al. 2022), and copy nothing for heads
that share keys (GQA). `tree_attention.py` holds the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tailor.kernels import gemm_attention, tile_attention
from tailor.kernels.elementwise import sinks_backward_
from tailor.kernels.layout import Batch
from tailor.kernels.scratch import frame, scratch


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    batches: Sequence[Batch],
    factor: float,
    out: Tensor,
    softcap: float | None = None,
    sinks: Tensor | None = None,
) -> list[Tensor]:
    """Writes the outcome of query [m, heads, d], key [t, kv, d] and value [t, kv, dv] to `out` [m, heads, dv].

    Heads may be slices of longer rows. Rows behind those that pieces ask with (padding) become zeros. Scores are
    softcap * tanh(product * factor / softcap) where there is a softcap (Gemma 2); sinks, fp32 [heads], are logits that
    join the softmax and are dropped (gpt-oss). Returns the log-sum-exp of each batch, sinks included.
    """
    out[_asked(batches) :] = 0
    way = _way(query, key, value)
    sums = []
    for batch in batches:
        with frame():
            sums.append(way.attend(query, key, value, batch, factor, out, softcap, sinks))
    return sums


def attend_backward(
    dout: Tensor,
    out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    batches: Sequence[Batch],
    factor: float,
    sums: Sequence[Tensor],
    softcap: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attend`, which gave `out`, in scratch memory: by query in its type, by key and value in fp32."""
    dq = scratch(*query.shape, like=query)
    dq[_asked(batches) :] = 0
    dk, dv = (scratch(*x.shape, like=x, dtype=torch.float32).zero_() for x in (key, value))
    way = _way(query, key, value)
    for batch, lse in zip(batches, sums):
        with frame():
            way.attend_backward(dout, out, query, key, value, batch, factor, lse, dq, dk, dv, softcap)
    return dq, dk, dv


def sinks_gradient(
    dout: Tensor, out: Tensor, batches: Sequence[Batch], sums: Sequence[Tensor], sinks: Tensor
) -> Tensor:
    """Gradient of `attend` by its sinks, fp32 [heads]."""
    grad = torch.zeros_like(sinks)
    for batch, lse in zip(batches, sums):
        sinks_backward_(dout, out, batch.queries, batch.asked, lse, sinks, grad)
    return grad


def _way(query: Tensor, key: Tensor, value: Tensor) -> ModuleType:
    return tile_attention if tile_attention.fits(query, key, value) else gemm_attention


def _asked(batches: Sequence[Batch]) -> int:
    """How many rows ask: the first ones."""
    return sum(batch.asking for batch in batches)


class Attend(torch.autograd.Function):
    """`attend` for layers that autograd walks through."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        sinks: Tensor | None,
        batches: Sequence[Batch],
        factor: float,
        softcap: float | None,
    ) -> Tensor:
        """As `attend`."""
        out = query.new_empty(*query.shape[:2], value.shape[-1])
        sums = attend(query, key, value, batches, factor, out, softcap, sinks)
        ctx.save_for_backward(query, key, value, sinks, out, *sums)
        ctx.batches, ctx.factor, ctx.softcap = batches, factor, softcap
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        """As `attend_backward`, in the types of the inputs."""
        query, key, value, sinks, out, *sums = ctx.saved_tensors
        dout = dout.contiguous()
        with frame():
            grads = attend_backward(dout, out, query, key, value, ctx.batches, ctx.factor, sums, ctx.softcap)
            copies = [grad.to(x.dtype, copy=True) for grad, x in zip(grads, (query, key, value))]
        dsinks = sinks_gradient(dout, out, ctx.batches, sums, sinks) if ctx.needs_input_grad[3] else None
        return (*copies, dsinks, None, None, None)
