"""The optimiser and its plan: how many steps, how large, at which rate, with the reason for each default.

AdamW with decoupled weight decay (Loshchilov & Hutter 2019), linear warm-up, then cosine, linear or constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from tailor.config import OptimConfig
from tailor.weights.adapter import FULL_BELOW


@dataclass(frozen=True)
class Plan:
    """Everything about a run's steps that is decided before the first."""

    steps: int
    epochs: float
    batch_size: int
    learning_rate: float
    warmup: int
    schedule: str
    min_lr_ratio: float
    weight_decay: float
    betas: tuple[float, float]
    epsilon: float
    max_grad_norm: float

    def rate(self, step: int) -> float:
        """The learning rate of step `step` (from 0)."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        shape = {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}[self.schedule]
        return self.learning_rate * (self.min_lr_ratio + (1 - self.min_lr_ratio) * shape)

    def facts(self) -> dict[str, Any]:
        """The plan as plain values, for the run's record."""
        return asdict(self)


def plan(config: OptimConfig, *, rows: int, adapter: str, parameters: int) -> Plan:
    """The plan for `rows` training rows and a model of `parameters` weights tuned as `adapter` (`lora`, `full`)."""
    batch = config.batch_size or (16 if rows >= 500 else 8)
    epochs = config.epochs or default_epochs(rows, batch, parameters)
    steps = max(1, math.ceil(rows * epochs / batch))
    return Plan(
        steps=steps,
        epochs=epochs,
        batch_size=batch,
        learning_rate=config.learning_rate or default_learning_rate(adapter, parameters),
        warmup=max(1, round(config.warmup_ratio * steps)),
        schedule=config.schedule,
        min_lr_ratio=config.min_lr_ratio,
        weight_decay=config.weight_decay,
        betas=(config.beta1, config.beta2),
        epsilon=config.epsilon,
        max_grad_norm=config.max_grad_norm,
    )


def default_epochs(rows: int, batch: int, parameters: int) -> float:
    """Passes for about 600 steps, between 3 and 12: fewer leave a format half learned, more only repeat the rows. A
    model of under 50M parameters brings so little that it learns the task from the rows: 3,000 steps, between 5 and 12.
    The best step is kept in any case."""
    steps, least = (3000, 5.0) if parameters < FULL_BELOW else (600, 3.0)
    return min(12.0, max(least, round(steps * batch / rows)))


def default_learning_rate(adapter: str, parameters: int) -> float:
    """2e-4 for LoRA (QLoRA, Dettmers et al. 2023, table 9). Full tuning: 1e-5 from 1B parameters on, and inversely
    proportional to the size below, at most 1e-3: small models are pretrained at rates that much higher too."""
    if adapter == "lora":
        return 2e-4
    return min(1e-3, 1e-5 * max(1.0, 1e9 / parameters))


def adamw(parameters: Mapping[str, torch.nn.Parameter], plan: Plan) -> torch.optim.AdamW:
    """AdamW over `parameters` in their order; matrices decay, vectors (norms, biases) do not."""
    matrices = [parameter for parameter in parameters.values() if parameter.ndim >= 2]
    vectors = [parameter for parameter in parameters.values() if parameter.ndim < 2]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=plan.learning_rate,
        betas=plan.betas,
        eps=plan.epsilon,
        fused=True,  # one pass over memory an update; on the CPU three times faster than a loop over tensors
    )


def set_rate(optimizer: torch.optim.Optimizer, plan: Plan, step: int) -> float:
    """Sets and returns the learning rate of step `step`."""
    rate = plan.rate(step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate
