"""log p(token | row) for Targets: the head runs only on rows that are targets, a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tailor.records import Targets

CHUNK_BYTES = 128 * 2**20  # of fp32 logits: large enough for full-speed GEMMs, small beside any model


def target_logprobs(model: nn.Module, hidden: Tensor, targets: Targets) -> Tensor:
    """fp32 log-probs [n] of `targets.tokens` after the rows `targets.rows` of `hidden` [t, d].

    Several targets may share a row; its logits are computed once. Softmax statistics are fp32. Chunks of logits are
    recomputed in the backward pass, so that no more than one is ever held, unless one chunk holds them all.
    Gradients flow to `hidden` and, where they are trained, to the head's weight and bias.
    """
    head, finish = find_head(model)
    device = hidden.device
    if not len(targets):
        return hidden.float().sum() * torch.zeros(0, device=device)
    unique, place = np.unique(targets.rows, return_inverse=True)
    chosen = hidden.index_select(0, _index(unique, device))

    def run(rows: Tensor, at: Tensor, tokens: Tensor) -> Tensor:
        logits = finish(head(rows).float())
        return logits[at, tokens] - logits.logsumexp(-1)[at]

    step = max(1, CHUNK_BYTES // (4 * vocabulary(head)))
    if step >= len(unique):
        return run(chosen, _index(place, device), _index(targets.tokens, device))
    order = np.argsort(place, kind="stable")  # targets in the order of their rows, so that chunks are slices
    firsts = np.arange(0, len(unique), step)
    parts = []
    for first, mine in zip(firsts, np.split(order, np.searchsorted(place[order], firsts[1:]))):
        at, tokens = _index(place[mine] - first, device), _index(targets.tokens[mine], device)
        parts.append(checkpoint(run, chosen[first : first + step], at, tokens, use_reentrant=False))
    return torch.cat(parts).index_select(0, _index(np.argsort(order), device))


def _index(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.as_tensor(values, dtype=torch.int64, device=device)


def find_head(model: nn.Module) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The output layer (bias included, adapted or not), and what the family does to its logits.

    Cohere multiplies by `logit_scale`, Granite divides by `logits_scaling`, MiniCPM 3 divides before the head (the
    same, as that head has no bias), Falcon-H1 multiplies by `lm_head_multiplier`, Gemma 2 and 3 cap softly at
    `final_logit_softcapping`. `check_model` compares the outcome with the model's own.
    """
    scale, cap = _finish(model)

    def finish(logits: Tensor) -> Tensor:
        if scale != 1.0:
            logits = logits * scale
        return cap * torch.tanh(logits / cap) if cap is not None else logits

    return _causal(model).get_output_embeddings(), finish


def plain_head(model: nn.Module) -> bool:
    """Whether the family hands on its logits as the output layer gives them."""
    return _finish(model) == (1.0, None)


def _finish(model: nn.Module) -> tuple[float, float | None]:
    """(factor, soft cap) of the logits."""
    text = _causal(model).config.get_text_config()
    scale = (getattr(text, "logit_scale", None) or 1.0) * (getattr(text, "lm_head_multiplier", None) or 1.0)
    return scale / (getattr(text, "logits_scaling", None) or 1.0), getattr(text, "final_logit_softcapping", None)


def _causal(model: nn.Module) -> Any:
    unwrap = getattr(model, "get_base_model", None)
    return unwrap() if unwrap is not None else model


def vocabulary(head: nn.Module) -> int:
    """Number of logits a row."""
    size: int = head.out_features if hasattr(head, "out_features") else head.weight.shape[0]  # type: ignore
    return size
