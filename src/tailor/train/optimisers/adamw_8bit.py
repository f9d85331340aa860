"""AdamW with moments of 8 bits, a scale for each 256 (Dettmers et al. 2022): two bytes a weight instead of eight.

Through bitsandbytes, on CPU and CUDA. Embeddings and head keep fp32 moments, as the paper advises, and so do tensors
of fewer than 4,096 weights, where there is nothing to save.
"""

from __future__ import annotations

from typing import Any

import torch

from tailor.train.optim import Plan
from tailor.train.optimisers.base import groups, tables
from tailor.weights.load import Loaded
from tailor.weights.quantise import bitsandbytes


def make(loaded: Loaded, plan: Plan) -> torch.optim.Optimizer:
    """Raises ResourceError where bitsandbytes is not installed."""
    package: Any = bitsandbytes()

    class AdamW8bit(package.optim.AdamW8bit):  # type: ignore[misc]
        # bitsandbytes nests its tensors in a dict of their own, for a way of sharding that is not used here
        state_dict = torch.optim.Optimizer.state_dict

    optimizer: Any = AdamW8bit(groups(loaded.trainable(), plan), betas=plan.betas, eps=plan.epsilon)
    own = object.__new__(type(optimizer.mng))  # exceptions are kept in a register of the process; these are this run's
    own.initialize()
    own.override_config(tables(loaded), "optim_bits", 32)
    optimizer.mng = own
    return optimizer  # type: ignore[no-any-return]
