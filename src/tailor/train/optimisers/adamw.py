"""AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019). Two fp32 numbers a weight."""

from __future__ import annotations

import torch

from tailor.train.optim import Plan
from tailor.train.optimisers.base import groups
from tailor.weights.load import Loaded


def make(loaded: Loaded, plan: Plan) -> torch.optim.Optimizer:
    """One pass over memory an update; on the CPU three times faster than a loop over tensors."""
    return torch.optim.AdamW(groups(loaded.trainable(), plan), betas=plan.betas, eps=plan.epsilon, fused=True)
