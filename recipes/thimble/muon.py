"""Muon with the matrices of one shape orthogonalised together.

torch.optim.Muon walks over the matrices one by one; on two busy cores its many small products cost more than the
backward pass. One batched product for all matrices of a shape gives the same update in a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Keller Jordan's quintic, as in torch.optim.Muon


def orthogonal(stack: Tensor, rounds: int = 5) -> Tensor:
    """Newton-Schulz: every matrix of the stack (wide or square) with its singular values brought near one."""
    a, b, c = COEFFICIENTS
    x = stack.bfloat16()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, scaled by the aspect ratio; decoupled weight decay."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            stacks: dict[tuple[int, int], list[Tensor]] = {}
            for parameter in group["params"]:
                stacks.setdefault((min(parameter.shape), max(parameter.shape)), []).append(parameter)
            for parameters in stacks.values():
                self.step_stack(parameters, group)

    def step_stack(self, parameters: list[Tensor], group: dict) -> None:
        """One update for matrices of one shape, tall ones turned on their side."""
        moved = []
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
            buffer = self.state[parameter]["momentum_buffer"]
            buffer.lerp_(parameter.grad, 1 - group["momentum"])
            update = parameter.grad.lerp(buffer, group["momentum"])
            moved.append(update.mT if parameter.shape[0] > parameter.shape[1] else update)
        for parameter, update in zip(parameters, orthogonal(torch.stack(moved)), strict=True):
            tall = parameter.shape[0] > parameter.shape[1]
            scale = max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_((update.mT if tall else update).to(parameter.dtype), alpha=-group["lr"] * scale)
