"""A dense decoder layer as one step forward and one back, for the families that share the Llama layer's form.

norm, q/k/v, rotary angles, attention over the Tree, output projection, norm, gate and up, down: with autograd that is
some eighty nodes a layer, most of them passes over memory, each keeping its input. Here the backward pass is written
out. It keeps, a row: the residual stream before and between, q/k/v before the angles, what attention gave, gate and up;
everything else is made again by one elementwise pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from tailor.kernels import elementwise as passes
from tailor.kernels.arena import Arena
from tailor.kernels.attend import attend, attend_backward
from tailor.kernels.layout import Batch
from tailor.kernels.linear import Bundle, Dense, read
from tailor.kernels.scratch import frame, scratch

FAMILIES = {"LlamaDecoderLayer", "MistralDecoderLayer", "Qwen2DecoderLayer", "Qwen3DecoderLayer"}
"""Classes of transformers whose forward pass is the one below; `check_model` compares it with their own."""


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """What the layers of one Tree share. `kept` are the rows that the last layer hands on; None: all of them."""

    batches: tuple[Batch, ...]
    cos: Tensor  # fp32 [t, d]
    sin: Tensor
    kept: Tensor | None = None  # int64 [m]
    arena: Arena | None = None  # where what is kept for the backward pass goes


@dataclass(frozen=True, eq=False)
class Norm:
    """RMS norm: weight [d] and epsilon."""

    weight: Tensor
    eps: float

    @cached_property
    def wide(self) -> Tensor:
        """The weight in fp32."""
        return self.weight.detach().float()


@dataclass(frozen=True, eq=False)
class Layer:
    """The parts of one layer, for one pass."""

    before: Norm
    q: Dense
    k: Dense
    v: Dense
    q_norm: Norm | None
    k_norm: Norm | None
    o: Dense
    between: Norm
    gate: Dense
    up: Dense
    down: Dense
    heads: int
    kv: int
    factor: float  # of attention scores
    dtype: torch.dtype  # of the arithmetic

    @cached_property
    def qkv(self) -> Bundle:
        """What reads the norm before, where all rows ask."""
        return Bundle((self.q, self.k, self.v), self.dtype)

    @cached_property
    def asking(self) -> Bundle:
        """What reads the rows that ask, where some do."""
        return Bundle((self.q,), self.dtype)

    @cached_property
    def answering(self) -> Bundle:
        """What reads all rows then."""
        return Bundle((self.k, self.v), self.dtype)

    @cached_property
    def mixing(self) -> Bundle:
        """What reads the outcome of attention."""
        return Bundle((self.o,), self.dtype)

    @cached_property
    def widening(self) -> Bundle:
        """What reads the norm between."""
        return Bundle((self.gate, self.up), self.dtype)

    @cached_property
    def narrowing(self) -> Bundle:
        """What reads the product of gate and up."""
        return Bundle((self.down,), self.dtype)

    def trained(self) -> list[Tensor]:
        """Parameters that want a gradient, in the order of what the backward pass returns."""
        norms = [self.before, self.between, self.q_norm, self.k_norm]
        weights = [norm.weight for norm in norms if norm is not None and norm.weight.requires_grad]
        linear = Bundle((self.q, self.k, self.v, self.o, self.gate, self.up, self.down), self.dtype)
        return [*weights, *linear.trained()]


def read_layer(module: nn.Module, dtype: torch.dtype) -> Layer | None:
    """The parts of a decoder layer; None where its class is not known, or one of its parts is not plain."""
    if type(module).__name__ not in FAMILIES:
        return None
    attention: Any = module.self_attn
    mlp: Any = module.mlp
    linear = [read(getattr(attention, f"{name}_proj")) for name in "qkvo"]
    linear += [read(getattr(mlp, f"{name}_proj")) for name in ("gate", "up", "down")]
    activation = type(mlp.act_fn).__name__
    if any(part is None for part in linear) or activation not in ("SiLUActivation", "SiLU"):
        return None
    if attention.attention_dropout:
        return None
    q, k, v, o, gate, up, down = (part for part in linear if part is not None)
    before, between = _norm(module.input_layernorm), _norm(module.post_attention_layernorm)
    q_norm, k_norm = (_norm(getattr(attention, name, None)) for name in ("q_norm", "k_norm"))
    heads, kv = (len(part.weight) // attention.head_dim for part in (q, k))
    assert before is not None and between is not None
    factor = float(attention.scaling)
    return Layer(before, q, k, v, q_norm, k_norm, o, between, gate, up, down, heads, kv, factor, dtype)


def _norm(module: Any) -> Norm | None:
    return Norm(module.weight, float(module.variance_epsilon)) if module is not None else None


def run(layer: Layer, x: Tensor, rows: Rows, *, again: bool = False) -> Tensor:
    """The residual stream [t, d] after the layer; [m, d] where only some rows are kept.

    `again` is activation checkpointing (Chen et al. 2016): nothing but x is kept, and the layer runs twice.
    """
    out: Tensor = DenseLayer.apply(x, layer, rows, again, *layer.trained())  # type: ignore[no-untyped-call]
    return out


class FinalNorm(torch.autograd.Function):
    """RMS norm in fp32, its outcome in `dtype`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, norm: Norm, dtype: torch.dtype, arena: Arena | None) -> Tensor:
        """x [n, d], which may lie in `arena`, -> [n, d]."""
        y = torch.empty(x.shape, dtype=dtype, device=x.device)
        scale = passes.norm(x.contiguous(), norm.wide, norm.eps, y)
        ctx.save_for_backward(x, scale)
        ctx.norm, ctx.arena = norm, arena
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by x and the weight."""
        x, scale = ctx.saved_tensors
        dy = dy.contiguous()
        dx = passes.norm_backward(dy, x, ctx.norm.wide, scale, None)
        return dx, passes.norm_weight(dy, x, scale) if ctx.needs_input_grad[1] else None, None, None, None


class DenseLayer(torch.autograd.Function):
    """See the head of this file; the trained parameters come as arguments so that autograd knows of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Layer, rows: Rows, again: bool, *trained: Tensor) -> Tensor:
        """x [t, d] -> [t, d], or [m, d]; `again` keeps x alone and makes the rest once more in the backward pass."""
        with frame():
            out, kept = _forward(replace(layer), x, rows) if again else _forward(layer, x, rows, rows.arena)
        ctx.layer, ctx.rows = layer, rows
        ctx.save_for_backward(x, *(() if again else kept))
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by x and by the trained parameters."""
        layer: Layer = ctx.layer
        ctx.layer = replace(layer)  # what was made of its parameters goes with this pass over it
        rows: Rows = ctx.rows
        x, *rest = ctx.saved_tensors
        kept: Sequence[Any] = rest
        if not rest:
            with frame():
                _, kept = _forward(layer, x, rows)
        scale, raw_q, raw_kv, mixed, middle, scale_between, wide = kept[:7]
        inner_q, inner_kv, inner_o, inner_wide, inner_down, *sums = kept[7:]
        raw = Raw(raw_q, raw_kv, layer)
        needed = ctx.needs_input_grad[0]

        dout = dout.contiguous()
        with frame():
            act = scratch(len(wide), wide.shape[1] // 2, like=wide)  # first the gradient by it
            dy = passes.apart(len(dout), dout.shape[1], layer.narrowing.room, like=wide).copy_(dout)
            _, dlow = layer.narrowing.by_input(dy, inner_down, act)
            dwide = passes.swiglu_backward_(wide, act, layer.widening.room)
            down = layer.narrowing.by_parameters(dy, act, dlow)
            normed, _ = _normed(layer, layer.between, middle)
            dnormed = scratch(*normed.shape, like=normed)
            _, gate_up = layer.widening.backward(dwide, normed, inner_wide, dnormed)
            dmiddle = passes.norm_backward(dnormed, middle, layer.between.wide, scale_between, dout)
            between = _norm_gradient(layer.between, dnormed, middle, scale_between)
        with frame():
            dmixed = scratch(*mixed.shape, like=mixed)
            dy = passes.apart(len(dmiddle), dmiddle.shape[1], layer.mixing.room, like=mixed).copy_(dmiddle)
            _, o = layer.mixing.backward(dy, mixed, inner_o, dmixed)
            turned = _turn(layer, rows, raw)
            dheads, heads = dmixed.view(len(dmixed), layer.heads, -1), mixed.view(len(mixed), layer.heads, -1)
            grads = attend_backward(
                dheads, heads, turned.query, turned.key, raw.value, rows.batches, layer.factor, sums
            )
            draw, q_norm, k_norm = _turn_back(layer, rows, raw, turned, grads)
            normed, _ = _normed(layer, layer.before, x)
            dfirst, qkv = _project_backward(
                layer, rows, normed, draw, (inner_q, inner_kv), needed or layer.before.weight.requires_grad
            )
            before = _norm_gradient(layer.before, dfirst, x, scale)
            dx = None
            if needed and dfirst is not None:
                past = dmiddle
                if rows.kept is not None:
                    past = torch.zeros_like(x).index_add_(0, rows.kept, dmiddle)  # padding stands there twice, as zeros
                dx = passes.norm_backward(dfirst, x, layer.before.wide, scale, past)
        return dx, None, None, None, *before, *between, *q_norm, *k_norm, *qkv, *o, *gate_up, *down


def _forward(
    layer: Layer, x: Tensor, rows: Rows, arena: Arena | None = None
) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    """The layer, and what its backward pass reads beside x; all that is large in `arena`, if given."""

    def empty(*shape: int, dtype: torch.dtype = layer.dtype) -> Tensor:
        return arena.take(dtype, *shape) if arena is not None else torch.empty(shape, dtype=dtype, device=x.device)

    room = layer.qkv.room if rows.kept is None else 0
    normed, scale = _normed(layer, layer.before, x, room)
    raw, inner_q, inner_kv = _project(layer, rows, normed, empty)
    turned = _turn(layer, rows, raw)
    width = layer.heads * raw.value.shape[-1]
    mixed = empty(len(turned.query), width + passes.gap(width, layer.mixing.room))[:, :width]
    heads = mixed.view(len(mixed), layer.heads, -1)
    sums = attend(turned.query, turned.key, raw.value, rows.batches, layer.factor, heads)
    y, inner_o = layer.mixing.forward(mixed, scratch(len(mixed), x.shape[1], like=mixed))
    past = x if rows.kept is None else x[rows.kept]
    stream = torch.promote_types(x.dtype, y.dtype)
    middle = torch.add(past, y, out=empty(*y.shape, dtype=stream))

    normed, scale_between = _normed(layer, layer.between, middle, layer.widening.room)
    wide, inner_wide = layer.widening.forward(normed, empty(len(normed), len(layer.gate.weight) + len(layer.up.weight)))
    _, inner_down = layer.narrowing.forward(passes.swiglu(wide, layer.narrowing.room), y)
    inner = (inner_q, inner_kv, inner_o, inner_wide, inner_down)
    out = torch.add(middle, y, out=empty(*y.shape, dtype=stream))
    return out, (scale, raw.q, raw.kv, mixed, middle, scale_between, wide, *inner, *sums)


def _normed(layer: Layer, norm: Norm, x: Tensor, room: int = 0) -> tuple[Tensor, Tensor]:
    """(x after the norm, in scratch memory with `room` behind each row; what its backward pass reads)."""
    n, d = x.shape
    out = scratch(n, d + room, like=x, dtype=layer.dtype)[:, :d]
    return out, passes.norm(x, norm.wide, norm.eps, out)


@dataclass(frozen=True, eq=False)
class Raw:
    """q [m, heads * d], and k and v [t, 2 * kv * d], before angles; views of one matrix where all rows are kept."""

    q: Tensor
    kv: Tensor
    layer: Layer

    @cached_property
    def query(self) -> Tensor:
        """[m, heads, d]."""
        return self.q.view(len(self.q), self.layer.heads, -1)

    @cached_property
    def key(self) -> Tensor:
        """[t, kv, d]."""
        return self.kv.view(len(self.kv), 2 * self.layer.kv, -1)[:, : self.layer.kv]

    @cached_property
    def value(self) -> Tensor:
        """[t, kv, d]."""
        return self.kv.view(len(self.kv), 2 * self.layer.kv, -1)[:, self.layer.kv :]


@dataclass(frozen=True, eq=False, slots=True)
class Turned:
    """Query and key with their angles, and 1 / rms of their heads."""

    query: Tensor
    key: Tensor
    query_scale: Tensor
    key_scale: Tensor


def _project(
    layer: Layer, rows: Rows, normed: Tensor, empty: Callable[..., Tensor]
) -> tuple[Raw, Tensor | None, Tensor | None]:
    """Queries of the rows that are kept, keys and values of all; and what their adapters keep."""
    width = len(layer.q.weight)
    if rows.kept is None:
        y = empty(len(normed), width + len(layer.k.weight) + len(layer.v.weight))
        y, inner = layer.qkv.forward(normed, y)
        return Raw(y[:, :width], y[:, width:], layer), inner, None
    q, inner_q = layer.asking.forward(normed[rows.kept])
    kv, inner_kv = layer.answering.forward(normed)
    return Raw(q, kv, layer), inner_q, inner_kv


def _project_backward(
    layer: Layer, rows: Rows, normed: Tensor, draw: Raw, inner: Sequence[Tensor | None], wanted: bool
) -> tuple[Tensor | None, list[Tensor]]:
    dnormed = scratch(*normed.shape, like=normed) if wanted else None
    if rows.kept is None:
        whole = draw.q.as_strided((len(draw.q), draw.q.shape[1] + draw.kv.shape[1]), draw.q.stride())
        return layer.qkv.backward(whole, normed, inner[0], dnormed)
    some = normed[rows.kept]
    dq, q = layer.asking.backward(draw.q, some, inner[0], torch.empty_like(some) if wanted else None)
    dkv, kv = layer.answering.backward(draw.kv, normed, inner[1], dnormed)
    if dq is not None and dkv is not None:
        dkv.index_add_(0, rows.kept, dq)
    return dkv, [*q, *kv]


def _turn(layer: Layer, rows: Rows, raw: Raw) -> Turned:
    cos, sin = rows.cos, rows.sin
    key, key_scale = passes.rotate(raw.key, *_norm_of(layer.k_norm), cos, sin)
    if rows.kept is not None:
        cos, sin = cos[rows.kept], sin[rows.kept]
    query, query_scale = passes.rotate(raw.query, *_norm_of(layer.q_norm), cos, sin)
    return Turned(query, key, query_scale, key_scale)


def _turn_back(
    layer: Layer, rows: Rows, raw: Raw, turned: Turned, grads: tuple[Tensor, Tensor, Tensor]
) -> tuple[Raw, list[Tensor], list[Tensor]]:
    """Gradients by q, k and v before angles, laid out as these were, and by the weights of their norms."""
    dq, dk, dv = grads
    if rows.kept is None:
        width = raw.q.shape[1]
        both = width + raw.kv.shape[1]
        whole = scratch(len(raw.q), both + layer.qkv.room, like=raw.q)
        draw = Raw(whole[:, :width], whole[:, width:both], layer)
    else:
        draw = Raw(torch.empty_like(raw.q), torch.empty_like(raw.kv), layer)
    draw.value.copy_(dv)
    cos, sin = rows.cos, rows.sin
    k_norm = passes.rotate_backward(
        dk, raw.key, _norm_of(layer.k_norm)[0], turned.key_scale, cos, sin, draw.key, _trains(layer.k_norm)
    )
    if rows.kept is not None:
        cos, sin = cos[rows.kept], sin[rows.kept]
    q_norm = passes.rotate_backward(
        dq, raw.query, _norm_of(layer.q_norm)[0], turned.query_scale, cos, sin, draw.query, _trains(layer.q_norm)
    )
    return draw, *([grad] if grad is not None else [] for grad in (q_norm, k_norm))  # type: ignore[return-value]


def _norm_of(norm: Norm | None) -> tuple[Tensor | None, float]:
    return (norm.wide, norm.eps) if norm is not None else (None, 0.0)


def _trains(norm: Norm | None) -> bool:
    return norm is not None and norm.weight.requires_grad


def _norm_gradient(norm: Norm, dy: Tensor | None, x: Tensor, scale: Tensor) -> list[Tensor]:
    return [passes.norm_weight(dy, x, scale)] if norm.weight.requires_grad and dy is not None else []
