"""Adafactor (Shazeer & Stern 2018): the second moment of a matrix from sums of its rows and columns, no first moment.

It keeps next to nothing, at the price of slower progress. Steps are absolute, as with AdamW, whose learning rates
then fit: the paper scales them by the size of the weights instead, at which a zero B of an adapter would hardly move.
"""

from __future__ import annotations

import torch

from tailor.train.optim import Plan
from tailor.train.optimisers.base import groups
from tailor.weights.load import Loaded

BETA2_DECAY = -0.8  # the paper's: step t remembers with 1 - t^-0.8
ABSOLUTE = 1.0  # torch scales by max(this, size of the weights), and weights are smaller than 1


def make(loaded: Loaded, plan: Plan) -> torch.optim.Optimizer:
    return torch.optim.Adafactor(
        groups(loaded.trainable(), plan), lr=plan.learning_rate, beta2_decay=BETA2_DECAY, eps=(None, ABSOLUTE), d=1.0
    )
