"""The training step: the exact gradient of one step's loss, whatever the split into micro-batches.

Each named term of a loss is a sum; it is divided by its units, counted over the whole step before the first forward
pass, so that micro-batches add up to the gradient of the whole (huggingface/trl#2175 shows what a mean of means does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from tailor.kernels import hidden_states, target_logprobs
from tailor.records import Datum, Progress, Tree, quiet
from tailor.render.pack import plant
from tailor.run import Run
from tailor.train.source import Rows, method_of
from tailor.weights.load import Loaded


class Step:
    """Computes losses and gradients of `loaded` under the method of `run`."""

    def __init__(
        self,
        run: Run,
        loaded: Loaded,
        parameters: Mapping[str, torch.nn.Parameter],
        *,
        share: bool,
        max_grad_norm: float,
    ) -> None:
        self.method, self.settings = method_of(run)
        self.loaded = loaded
        self.parameters = list(parameters.values())
        self.token_budget = run.config.train.token_budget
        self.share = share
        self.max_grad_norm = max_grad_norm

    def gradients(self, datums: Sequence[Datum]) -> tuple[float, float]:
        """Leaves the clipped gradient of the step in the parameters; returns (loss, norm of the gradient before)."""
        for parameter in self.parameters:
            parameter.grad = None
        self.loaded.model.train()
        units = self.method.units(datums, self.settings)
        loss = 0.0
        for tree in plant(datums, self.token_budget, share=self.share):
            part = self._mean(tree, units)
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        return loss, norm.item()

    @torch.no_grad()
    def loss(self, trees: Sequence[Tree], units: Mapping[str, float]) -> float:
        """The loss over all trees, without gradients and dropout."""
        self.loaded.model.eval()
        return sum(self._mean(tree, units).item() for tree in trees)

    def _mean(self, tree: Tree, units: Mapping[str, float]) -> torch.Tensor:
        """What `tree` contributes to the loss: the sum of its terms, each over the units of the whole."""
        with self.loaded.autocast():
            hidden = hidden_states(self.loaded.model, tree)
            logprobs = target_logprobs(self.loaded.model, hidden, tree.targets)
        terms = self.method.loss(logprobs, tree, self.settings)
        return torch.stack([terms[name] / units[name] for name in sorted(terms)]).sum()


def validation_loss(step: Step, rows: Rows, progress: Progress = quiet) -> float:
    """The method's loss over the validation rows, every trained token weighted as in training."""
    datums = sorted((datum for group in rows for datum in group), key=len)
    units = step.method.units(datums, step.settings)
    trees = plant(datums, step.token_budget, share=step.share)
    total = 0.0
    for done, tree in enumerate(trees):
        progress("validation loss", done, len(trees))
        total += step.loss([tree], units)
    progress("validation loss", len(trees), len(trees))
    return total
