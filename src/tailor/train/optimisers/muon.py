"""Muon (Jordan et al. 2024) for the matrices of a model tuned in full, AdamW for embeddings, head, vectors and experts.

A matrix moves by its momentum with all singular values brought near one. Updates are scaled to the size of AdamW's (Liu
et al. 2025, Muon is scalable for LLM training), so that its learning rates and decay fit both.
"""

from __future__ import annotations

from typing import Any

import torch

from tailor.errors import ConfigError
from tailor.train.optim import Plan
from tailor.train.optimisers.base import groups, tables
from tailor.weights.load import Loaded

MOMENTUM = 0.95  # the authors'


def make(loaded: Loaded, plan: Plan) -> torch.optim.Optimizer:
    """Raises ConfigError for an adapter: its thin factors are not the matrices that Muon is about."""
    if loaded.adapter != "full":
        raise ConfigError("optim.optimizer = 'muon' is for full tuning", fix="adapter.type = 'full', or leave it out")
    apart = {id(parameter) for parameter in tables(loaded)}
    trained = loaded.trainable()
    matrices = {name: p for name, p in trained.items() if p.ndim == 2 and id(p) not in apart}
    others = {name: p for name, p in trained.items() if name not in matrices}
    return Muon(
        torch.optim.Muon(groups(matrices, plan), momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups(others, plan), betas=plan.betas, eps=plan.epsilon, fused=True),
    )


class Muon(torch.optim.Optimizer):
    """Two optimisers behind one face: their groups and state are this one's."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # there are no closures here
        """One update of each part."""
        for part in self.parts:
            part.step()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._share()

    def _share(self) -> None:
        groups = iter(self.param_groups)
        for part in self.parts:
            part.param_groups = [next(groups) for _ in part.param_groups]
            part.state = self.state
