"""Attention over a Tree, entered through transformers' own registers of attention and mask functions.

The mask function turns the pattern that a layer asks for (causal, sliding window, chunks) into a TreeMask, and the
attention function runs one scaled-dot-product attention a batch of it. Both see the Tree of the forward pass that is
running through a context variable, because transformers hands no argument of a call to the mask functions. This is the
reference that faster kernels are tested against.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout as drop
from torch.nn.functional import embedding, scaled_dot_product_attention

from tailor.errors import ModelError
from tailor.kernels.attend import Attend
from tailor.kernels.layout import Layout, Pattern, TreeMask

NAME = "tailor_tree"
_layout: ContextVar[Layout | None] = ContextVar("layout", default=None)


@contextlib.contextmanager
def active(layout: Layout) -> Iterator[None]:
    """Makes `layout` the Tree that mask functions build for."""
    token = _layout.set(layout)
    try:
        yield
    finally:
        _layout.reset(token)


def register() -> None:
    """Enter both functions under NAME in transformers' registers; again is harmless."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, mask)


def mask(*args: Any, mask_function: Pattern, use_vmap: bool = False, **kwargs: Any) -> TreeMask:
    """transformers' mask function: the running Tree under `mask_function`, which is judged on position ids.

    Raises ModelError for patterns that depend on rows instead of positions (`use_vmap`: image tokens that see ahead).
    """
    layout = _layout.get()
    if layout is None or use_vmap:
        raise ModelError("this model's attention pattern cannot be laid out as a tree", fix="use another model")
    return layout.mask(mask_function)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: TreeMask | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """transformers' attention function over a Tree.

    Args:
        query: [1, heads, t, d]; key [1, kv heads, t, d]; value [1, kv heads, t, dv], where dv may differ from d.
        softcap: scores become `softcap * tanh(scores / softcap)` (Gemma 2).
        s_aux: one sink logit a head that joins the softmax and is dropped (gpt-oss), [heads].

    Returns ([1, t, heads, dv], None). Raises ModelError for what it does not know.
    """
    if not isinstance(attention_mask, TreeMask) or position_bias is not None:
        raise ModelError(
            f"the attention of {type(module).__name__} does not say which tokens it sees", fix="use another model"
        )
    layout = _layout.get()
    if layout is not None:
        layout.calls += 1
    query = _retempered(module, query, attention_mask.positions)
    if not dropout and query.device.type == "cpu":
        return _on_cpu(query, key, value, attention_mask, scaling, softcap, s_aux)[None], None
    parts = []
    for batch in attention_mask.batches:
        q, k, v = _gather(query, batch.queries), _gather(key, batch.keys), _gather(value, batch.keys)
        if softcap is None and s_aux is None:
            part = _fused(q, k, v, batch.mask, scaling, dropout)
        else:
            part = _spelled_out(q, k, v, batch.mask, scaling, dropout, softcap, s_aux)
        parts.append(part.transpose(1, 2).flatten(0, 1).flatten(1))  # [b * q, heads * dv]
    outcome = embedding(attention_mask.places, torch.cat(parts))
    return outcome.view(1, len(outcome), query.shape[1], value.shape[-1]), None


def _on_cpu(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: TreeMask,
    scaling: float | None,
    softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    """On a CPU, in the type that autocast would multiply in."""
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype
    rows = (x[0].transpose(0, 1).to(dtype).contiguous() for x in (query, key, value))
    factor = query.shape[-1] ** -0.5 if scaling is None else float(scaling)  # a whole number in some configurations
    softcap = float(softcap) if softcap is not None else None
    sinks = sinks.float() if sinks is not None else None
    with torch.autocast("cpu", enabled=False):
        mixed: Tensor = Attend.apply(*rows, sinks, mask.batches, factor, softcap)  # type: ignore[no-untyped-call]
    return mixed


def _gather(x: Tensor, rows: Tensor) -> Tensor:
    """[1, heads, t, d] at rows [b, n] as [b, heads, n, d]. An embedding, because its backward pass is the fastest
    scatter-add there is on a CPU, and adds in a fixed order."""
    heads, dim = x.shape[1], x.shape[3]
    picked: Tensor = embedding(rows, x[0].transpose(0, 1).flatten(1))
    return picked.view(*rows.shape, heads, dim).transpose(1, 2)


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scaling: float | None, dropout: float) -> Tensor:
    return scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=mask is None,
        scale=scaling,
        enable_gqa=q.shape[1] != k.shape[1],
    )


def _spelled_out(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    scaling: float | None,
    dropout: float,
    softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    """The definition, for scores that the fused kernel cannot change: softmax in fp32."""
    b, heads, n, dim = q.shape
    k, v = (x.repeat_interleave(heads // x.shape[1], dim=1) for x in (k, v))
    scores = (q @ k.transpose(2, 3)) * (dim**-0.5 if scaling is None else scaling)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    seen = torch.ones(n, k.shape[2], dtype=torch.bool, device=q.device).tril() if mask is None else mask
    scores = scores.float().masked_fill(~seen, -torch.inf)
    if sinks is not None:
        scores = torch.cat([scores, sinks.float().view(1, heads, 1, 1).expand(b, heads, n, 1)], dim=-1)
    weights = scores.softmax(dim=-1)[..., : k.shape[2]]
    return drop(weights.to(v.dtype), dropout) @ v


def _retempered(module: nn.Module, query: Tensor, positions: Tensor) -> Tensor:
    """Llama 4 scales the queries of layers without rotary embedding by a function of the row's index; here position
    and index differ, so that scale is replaced by the position's (arXiv 2501.19399; 1 below `floor_scale` tokens)."""
    if not getattr(module, "attn_temperature_tuning", False) or getattr(module, "use_rope", True):
        return query
    floor_scale, attn_scale = float(module.floor_scale), float(module.attn_scale)  # type: ignore[arg-type]

    def scale(index: Tensor) -> Tensor:
        return torch.log1p(torch.floor((index.float() + 1.0) / floor_scale)) * attn_scale + 1.0

    ratio = scale(positions) / scale(torch.arange(len(positions), device=positions.device))
    return (query * ratio[:, None]).to(query.dtype)
