"""Tiny random models of each family, and a token trie that lays Datums out as a Tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    DeepseekV3Config,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GptOssConfig,
    GraniteConfig,
    Llama4TextConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
)

from tailor.records import Datum, Segment, Source, Targets, Tree
from tailor.weights.load import capped

VOCABULARY = 61
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
HYBRID = ["sliding_attention", "full_attention"] * 2
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}

# Windows, chunks and temperature steps are smaller than the rows of the tests, so that each of them matters.
FAMILIES: dict[str, Callable[[], object]] = {
    "llama": lambda: LlamaConfig(**SIZES, attention_bias=True),
    "qwen3": lambda: Qwen3Config(**SIZES, tie_word_embeddings=True),
    "qwen3-moe": lambda: Qwen3MoeConfig(**SIZES, **EXPERTS, num_experts=4),
    "mistral": lambda: MistralConfig(**SIZES, sliding_window=5),
    "qwen2": lambda: Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=5, layer_types=HYBRID),
    "gemma2": lambda: Gemma2Config(
        **SIZES, sliding_window=5, query_pre_attn_scalar=8, attn_logit_softcapping=2.0, final_logit_softcapping=3.0
    ),
    "gemma3": lambda: Gemma3TextConfig(
        **SIZES, sliding_window=5, layer_types=HYBRID, query_pre_attn_scalar=8, final_logit_softcapping=3.0
    ),
    "llama4": lambda: Llama4TextConfig(
        **SIZES, attention_chunk_size=6, num_local_experts=2, intermediate_size_mlp=48, floor_scale=4, attn_scale=0.5
    ),
    "deepseek-v3": lambda: DeepseekV3Config(
        **(SIZES | {"num_key_value_heads": 4}),
        **EXPERTS,
        q_lora_rank=16,
        kv_lora_rank=16,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=12,
        n_routed_experts=4,
        n_group=2,
        topk_group=1,
        first_k_dense_replace=1,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    ),
    "gpt-oss": lambda: GptOssConfig(
        **SIZES,
        sliding_window=5,
        num_local_experts=4,
        num_experts_per_tok=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    ),
    "cohere": lambda: CohereConfig(**SIZES, logit_scale=0.3),
    "granite": lambda: GraniteConfig(**SIZES, logits_scaling=3.0, attention_multiplier=0.35),
    "gpt2": lambda: GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=64,
        bos_token_id=1,
        eos_token_id=2,
        attn_pdrop=0.0,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
    ),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def build(family: str, **changes: int) -> PreTrainedModel:
    """A random fp32 model whose weights are large enough for attention to be far from uniform."""
    torch.manual_seed(7)
    config: Any = FAMILIES[family]()
    for name, value in changes.items():
        setattr(config, name, value)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    capped(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.2)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


@pytest.fixture(params=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> PreTrainedModel:
    return build(request.param)


@pytest.fixture
def llama() -> PreTrainedModel:
    return build("llama")


def datum(ids: Sequence[int], group: int = 0, prompt: int = 1) -> Datum:
    """Ids of which those after the first `prompt` are trained."""
    weights = (np.arange(len(ids)) >= prompt).astype(np.float32)
    return Datum(np.array(ids, np.int32), weights, group, Source("test", group + 1))


def rows() -> list[Datum]:
    """Nine rows that share prefixes on three levels, and two strangers, one of which repeats tokens of the others."""
    draw = np.random.default_rng(3)

    def some(count: int) -> list[int]:
        return draw.integers(3, VOCABULARY, count).tolist()

    system, users = some(9), [some(4), some(7)]
    ids = [system + user + some(length) for user in users for length in (3, 6, 11)]
    ids += [system + some(2), system[:4] + some(8), ids[0] + some(3)]
    ids += [some(13), system[2:] + users[0]]
    return [datum(row, group, prompt=len(row) // 2) for group, row in enumerate(ids)]


def plant(datums: Sequence[Datum], share: bool = True) -> Tree:
    """The trie of the Datums (or one root each) as a Tree: written for tests, token by token."""
    ids: list[int] = []
    positions: list[int] = []
    segments: list[Segment] = []
    places: list[list[int]] = [[] for _ in datums]

    def grow(members: list[int], depth: int, parent: int) -> None:
        start = len(ids)
        while True:
            heads = {int(datums[m].ids[depth]) for m in members if len(datums[m]) > depth}
            if len(heads) != 1:
                break
            for member in members:
                if len(datums[member]) > depth:
                    places[member].append(len(ids))
            ids.append(heads.pop())
            positions.append(depth)
            depth += 1
        if len(ids) > start:
            segments.append(Segment(parent, start, len(ids) - start))
            parent = len(segments) - 1
        for head in sorted(heads):
            grow([m for m in members if len(datums[m]) > depth and datums[m].ids[depth] == head], depth, parent)

    if share:
        grow(list(range(len(datums))), 0, -1)
    else:
        for member in range(len(datums)):
            grow([member], 0, -1)
    columns = [
        (places[index][at - 1], int(row.ids[at]), float(row.weights[at]), index)
        for index, row in enumerate(datums)
        for at in range(1, len(row))
        if row.weights[at]
    ]
    at, tokens, weights, owners = zip(*columns)
    targets = Targets(
        np.array(at, np.int32), np.array(tokens, np.int32), np.array(weights, np.float32), np.array(owners, np.int32)
    )
    return Tree(np.array(ids, np.int32), np.array(positions, np.int32), tuple(segments), targets, tuple(datums))
