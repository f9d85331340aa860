"""The plan of a run's steps: how many, how large, by which optimiser, at which rate, with the reason for each default.

The rate warms up linearly, then falls as a cosine or a line, or stays. Optimisers are files in `train/optimisers/`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch

from tailor import plugins
from tailor.config import OptimConfig
from tailor.weights.adapter import FULL_BELOW
from tailor.weights.load import Loaded

AVERAGE = 0.1  # share of the steps so far: shorter, and noise is left; longer, and what was worse is


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
    optimizer: str = "adamw"
    average: float = 0.0
    lora_plus_ratio: float | None = None

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


def plan(
    config: OptimConfig, *, rows: int, adapter: str, parameters: int, rate: float = 1.0, passes: float = 1.0
) -> Plan:
    """The plan for `rows` training rows and a model of `parameters` weights tuned as `adapter` (`lora`, `full`).

    `rate` and `passes` are a method's factors on the default learning rate and epochs.
    """
    batch = config.batch_size or (32 if rows >= 5000 else 16 if rows >= 500 else 8)
    epochs = config.epochs or passes * default_epochs(rows, batch, parameters)
    steps = max(1, math.ceil(rows * epochs / batch))
    average = config.average if config.average is not None else (AVERAGE if parameters < FULL_BELOW else 0.0)
    return Plan(
        steps=steps,
        epochs=epochs,
        batch_size=batch,
        learning_rate=config.learning_rate or rate * default_learning_rate(adapter, parameters),
        warmup=max(1, round(config.warmup_ratio * steps)),
        schedule=config.schedule or ("constant" if average else "cosine"),
        min_lr_ratio=config.min_lr_ratio,
        weight_decay=config.weight_decay,
        betas=(config.beta1, config.beta2),
        epsilon=config.epsilon,
        max_grad_norm=config.max_grad_norm,
        average=average,
        optimizer=config.optimizer,
        lora_plus_ratio=config.lora_plus_ratio,
    )


def default_epochs(rows: int, batch: int, parameters: int) -> float:
    """Passes for about 600 steps, between 3 and 12: fewer leave a format half learned, more only repeat the rows. A
    model of under 50M parameters brings so little that it learns the task from the rows: 2,400 steps, between 5 and 20.
    The best step is kept in any case."""
    steps, least, most = (2400, 5.0, 20.0) if parameters < FULL_BELOW else (600, 3.0, 12.0)
    return min(most, max(least, round(steps * batch / rows)))


def default_learning_rate(adapter: str, parameters: int) -> float:
    """LoRA: 2e-4 from 1B parameters on (QLoRA, Dettmers et al. 2023, table 9), growing below with the inverse root of
    the size, at most 3e-3, which is what 5.5M parameters want. Full tuning: 1e-5 from 1B on, and inversely proportional
    to the size below, at most 2e-3: small models are pretrained at rates that much higher too, and with their weights
    averaged (design/015) 1e-3 learns half as fast and 4e-3 no better."""
    if adapter == "lora":
        return min(3e-3, 2e-4 * max(1.0, math.sqrt(1e9 / parameters)))
    return min(2e-3, 1e-5 * max(1.0, 1e9 / parameters))


def make(loaded: Loaded, plan: Plan) -> torch.optim.Optimizer:
    """The optimiser that `plan` names, over what `loaded` trains. Raises ConfigError where there is none such."""
    optimizer: torch.optim.Optimizer = plugins.load("train.optimisers", plan.optimizer).make(loaded, plan)
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, plan: Plan, step: int) -> float:
    """Sets the learning rate of step `step` in every group, at the group's own ratio, and returns it."""
    rate = plan.rate(step)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_ratio"]
    return rate
