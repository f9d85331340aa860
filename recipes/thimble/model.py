"""A plain Qwen3 forward pass for pretraining on CPU: token ids in, weighted cross-entropy out.

The parameters carry transformers' own names, so the state dict loads into ``Qwen3ForCausalLM`` unchanged;
``tests/recipes/test_thimble.py`` holds the two to the same logits. Why not transformers' class itself: fused
q/k/v and gate/up products, a head that runs only where a token carries loss, and no mask work make it faster.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The numbers of a Qwen3 architecture that the forward pass needs."""

    vocab_size: int = 4096
    hidden_size: int = 256
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 64
    intermediate_size: int = 704
    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6

    def config(self, special: dict[str, int]) -> dict[str, Any]:
        """The ``config.json`` that transformers reads."""
        numbers = asdict(self)
        theta = numbers.pop("rope_theta")
        return {
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            **numbers,
            "rope_parameters": {"rope_type": "default", "rope_theta": theta},
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "initializer_range": 0.02,
            "tie_word_embeddings": True,
            "use_cache": True,
            "use_sliding_window": False,
            "dtype": "bfloat16",
            **special,
        }


class RMSNorm(nn.Module):
    """RMS norm with fp32 statistics, as transformers computes it."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight.to(x.dtype) * normed.to(x.dtype)


class Attention(nn.Module):
    """Grouped-query attention with RMS-normed queries and keys."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.dim = shape.num_attention_heads, shape.num_key_value_heads, shape.head_dim
        q, kv = self.heads * self.dim, self.kv_heads * self.dim
        self.q_proj = nn.Linear(shape.hidden_size, q, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, kv, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, kv, bias=False)
        self.o_proj = nn.Linear(q, shape.hidden_size, bias=False)
        self.q_norm = RMSNorm(shape.head_dim, eps=shape.rms_norm_eps)
        self.k_norm = RMSNorm(shape.head_dim, eps=shape.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, _ = x.shape
        fused = F.linear(x, torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight]).to(x.dtype))
        heads = fused.view(batch, length, self.heads + 2 * self.kv_heads, self.dim)
        q, k, v = heads.split([self.heads, self.kv_heads, self.kv_heads], dim=2)
        q = rotate(self.q_norm(q), cos, sin).transpose(1, 2)
        k = rotate(self.k_norm(k), cos, sin).transpose(1, 2)
        groups = self.heads // self.kv_heads
        k = k.repeat_interleave(groups, dim=1)
        v = v.transpose(1, 2).repeat_interleave(groups, dim=1)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return F.linear(out.transpose(1, 2).reshape(batch, length, -1), self.o_proj.weight.to(x.dtype))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding in the half-split layout that transformers uses."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class MLP(nn.Module):
    """SwiGLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        fused = F.linear(x, torch.cat([self.gate_proj.weight, self.up_proj.weight]).to(x.dtype))
        gate, up = fused.chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, self.down_proj.weight.to(x.dtype))


class Layer(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.hidden_size, eps=shape.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, eps=shape.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Backbone(nn.Module):
    """Everything below the head; the module names give transformers' parameter names."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = RMSNorm(shape.hidden_size, eps=shape.rms_norm_eps)


class Thimble(nn.Module):
    """The model: ``hidden`` gives the normed states, ``loss`` the weighted mean cross-entropy of chosen positions."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        super().__init__()
        self.shape = shape
        self.model = Backbone(shape)
        generator = torch.Generator().manual_seed(seed)
        residual = (2 * shape.num_hidden_layers) ** -0.5
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                std = 0.02 if "embed" in name else parameter.shape[1] ** -0.5 * 0.6
                nn.init.normal_(parameter, std=std, generator=generator)
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.data.mul_(residual)

    def hidden(self, ids: Tensor, mask: Tensor | None = None, dtype: torch.dtype = torch.bfloat16) -> Tensor:
        half = self.shape.head_dim // 2
        frequency = self.shape.rope_theta ** (-torch.arange(half, dtype=torch.float32) / half)
        angles = torch.outer(torch.arange(ids.shape[1], dtype=torch.float32), frequency).repeat(1, 2)
        cos, sin = angles.cos()[:, None].to(dtype), angles.sin()[:, None].to(dtype)
        x = F.embedding(ids, self.model.embed_tokens.weight).to(dtype)
        for layer in self.model.layers:
            x = layer(x, cos, sin, mask)
        return self.model.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.model.embed_tokens.weight.to(hidden.dtype))

    def loss(self, ids: Tensor, rows: Tensor, targets: Tensor, weights: Tensor, mask: Tensor | None = None) -> Tensor:
        """Cross-entropy of ``targets`` at the flat positions ``rows``, summed with ``weights``."""
        picked = self.hidden(ids, mask).flatten(0, 1)[rows]
        losses = F.cross_entropy(self.logits(picked).float(), targets, reduction="none")
        return (losses * weights).sum()
