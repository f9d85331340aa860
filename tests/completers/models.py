"""Tiny random models and a byte tokenizer for the tests of this room: every id is its byte, 256 ends an answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.models.deepseek_v3 import DeepseekV3Config
from transformers.models.gemma3 import Gemma3TextConfig
from transformers.models.llama import LlamaConfig
from transformers.models.llama4 import Llama4TextConfig
from transformers.models.qwen3 import Qwen3Config
from transformers.models.qwen3_5 import Qwen3_5TextConfig
from transformers.models.qwen3_moe import Qwen3MoeConfig

from tailor.records import Request, message
from tailor.weights.load import Loaded

STOP = 256
SHAPE = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "bos_token_id": None,
    "eos_token_id": STOP,
    "pad_token_id": None,
}
MOE = {"moe_intermediate_size": 24, "num_experts_per_tok": 2}
LATENT = {
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 6,
    "n_routed_experts": 4,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}
CHUNKED = {
    "attention_chunk_size": 12,
    "num_local_experts": 2,
    "intermediate_size_mlp": 48,
    "no_rope_layers": [1, 1, 1, 0],
}
CONFIGS: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**SHAPE),
    "qwen3": lambda: Qwen3Config(**SHAPE),
    "qwen3-moe": lambda: Qwen3MoeConfig(**SHAPE, **MOE, num_experts=4),
    "gemma3": lambda: Gemma3TextConfig(
        **SHAPE, sliding_window=12, layer_types=["sliding_attention", "full_attention"] * 2
    ),
    "llama4": lambda: Llama4TextConfig(**SHAPE | CHUNKED),
    "deepseek-v3": lambda: DeepseekV3Config(**{k: v for k, v in (SHAPE | MOE | LATENT).items() if k != "head_dim"}),
    "qwen3.5": lambda: Qwen3_5TextConfig(
        **SHAPE,
        layer_types=["linear_attention", "full_attention"] * 2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
    ),
}


def tiny(family: str = "qwen3", seed: int = 0) -> Loaded:
    """A random fp32 model whose logits are far enough apart that the order of sums decides no token."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CONFIGS[family](), dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(5)
    return Loaded(model, Path(), torch.device("cpu"), torch.float32, family)


class Bytes:
    """records.Tokenizer of bytes."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        return bytes(i for i in ids if i < STOP).decode(errors="replace")


def renderer(max_length: int = 512) -> Any:
    """What a completer needs of a render.Renderer: the messages' texts, one line each."""

    def prompt_ids(request: Request) -> list[int]:
        return Bytes().encode("".join(turn.text + "\n" for turn in request.messages))

    return SimpleNamespace(
        tokenizer=Bytes(), stop_ids=frozenset({STOP}), notes=[], max_length=max_length, prompt_ids=prompt_ids
    )


def ask(text: str) -> Request:
    """A request of one user turn."""
    return Request(messages=(message("user", text),))
