"""The one way from a Tree to the log-probs of its Targets."""

from __future__ import annotations

from torch import Tensor, nn

from tailor.kernels import fast
from tailor.kernels.head import target_logprobs
from tailor.kernels.trunk import hidden_states
from tailor.records import Tree


def logprobs(model: nn.Module, tree: Tree, *, reference: bool = False, again: int = 0) -> Tensor:
    """fp32 log-probs [n] of the targets of `tree`, in nats, with gradients to every trained parameter.

    Takes the fastest path that the model allows; `reference` keeps to the general one. The first `again` layers keep
    nothing but their input and run once more in the backward pass: memory for time, with the same outcome.
    """
    found = None if reference else fast.logprobs(model, tree, again=again)
    if found is not None:
        return found
    return target_logprobs(model, hidden_states(model, tree, again=again), tree.targets)
