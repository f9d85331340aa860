"""What training is made of: the log-probs of a Tree's Targets, with gradients, without computing a token twice.

`logprobs` takes the fastest path that the model allows. Two functions hold the definition: `hidden_states` runs the
model's own modules over a Tree, `target_logprobs` its head; they serve every family and are what the fast path is
tested against.
"""

from __future__ import annotations

from tailor.kernels.check import check_model
from tailor.kernels.fast import padded, why_not_fast
from tailor.kernels.head import target_logprobs
from tailor.kernels.logprobs import logprobs
from tailor.kernels.native import why_not as why_not_compiled
from tailor.kernels.trunk import hidden_states, why_not_share

__all__ = [
    "check_model",
    "hidden_states",
    "logprobs",
    "padded",
    "target_logprobs",
    "why_not_compiled",
    "why_not_fast",
    "why_not_share",
]
