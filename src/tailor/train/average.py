"""The average of the weights that a run has lately passed through, which is what it keeps.

Steps at a high rate learn most and leave the weights jumping about a valley; their average lies in it (Polyak &
Juditsky 1992; Izmailov et al. 2018), so that no falling rate has to bring them there. After step n the average moves
towards the weights by 1 / (1 + share (n - 1)): polynomial decay (Shamir & Zhang 2013, with eta = 1 / share - 1), by
which it always spans about the last `share` of the steps, however long the run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

NAME = "average"  # among the optimiser's state of a parameter, so that checkpoints and memory plans hold it


class Average:
    """The averages of what `optimizer` trains; with a share of 0 the weights themselves."""

    def __init__(self, optimizer: torch.optim.Optimizer, share: float) -> None:
        self.optimizer = optimizer
        self.share = share

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after step `step` (from 1)."""
        if not self.share:
            return
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for parameter in parameters:
            held = self.optimizer.state[parameter]
            if NAME not in held:
                held[NAME] = parameter.detach().to(torch.float32, copy=True)
        averages: list[Tensor] = [self.optimizer.state[parameter][NAME] for parameter in parameters]
        rate = 1 / (1 + self.share * (step - 1))
        torch._foreach_lerp_(averages, [parameter.detach().float() for parameter in parameters], rate)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The averages stand in the parameters."""
        averages = {p: held[NAME] for p, held in self.optimizer.state.items() if NAME in held}
        live = {parameter: parameter.detach().clone() for parameter in averages}
        _put(averages)
        try:
            yield
        finally:
            _put(live)


@torch.no_grad()
def _put(values: Mapping[Tensor, Tensor]) -> None:
    for parameter, value in values.items():
        parameter.copy_(value)
