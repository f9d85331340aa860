"""The passes of a decoder layer that are no matrix products, forward and backward, in fp32 whatever is stored.

Each stands here in PyTorch, as its definition; on a CPU with a C compiler `native.c` runs instead, in one trip through
memory. Names: n rows, d numbers a row or head, b pieces of attention with q asking and k answering places.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tailor.kernels import native
from tailor.kernels.linear import TILE
from tailor.kernels.scratch import scratch

BLOCKS = 64  # shares of the rows whose sums are added in order, so that threads change nothing
APART = 32  # numbers between rows that a product reads: rows whose size is a power of two share few places of a cache
NAMES = {torch.bfloat16: "bf16", torch.float32: "float"}


def _compiled(*alike: Tensor) -> bool:
    """Whether `native.c` has the pass for these tensors, which have to be of one type."""
    return (
        alike[0].device.type == "cpu"
        and alike[0].dtype in NAMES
        and all(x.dtype == alike[0].dtype for x in alike)
        and native.library() is not None
    )


def _paired(stream: Tensor, dtype: torch.dtype) -> bool:
    """The same for passes that read the residual stream: it may be wider than the arithmetic, not narrower."""
    return _compiled(stream) and (dtype == stream.dtype or (stream.dtype, dtype) == (torch.float32, torch.bfloat16))


def norm(x: Tensor, weight: Tensor, eps: float, out: Tensor) -> Tensor:
    """Writes x / rms(x) * weight to `out` [n, d], rows of which may be apart; returns 1 / rms, fp32 [n].

    The weight is fp32 [d]. Zhang & Sennrich 2019.
    """
    n, d = x.shape
    if _paired(x, out.dtype):
        scale = torch.empty(n)
        native.call(f"norm_{NAMES[x.dtype]}_{NAMES[out.dtype]}", x, weight, out, out.stride(0), scale, n, d, eps)
        return scale
    wide = x.float()
    scale = (wide.square().mean(-1) + eps).rsqrt()
    out.copy_(wide * scale[:, None] * weight)
    return scale


def norm_backward(dy: Tensor, x: Tensor, weight: Tensor, scale: Tensor, past: Tensor | None) -> Tensor:
    """Gradient of `norm` by x, plus `past`: what reaches x around the norm."""
    if _paired(x, dy.dtype) and (past is None or past.dtype == x.dtype):
        dx = torch.empty_like(x)
        name = f"norm_backward_{NAMES[x.dtype]}_{NAMES[dy.dtype]}"
        native.call(name, dy, x, weight, scale, past, dx, len(x), x.shape[1])
        return dx
    wide, scaled = x.float() * scale[:, None], dy.float() * weight
    dx = scale[:, None] * (scaled - wide * (scaled * wide).mean(-1, keepdim=True))
    return (dx if past is None else dx + past).to(x.dtype)


def norm_weight(dy: Tensor, x: Tensor, scale: Tensor) -> Tensor:
    """Gradient of `norm` by its weight, fp32 [d]."""
    if _paired(x, dy.dtype):
        dw = torch.empty(x.shape[1])
        native.call(f"norm_weight_{NAMES[x.dtype]}_{NAMES[dy.dtype]}", dy, x, scale, dw, len(x), x.shape[1])
        return dw
    return (dy.float() * x.float() * scale[:, None]).sum(0)


def rotate(x: Tensor, weight: Tensor | None, eps: float, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Heads x [n, heads, d], normed first where there is a weight, turned by the angles of their rows [n, d].

    Returns (contiguous [n, heads, d] in scratch memory, 1 / rms fp32 [n, heads], empty without a weight). Su et al.
    2021.
    """
    n, heads, d = x.shape
    scale = torch.empty((n, heads) if weight is not None else 0, device=x.device)
    y = scratch(n, heads, d, like=x)
    if _compiled(x):
        native.call(f"rotate_{NAMES[x.dtype]}", x, x.stride(0), weight, eps, cos, sin, y, scale, n, heads, d)
        return y, scale
    wide = x.float()
    if weight is not None:
        scale = (wide.square().mean(-1) + eps).rsqrt()
        wide = wide * scale[..., None] * weight
    left, right = wide.chunk(2, dim=-1)
    turned = wide * cos[:, None] + torch.cat([-right, left], dim=-1) * sin[:, None]
    return y.copy_(turned), scale


