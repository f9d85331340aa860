"""The training step: the exact gradient of one step's loss, whatever the split into micro-batches.

Each named term of a loss is a sum; it is divided by its units, counted over the whole step before the first forward
pass, so that micro-batches add up to the gradient of the whole (huggingface/trl#2175 shows what a mean of means does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from tailor.errors import ResourceError
from tailor.kernels import logprobs
from tailor.records import Datum, Progress, Tree, quiet
from tailor.render.pack import plant
from tailor.run import Run
from tailor.train.source import method_of
from tailor.weights import allocation
from tailor.weights.load import Loaded

Means = dict[str, torch.Tensor]


@dataclass
class Losses:
    """What a step or a look came to: the terms of the loss, and what the method measures beside them.

    `rows` has for each Example of a step what its answer cost: (sum of -log p, its targets, the lowest log p). Answers
    that are judged against one another (chosen, rejected) have no cost of their own and are left out.
    """

    terms: dict[str, float] = field(default_factory=dict)
    statistics: dict[str, float] = field(default_factory=dict)
    rows: dict[int, tuple[float, int, float]] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """The loss: the sum of its terms."""
        return sum(self.terms.values())

    @property
    def named(self) -> dict[str, float]:
        """What is logged beside the loss: its terms where it has several, and the statistics."""
        return (self.terms if len(self.terms) > 1 else {}) | self.statistics

    def add(self, terms: Means, statistics: Means) -> None:
        """Counts one Tree's part."""
        for total, part in ((self.terms, terms), (self.statistics, statistics)):
            for name, value in part.items():
                total[name] = total.get(name, 0.0) + value.item()

    def see(self, logprobs: torch.Tensor, tree: Tree) -> None:
        """Counts one Tree's part of its rows. Comes after `add`, which has waited for the device already."""
        if any(datum.label for datum in tree.datums):
            return
        groups = np.array([datum.group for datum in tree.datums])[tree.targets.datums]
        rows, at = np.unique(groups, return_inverse=True)
        values = logprobs.float().cpu().numpy().astype(np.float64)
        least = np.zeros(len(rows))  # of values that are never above 0
        with np.errstate(invalid="ignore"):  # a loss that is no number stops the run by itself
            np.minimum.at(least, at, values)
        parts = zip(rows.tolist(), np.bincount(at, -values).tolist(), np.bincount(at).tolist(), least.tolist())
        for row, nll, count, low in parts:
            before = self.rows.get(row, (0.0, 0, 0.0))
            self.rows[row] = (before[0] + nll, before[1] + count, min(before[2], low))


class Step:
    """Computes losses and gradients of `loaded` under the method of `run`, by its token budget or a smaller one."""

    def __init__(
        self,
        run: Run,
        loaded: Loaded,
        parameters: Mapping[str, torch.nn.Parameter],
        token_budget: int | None = None,
        *,
        share: bool,
        max_grad_norm: float,
    ) -> None:
        self.method = method_of(run)
        self.loaded = loaded
        self.parameters = list(parameters.values())
        self.token_budget = token_budget or run.config.train.budget
        self.share = share
        self.reference = run.config.train.kernels == "reference"
        self.again = run.config.train.checkpoint_layers or 0
        self.max_grad_norm = max_grad_norm

    def gradients(self, datums: Sequence[Datum]) -> tuple[Losses, float]:
        """Leaves the clipped gradient of the step in the parameters; returns (losses, norm of the gradient before)."""
        for parameter in self.parameters:
            parameter.grad = None
        self.loaded.model.train()
        units = self.method.units(datums)
        losses, most = Losses(), 0
        for tree in self.plant(datums):
            terms, statistics, values = self._means(tree, units)
            most = max(most, allocation.in_use(self.loaded.device))
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
            losses.add(terms, statistics)
            losses.see(values, tree)
            del terms, values  # and with them what the pass kept
        allocation.give_back(most)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        return losses, norm.item()

    @torch.no_grad()
    def validate(self, datums: Sequence[Datum], progress: Progress = quiet) -> Losses:
        """The losses over validation rows, every trained token weighted as in training; without dropout."""
        datums = sorted(datums, key=len)
        units = self.method.units(datums)
        trees = self.plant(datums)
        self.loaded.model.eval()
        losses = Losses()
        for done, tree in enumerate(trees):
            progress("validation loss", done, len(trees))
            terms, statistics, _ = self._means(tree, units)
            losses.add(terms, statistics)
        progress("validation loss", len(trees), len(trees))
        return losses

    def halve(self, datums: Sequence[Datum]) -> None:
        """Halves the token budget until the largest Tree of `datums` is divided.

        Raises ResourceError where none can be: each holds one Datum, or one group that stays whole.
        """
        trees = self.plant(datums)
        parts = (({d.group for d in t.datums} if self.method.whole_groups else set(t.datums)) for t in trees)
        if max(map(len, parts)) == 1:
            raise ResourceError(
                f"the memory does not hold a pass over a single row ({max(map(len, trees)):,} tokens)",
                fix="set a smaller data.max_length, train.checkpoint_layers to the number of layers, --adapter qlora, "
                "or take a smaller model",
            )
        while self.token_budget >= max(map(len, trees)):
            self.token_budget //= 2
        self.token_budget = max(1, self.token_budget)

    def plant(self, datums: Sequence[Datum]) -> list[Tree]:
        """The micro-batches of a step."""
        return plant(datums, self.token_budget, share=self.share, whole=self.method.whole_groups)

    def _means(self, tree: Tree, units: Mapping[str, float]) -> tuple[Means, Means, torch.Tensor]:
        """What `tree` contributes to the loss's terms and to the statistics, sums over the units of the whole; and the
        log-probs of its targets."""
        with self.loaded.autocast():
            values = logprobs(self.loaded.model, tree, reference=self.reference, again=self.again)
        terms = self.method.loss(values, tree)
        statistics = self.method.statistics(values.detach(), tree)
        return (
            {name: terms[name] / units[name] for name in sorted(terms)},
            {name: statistics[name] / units[name] for name in sorted(statistics)},
            values.detach(),
        )
