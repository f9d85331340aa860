"""Tiny random models in folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    GptOssConfig,
    GptOssForCausalLM,
    Llama4ForCausalLM,
    Llama4TextConfig,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from tailor.config import ModelConfig
from tailor.weights.load import Loaded, hushed, load

SIZES = {
    "vocab_size": 61,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LATENT = {  # DeepSeek's attention; its first layer is dense, the second has routed experts and a shared one
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 8,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
YARN = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 64, "rope_theta": 1e4}
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "tied": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, tie_word_embeddings=True)),
    "untied": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, tie_word_embeddings=False)),
    "wide": lambda: Qwen3ForCausalLM(  # for 4 bits: 64 weights share a scale
        Qwen3Config(**SIZES | {"hidden_size": 64, "head_dim": 16, "intermediate_size": 128}, tie_word_embeddings=False)
    ),
    "odd": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES | {"hidden_size": 64, "head_dim": 16})),
    "moe": lambda: Qwen3MoeForCausalLM(
        Qwen3MoeConfig(**SIZES, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16)
    ),
    "deepseek": lambda: DeepseekV3ForCausalLM(DeepseekV3Config(**SIZES | LATENT)),
    "wide-deepseek": lambda: DeepseekV3ForCausalLM(
        DeepseekV3Config(**SIZES | LATENT | {"hidden_size": 64, "q_lora_rank": 64, "kv_lora_rank": 64})
    ),
    "llama4": lambda: Llama4ForCausalLM(
        Llama4TextConfig(**SIZES, num_local_experts=4, intermediate_size_mlp=48, interleave_moe_layer_step=2)
    ),
    "gpt-oss": lambda: GptOssForCausalLM(
        GptOssConfig(**SIZES, num_local_experts=4, num_experts_per_tok=2, sliding_window=16, rope_parameters=YARN)
    ),
}
IDS = torch.arange(3, 30)[None]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def write(folder: Path, kind: str = "tied", dtype: torch.dtype = torch.float32) -> str:
    """Saves a random model and a stand-in for its tokenizer; returns the folder's name."""
    torch.manual_seed(0)
    model = MODELS[kind]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    with hushed():
        model.to(dtype).save_pretrained(folder)
    (folder / "tokenizer.json").write_text("{}")
    return str(folder)


@pytest.fixture
def saved(tmp_path: Path) -> str:
    return write(tmp_path / "base")


def fresh(name: str, **settings: object) -> Loaded:
    """The model in `name`, in fp32 unless said otherwise."""
    return load(ModelConfig.model_validate({"name": name, "dtype": "fp32"} | settings), device="cpu", seed=3)


def stock(name: str, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    """The model in `name` as transformers loads it."""
    with hushed():
        model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
    return model.eval()


def with_adapter(model: torch.nn.Module, folder: Path) -> PeftModel:
    """`model` with the adapter in `folder` as PEFT loads it."""
    with hushed():
        return PeftModel.from_pretrained(model, folder)


def disturb(loaded: Loaded, seed: int = 5) -> None:
    """Stands for training: every trained parameter moves."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in loaded.trainable().values():
            parameter.add_(torch.randn_like(parameter) * 0.05)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        out: torch.Tensor = model(IDS).logits
    return out
