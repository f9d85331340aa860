"""Parameter groups: what decays, and what learns at a rate of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from tailor.errors import ConfigError
from tailor.train.optim import Plan
from tailor.weights.load import Loaded


def groups(parameters: Mapping[str, torch.nn.Parameter], plan: Plan) -> list[dict[str, Any]]:
    """`parameters` in their order as groups of torch: matrices decay, vectors (norms, biases) do not; with LoRA+
    (Hayou et al. 2024) the B matrices of adapters learn `plan.lora_plus_ratio` times as fast as the rest.

    Raises ConfigError where such a ratio is asked for and no adapter is trained.
    """
    ratio = plan.lora_plus_ratio or 1.0
    parts: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in parameters.items():
        own = (plan.weight_decay if parameter.ndim >= 2 else 0.0, ratio if ".lora_B." in name else 1.0)
        parts.setdefault(own, []).append(parameter)
    if plan.lora_plus_ratio is not None and not any(".lora_B." in name for name in parameters):
        raise ConfigError("optim.lora_plus_ratio is for adapters, and all weights are tuned", fix="leave it out")
    return [
        {"params": held, "weight_decay": decay, "lr": plan.learning_rate * faster, "rate_ratio": faster}
        for (decay, faster), held in parts.items()
    ]


def tables(loaded: Loaded) -> list[torch.nn.Parameter]:
    """The trained weights whose rows are tokens: embeddings and head. Most rows get no gradient in a step."""
    head = loaded.model.get_output_embeddings()  # type: ignore[operator]
    modules = [m for m in loaded.model.modules() if isinstance(m, torch.nn.Embedding) or m is head]
    found = {id(p): p for module in modules for p in module.parameters() if p.requires_grad and p.ndim == 2}
    return list(found.values())
