"""Direct preference optimisation (Rafailov et al. 2023): chosen answers gain over rejected ones, against a reference.

The log-ratio of an answer is the sum of log p - log p_ref over its tokens, p_ref being the model before training; `d`
is the chosen answer's less the rejected one's. With e = label_smoothing and s the log of the logistic function:

    sigmoid   -(1 - e) s(beta d) - e s(-beta d)                  with e > 0 conservative DPO (Mitchell 2023)
    hinge     max(0, 1 - beta d)                                 SLiC (Zhao et al. 2023)
    ipo       (d - 1 / (2 beta))^2                               Azar et al. 2023, eq. 17
    robust    (-(1 - e) s(beta d) + e s(-beta d)) / (1 - 2e)     unbiased under flipped labels (Chowdhury et al. 2024)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from tailor.config import Settings as Base
from tailor.errors import DataError
from tailor.methods.base import Renderer
from tailor.records import Datum, Example, Kind, Tree

if TYPE_CHECKING:
    from torch import Tensor

KINDS: tuple[Kind, ...] = ("pair",)
STREAMS = ("reference",)
WHOLE_GROUPS = True
LABELS = ("chosen", "rejected")
RATE = 1 / 20  # 1e-5 for LoRA and 5e-7 for full tuning at 1B and more are the field's: DPO goes astray at SFT's rates
PASSES = 1 / 3  # one to three epochs are the field's: past them the margins grow and the answers get worse


class Settings(Base):
    """What is compared, and how far the model may move."""

    type: Literal["dpo"] = "dpo"
    loss: Literal["sigmoid", "hinge", "ipo", "robust"] = "sigmoid"
    beta: float = Field(0.1, gt=0)  # the paper's: smaller lets the model move further from its reference
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Share of pairs thought to be labelled the wrong way round."""
    average: bool | None = None
    """Compare log-ratios a token, so that long answers weigh no more than short ones. Not set: for ipo alone, whose
    authors mean it so; beta then wants to be larger (2 and more for sigmoid, as in SimPO)."""
    rpo_alpha: float = Field(0.0, ge=0)
    """Weight of a second term, the negative log-likelihood a token of the chosen answers (RPO, Pang et al. 2024): it
    keeps them from becoming unlikelier, which DPO alone allows."""

    @model_validator(mode="after")
    def _smoothing_is_read(self) -> Self:
        if self.label_smoothing and self.loss not in ("sigmoid", "robust"):
            raise ValueError(f"label_smoothing is for the losses sigmoid and robust, not for {self.loss}")
        if self.loss == "robust" and not self.label_smoothing:
            raise ValueError(
                "the loss robust wants label_smoothing, the share of pairs thought to be the wrong way round"
            )
        return self


def datums(example: Example, group: int, renderer: Renderer, settings: Settings) -> list[Datum]:
    """The chosen and the rejected answer after their prompt; nothing where the two are the same tokens.

    Raises DataError where an answer has no token of weight.
    """
    made = [
        renderer.answer_datum(example.messages, answer, example.tools, group, example.source, label)
        for label, answer in zip(LABELS, (example.chosen, example.rejected))
    ]
    for datum in made:
        if not datum.trained:
            raise DataError(f"the {datum.label} answer has no token of weight", where=str(example.source))
    chosen, rejected = made
    return [] if chosen.ids.tolist() == rejected.ids.tolist() else made


def units(datums: Sequence[Datum], settings: Settings) -> dict[str, float]:
    """Pairs, and trained tokens of the chosen answers where they are a term of their own."""
    chosen = [datum for datum in datums if datum.label == "chosen"]
    counted = dict.fromkeys(("dpo", "reward_margin", "reward_accuracy", "reward_chosen"), float(len(chosen)))
    if settings.rpo_alpha:
        counted["nll"] = float(sum(datum.weights.sum(dtype="float64") for datum in chosen))
    return counted


def loss(logprobs: Tensor, tree: Tree, settings: Settings) -> dict[str, Tensor]:
    """Sum of the pairs' losses; `logprobs` is fp32 [n]. Both answers of a pair have to stand in `tree`."""
    import torch
    from torch.nn.functional import logsigmoid

    chosen, rejected = _log_ratios(logprobs, tree, settings)
    d, beta, e = chosen - rejected, settings.beta, settings.label_smoothing
    if settings.loss == "hinge":
        losses = torch.relu(1 - beta * d)
    elif settings.loss == "ipo":
        losses = (d - 1 / (2 * beta)) ** 2
    elif settings.loss == "robust":
        losses = (-(1 - e) * logsigmoid(beta * d) + e * logsigmoid(-beta * d)) / (1 - 2 * e)
    else:
        losses = -(1 - e) * logsigmoid(beta * d) - e * logsigmoid(-beta * d)
    terms = {"dpo": losses.sum()}
    if settings.rpo_alpha:
        labels = torch.tensor([datum.label == "chosen" for datum in tree.datums], device=logprobs.device)
        weights = torch.as_tensor(tree.targets.weights, device=logprobs.device)
        mine = labels[torch.as_tensor(tree.targets.datums, dtype=torch.int64, device=logprobs.device)]
        terms["nll"] = -settings.rpo_alpha * (weights * logprobs * mine).sum()
    return terms


def statistics(logprobs: Tensor, tree: Tree, settings: Settings) -> dict[str, Tensor]:
    """Implicit rewards (beta times the log-ratio) over the pairs: their margin, how often it is positive, the chosen's.

    A falling `reward_chosen` says that chosen answers get unlikelier and rejected ones only do so faster.
    """
    chosen, rejected = _log_ratios(logprobs, tree, settings)
    return {
        "reward_margin": settings.beta * (chosen - rejected).sum(),
        "reward_accuracy": (chosen > rejected).sum(),
        "reward_chosen": settings.beta * chosen.sum(),
    }


def _log_ratios(logprobs: Tensor, tree: Tree, settings: Settings) -> tuple[Tensor, Tensor]:
    """Log-ratios of the chosen and of the rejected answers [pairs], in nats (nats a token where averaged)."""
    import torch

    targets, device = tree.targets, logprobs.device
    weights = torch.as_tensor(targets.weights, device=device)
    reference = torch.as_tensor(targets.streams["reference"], device=device)
    counts = torch.bincount(torch.as_tensor(targets.datums), minlength=len(tree.datums)).tolist()

    def by_datum(values: Tensor) -> Tensor:
        return torch.stack([part.sum() for part in torch.split(values, counts)])

    ratios = by_datum(weights * (logprobs - reference))
    if settings.average if settings.average is not None else settings.loss == "ipo":
        ratios = ratios / by_datum(weights)
    places: dict[tuple[int, str], list[int]] = defaultdict(list)
    for place, datum in enumerate(tree.datums):
        places[datum.group, datum.label].append(place)  # a row may stand twice in a step, at the seam of two epochs
    groups = sorted({group for group, _ in places})
    chosen, rejected = ([place for group in groups for place in places[group, label]] for label in LABELS)
    return ratios[chosen], ratios[rejected]
