"""Attention over a batch of a Tree's pieces as plain matrix products, with one fused pass between them.

Scores are products of whole pieces, the softmax and its masks are one pass over spans (`elementwise.py`), and heads
that share keys are rows of one product.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tailor.kernels.elementwise import gather, scatter_, softmax_, softmax_backward_, spread_
from tailor.kernels.layout import Batch
from tailor.kernels.scratch import scratch


def attend(
    query: Tensor, key: Tensor, value: Tensor, batch: Batch, factor: float, out: Tensor, softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:  # fmt: skip
    """Writes the outcome of a batch's queries to `out` [m, heads, dv]; returns its log-sum-exp, [b, kv, group * q].

    query [m, heads, d], key [t, kv, d], value [t, kv, dv].
    """
    q, k, v = _pieces(query, key, value, batch)
    scores = _product(q, k.transpose(2, 3))
    lse = softmax_(scores, batch.first, batch.last, factor, softcap, sinks)
    spread_(_by_head(_product(scores, v), query.shape[1]), batch.queries, batch.asked, out)
    return lse


def attend_backward(
    dout: Tensor, out: Tensor, query: Tensor, key: Tensor, value: Tensor, batch: Batch, factor: float, lse: Tensor,
    dq: Tensor, dk: Tensor, dv: Tensor, softcap: float | None,
) -> None:  # fmt: skip
    """Gradients of `attend`: that by a query is written to `dq`, those by keys and values are added to `dk`, `dv`."""
    q, k, v = _pieces(query, key, value, batch)
    d = _by_kv(gather(dout, batch.queries), key.shape[1])
    scores = _product(q, k.transpose(2, 3))
    dscores = _product(d, v.transpose(2, 3))
    softmax_backward_(scores, dscores, batch.first, batch.last, lse, factor, softcap)
    spread_(_by_head(_product(dscores, k), query.shape[1]), batch.queries, batch.asked, dq)
    scatter_(_product(dscores.transpose(2, 3), q), batch.keys, batch.answered, dk)
    scatter_(_product(scores.transpose(2, 3), d), batch.keys, batch.answered, dv)


def _pieces(query: Tensor, key: Tensor, value: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """[b, kv, group * q, d], [b, kv, k, d], [b, kv, k, dv]."""
    kv = key.shape[1]
    q = _by_kv(gather(query, batch.queries), kv)
    return q, gather(key, batch.keys), gather(value, batch.keys)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b of [b, kv, n, m] and [b, kv, m, l], in scratch memory."""
    out = scratch(*a.shape[:3], b.shape[3], like=a)
    torch.bmm(a.flatten(0, 1), b.flatten(0, 1), out=out.flatten(0, 1))
    return out


def _by_kv(x: Tensor, kv: int) -> Tensor:
    """[b, heads, q, d] as [b, kv, group * q, d]."""
    return x.view(x.shape[0], kv, -1, x.shape[3])


def _by_head(x: Tensor, heads: int) -> Tensor:
    """[b, kv, group * q, d] as [b, heads, q, d]."""
    return x.view(x.shape[0], heads, -1, x.shape[3])
