"""The two passes over a model that training is made of: hidden rows of a Tree, and log-probs of its Targets."""

from __future__ import annotations

from tailor.kernels.check import check_model
from tailor.kernels.head import target_logprobs
from tailor.kernels.trunk import hidden_states, why_not_share

__all__ = ["check_model", "hidden_states", "target_logprobs", "why_not_share"]
