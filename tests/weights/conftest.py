"""Tiny random models in folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, Qwen3Config, Qwen3ForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

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
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "tied": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, tie_word_embeddings=True)),
    "untied": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, tie_word_embeddings=False)),
    "moe": lambda: Qwen3MoeForCausalLM(
        Qwen3MoeConfig(**SIZES, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16)
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
