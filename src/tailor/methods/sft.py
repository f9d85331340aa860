"""Supervised fine-tuning: negative log-likelihood of the answers (of every token, for plain text)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from tailor.config import Settings as Base
from tailor.methods.base import Renderer
from tailor.records import Datum, Example, Kind, Tree

if TYPE_CHECKING:
    from torch import Tensor

KINDS: tuple[Kind, ...] = ("chat", "text")


class Settings(Base):
    """Nothing to set: which tokens count, and how much, stands in the weights of the Datums."""

    type: Literal["sft"] = "sft"


def datums(example: Example, group: int, renderer: Renderer, settings: Settings) -> list[Datum]:
    """The Example as the renderer lays it out."""
    return renderer.datums(example, group)


def units(datums: Sequence[Datum], settings: Settings) -> dict[str, float]:
    """The trained weight of the Datums: with weights of 0 and 1, the number of trained tokens."""
    return {"nll": float(sum(datum.weights.sum(dtype="float64") for datum in datums))}


def loss(logprobs: Tensor, tree: Tree, settings: Settings) -> dict[str, Tensor]:
    """Sum over the targets of -weight * log p, in nats; `logprobs` is fp32 [n]."""
    import torch

    weights = torch.as_tensor(tree.targets.weights, dtype=logprobs.dtype, device=logprobs.device)
    return {"nll": -(weights * logprobs).sum()}
