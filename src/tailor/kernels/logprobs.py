"""The one way from a Tree to the log-probs of its Targets."""

from __future__ import annotations

from torch import Tensor, nn

from tailor.kernels import fast
from tailor.kernels.head import target_logprobs
from tailor.kernels.trunk import hidden_states
from tailor.records import Tree


def logprobs(model: nn.Module, tree: Tree, *, reference: bool = False) -> Tensor:
    """fp32 log-probs [n] of the targets of `tree`, in nats, with gradients to every trained parameter.

    Takes the fastest path that the model allows; `reference` keeps to the general one.
    """
    found = None if reference else fast.logprobs(model, tree)
    return target_logprobs(model, hidden_states(model, tree), tree.targets) if found is None else found