def rotate_backward(
    dy: Tensor, x: Tensor, weight: Tensor | None, scale: Tensor, cos: Tensor, sin: Tensor, out: Tensor, trained: bool
) -> Tensor | None:
    """Writes the gradient of `rotate` by x to `out`; returns that by the weight if `trained`. dy is fp32 or as x."""
    n, heads, d = x.shape
    if _compiled(x, out) and _paired(dy, x.dtype):
        dw = torch.empty(BLOCKS, d) if trained else None
        arguments = (dy, x, x.stride(0), weight, scale, cos, sin, out, out.stride(0), dw, BLOCKS, n, heads, d)
        native.call(f"rotate_backward_{NAMES[dy.dtype]}_{NAMES[x.dtype]}", *arguments)
        return dw.sum(0) if dw is not None else None
    dy = dy.float()
    left, right = (dy * sin[:, None]).chunk(2, dim=-1)
    turned = dy * cos[:, None] + torch.cat([right, -left], dim=-1)
    if weight is None:
        out.copy_(turned)
        return None
    wide = x.float() * scale[..., None]
    scaled = turned * weight
    out.copy_(scale[..., None] * (scaled - wide * (scaled * wide).mean(-1, keepdim=True)))
    return (turned * wide).sum((0, 1)) if trained else None


def apart(n: int, d: int, room: int, like: Tensor) -> Tensor:
    """Scratch memory [n, d] for rows that a product will read, with `room` behind each, or what `gap` says."""
    return scratch(n, d + gap(d, room), like=like)[:, :d]


def gap(d: int, room: int) -> int:
    """Numbers to leave behind rows of d: `room`, or some where a product reads none of them."""
    return room or (APART if d % TILE == 0 else 0)


def swiglu(x: Tensor, room: int = 0) -> Tensor:
    """silu(gate) * up of x = [gate, up], [n, 2d] -> [n, d] in scratch memory with `room` behind each row (Shazeer
    2020)."""
    n, d = x.shape[0], x.shape[1] // 2
    y = apart(n, d, room, like=x)
    if _compiled(x):
        native.call(f"swiglu_{NAMES[x.dtype]}", x, y, y.stride(0), n, d)
        return y
    gate, up = x.float().chunk(2, dim=-1)
    return y.copy_(torch.nn.functional.silu(gate) * up)


def swiglu_backward_(x: Tensor, dy: Tensor, room: int = 0) -> Tensor:
    """Gradient of `swiglu` by x, [n, 2d], in scratch memory with `room` behind each row; `dy` [n, d] becomes what
    `swiglu` gave, in place."""
    n, d = x.shape[0], x.shape[1] // 2
    dx = scratch(n, 2 * d + room, like=x)[:, : 2 * d]
    if _compiled(x, dy):
        native.call(f"swiglu_backward_{NAMES[x.dtype]}", x, dy, dx, dx.stride(0), n, d)
        return dx
    gate, up = x.float().chunk(2, dim=-1)
    share, wide = gate.sigmoid(), dy.float()
    dx.copy_(torch.cat([wide * up * share * (1 + gate * (1 - share)), wide * gate * share], dim=-1))
    dy.copy_(gate * share * up)
    return dx


