"""Attention over a Tree as plain matrix products with one fused pass between them; scores live for one batch at a time.

PyTorch's fused kernel with a mask runs far below a CPU's matrix units, and a Tree needs masks. Here scores are products
of whole pieces, the softmax and its masks are one pass over spans with fp32 statistics (`elementwise.py`), and the
backward pass makes the scores again (Dao et al. 2022). Heads that share keys (GQA) are rows of one product: nothing is
copied for them. `tree_attention.py` holds the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tailor.kernels.elementwise import gather, scatter_, softmax_, softmax_backward_, spread_
from tailor.kernels.layout import Batch
from tailor.kernels.scratch import scratch


def attend(
    query: Tensor, key: Tensor, value: Tensor, batches: Sequence[Batch], factor: float
) -> tuple[Tensor, list[Tensor]]:
    """(outcome [m, heads, dv], log-sum-exp of each batch) of query [m, heads, d], key [t, kv, d], value [t, kv, dv].

    Rows of `query` that no piece asks for (padding) come out as zeros.
    """
    out = query.new_zeros(*query.shape[:2], value.shape[-1])
    sums = []
    for batch in batches:
        q, k, v = _pieces(query, key, value, batch)
        scores = _product(q, k.transpose(2, 3), "scores")
        sums.append(softmax_(scores, batch.first, batch.last, factor))
        spread_(_by_head(_product(scores, v, "heads"), query.shape[1]), batch.queries, batch.asked, out)
    return out, sums


def attend_backward(
    dout: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    batches: Sequence[Batch],
    factor: float,
    sums: Sequence[Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attend`: by query, of which each row has one place, in its type; by key and value in fp32."""
    dq = torch.zeros(query.shape, dtype=query.dtype, device=query.device)
    dk, dv = (torch.zeros(x.shape, device=x.device) for x in (key, value))
    for batch, lse in zip(batches, sums):
        q, k, v = _pieces(query, key, value, batch)
        d = _by_kv(gather(dout, batch.queries, "gradient"), key.shape[1])
        scores = _product(q, k.transpose(2, 3), "scores")
        dscores = _product(d, v.transpose(2, 3), "gradient of scores")
        softmax_backward_(scores, dscores, batch.first, batch.last, lse, factor)
        spread_(_by_head(_product(dscores, k, "heads"), query.shape[1]), batch.queries, batch.asked, dq)
        scatter_(_product(dscores.transpose(2, 3), q, "heads"), batch.keys, batch.answered, dk)
        scatter_(_product(scores.transpose(2, 3), d, "heads"), batch.keys, batch.answered, dv)
    return dq, dk, dv


class GemmAttention(torch.autograd.Function):
    """`attend` for layers that autograd walks through."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, batches: Sequence[Batch], factor: float) -> Tensor:
        """As `attend`."""
        out, sums = attend(query, key, value, batches, factor)
        ctx.save_for_backward(query, key, value, *sums)
        ctx.batches, ctx.factor = batches, factor
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        """As `attend_backward`, in the types of the inputs."""
        query, key, value, *sums = ctx.saved_tensors
        grads = attend_backward(dout.contiguous(), query, key, value, ctx.batches, ctx.factor, sums)
        return (*(grad.to(x.dtype) for grad, x in zip(grads, (query, key, value))), None, None)


def _pieces(query: Tensor, key: Tensor, value: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """[b, kv, group * q, d], [b, kv, k, d], [b, kv, k, dv]."""
    kv = key.shape[1]
    q = _by_kv(gather(query, batch.queries, "query"), kv)
    return q, gather(key, batch.keys, "key"), gather(value, batch.keys, "value")


def _product(a: Tensor, b: Tensor, name: str) -> Tensor:
    """a @ b of [b, kv, n, m] and [b, kv, m, l], in the scratch memory of that name."""
    out = scratch(name, *a.shape[:3], b.shape[3], like=a)
    torch.bmm(a.flatten(0, 1), b.flatten(0, 1), out=out.flatten(0, 1))
    return out


def _by_kv(x: Tensor, kv: int) -> Tensor:
    """[b, heads, q, d] as [b, kv, group * q, d]."""
    return x.view(x.shape[0], kv, -1, x.shape[3])


def _by_head(x: Tensor, heads: int) -> Tensor:
    """[b, kv, group * q, d] as [b, heads, q, d]."""
    return x.view(x.shape[0], heads, -1, x.shape[3])