def softmax_(
    scores: Tensor, first: Tensor, last: Tensor, factor: float, softcap: float | None = None,
    sinks: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Scores [b, kv, m, k] become probabilities in place; returns the log of their sums, fp32 [b, kv, m].

    The m rows are queries of q places, one head after another of those that share keys: row i of piece b sees the
    places first[b, i % q] <= j < last[b, i % q], int32 [b, q]. A row that sees nothing becomes zeros. A softcap bends
    scores to softcap * tanh(scores * factor / softcap); sinks, fp32 [heads], join the sums.
    """
    b, kv, m, k = scores.shape
    q = first.shape[1]
    if _compiled(scores):
        lse = torch.empty(b, kv, m)
        arguments = (scores, first, last, lse, factor, softcap or 0.0, sinks, b * kv, kv, m, q, k)
        native.call(f"softmax_{NAMES[scores.dtype]}", *arguments)
        return lse
    hidden = ~_seen(first, last, m, k)
    wide = _bent(scores, factor, softcap).masked_fill(hidden, -torch.inf)
    top = wide.amax(-1)
    if sinks is not None:
        sink = sinks.view(kv, m // q).repeat_interleave(q, dim=1)
        top = torch.maximum(top, sink)
    exponentials = (wide - top[..., None]).exp().masked_fill_(hidden, 0.0)
    total = exponentials.sum(-1)
    if sinks is not None:
        total += (sink - top).exp()
    seen = total > 0
    scores.copy_(exponentials / torch.where(seen, total, 1.0)[..., None])  # not by lse: huge ones are rounded
    return torch.where(seen, top + total.log(), -torch.inf)


def softmax_backward_(
    scores: Tensor, dp: Tensor, first: Tensor, last: Tensor, lse: Tensor, factor: float, softcap: float | None = None
) -> None:
    """Scores become probabilities once more, and `dp`, the gradient by those, that by the scores; both in place."""
    b, kv, m, k = scores.shape
    if _compiled(scores, dp):
        arguments = (scores, dp, first, last, lse, factor, softcap or 0.0, b * kv, kv, m, first.shape[1], k)
        native.call(f"softmax_backward_{NAMES[scores.dtype]}", *arguments)
        return
    bent = _bent(scores, factor, softcap)
    p, wide_dp = (bent - lse[..., None]).exp().masked_fill_(~_seen(first, last, m, k), 0.0), dp.float()
    slope = 1.0 if softcap is None else 1 - (bent / softcap).square()
    scores.copy_(p)
    dp.copy_(p * (wide_dp - (p * wide_dp).sum(-1, keepdim=True)) * slope * factor)


def sinks_backward_(
    dout: Tensor, out: Tensor, rows: Tensor, used: Tensor, lse: Tensor, sinks: Tensor, grad: Tensor
) -> None:
    """Adds the gradient of attention by its sinks to `grad`, fp32 [heads].

    Heads of what attention gave and of its gradient are [m, heads, dv]; the `used` first of rows [b, q] asked in each
    piece, and the log of their sums is [b, heads, q], in any shape.
    """
    (b, q), (_, heads, dv) = rows.shape, out.shape
    if _compiled(dout, out):
        arguments = (dout, dout.stride(0), out, out.stride(0), rows, used, lse, sinks, grad, b, heads, q, dv)
        native.call(f"sinks_backward_{NAMES[out.dtype]}", *arguments)
        return
    shares = (sinks[:, None] - lse.view(b, heads, q)).exp().transpose(1, 2)
    real = torch.arange(q, device=rows.device) < used[:, None]
    dots = (dout.float() * out.float()).sum(-1)
    grad -= (shares * dots[rows])[real].sum(0)


def _bent(scores: Tensor, factor: float, softcap: float | None) -> Tensor:
    wide = scores.float() * factor
    return wide if softcap is None else softcap * torch.tanh(wide / softcap)


def _seen(first: Tensor, last: Tensor, m: int, k: int) -> Tensor:
    """[b, 1, m, k] of spans [b, q], repeated for each group of q among the m rows."""
    places = torch.arange(k, device=first.device)
    seen = (places >= first[..., None]) & (places < last[..., None])
    return seen.repeat(1, m // first.shape[1], 1)[:, None]


def gather(x: Tensor, rows: Tensor) -> Tensor:
    """Heads x [n, heads, d] at rows [b, k] as contiguous [b, heads, k, d], in scratch memory."""
    (_, heads, d), (b, k) = x.shape, rows.shape
    y = scratch(b, heads, k, d, like=x)
    if _compiled(x):
        native.call(f"gather_{NAMES[x.dtype]}", x, x.stride(0), rows, y, b, heads, k, d)
        return y
    return y.copy_(x[rows].transpose(1, 2))


def spread_(x: Tensor, rows: Tensor, used: Tensor, out: Tensor) -> None:
    """The way back: out[rows[b, j], h] = x[b, h, j] for the `used` first places of each b, which are different rows."""
    b, heads, k, d = x.shape
    if _compiled(x, out):
        native.call(f"spread_{NAMES[x.dtype]}", x, rows, used, out, out.stride(0), b, heads, k, d)
        return
    real = torch.arange(k, device=x.device) < used[:, None]
    out[rows[real]] = x.transpose(1, 2)[real]


def scatter_(x: Tensor, rows: Tensor, used: Tensor, out: Tensor) -> None:
    """out[rows[b, j], h] += x[b, h, j] for the `used` first places of each b; out is contiguous fp32 [n, heads, d]."""
    b, heads, k, d = x.shape
    if _compiled(x):
        native.call(f"scatter_{NAMES[x.dtype]}", x, rows, used, out, b, heads, k, d)
        return
    real = torch.arange(k, device=x.device) < used[:, None]
    out.index_add_(0, rows[real], x.transpose(1, 2)[real].float())


def exponentials_(logits: Tensor, tops: Tensor, sums: Tensor) -> Tensor:
    """Logits [n, v] become exp(logit - top) in place, for the largest of their row so far; returns exp(old top - top).

    The fp32 [n] `tops` and `sums` of what came before (-inf and 0 at first) become those of all, in place.
    """
    if _compiled(logits):
        shrunk = torch.empty(len(logits))
        native.call(f"exponentials_{NAMES[logits.dtype]}", logits, tops, sums, shrunk, len(logits), logits.shape[1])
        return shrunk
    wide = logits.float()
    top = torch.maximum(tops, wide.amax(-1))
    shrunk, exponentials = (tops - top).exp(), (wide - top[:, None]).exp()
    sums.mul_(shrunk).add_(exponentials.sum(-1))
    tops.copy_(top)
    logits.copy_(exponentials)
    return shrunk
