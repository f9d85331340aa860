"""log p(token | row) with its gradient taken while the logits are at hand, so that they are made once and never kept.

The gradient of log p(s) by a hidden row is W[s] - sum_j p_j W[j], whatever the loss does with log p: the sum is made in
the forward pass, a chunk of rows at a time, and the backward pass only weighs it. The tokens that are targets are left
out of the sum and put in by fp32 factors, because W[s] - p W[s] of a token that is all but certain would drown in
rounding. A head that is trained makes its logits again in the backward pass, unless one chunk holds them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tailor.kernels.elementwise import probabilities_
from tailor.kernels.linear import Bundle, Dense
from tailor.kernels.scratch import frame, scratch
from tailor.records import Targets

CHUNK_BYTES = 96 * 2**20  # of logits: 320 rows of a vocabulary of 150,000, enough for GEMMs at full speed


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """The different (row, token) pairs of targets, by row, and which of them each target is."""

    rows: Tensor  # int64 [p], ascending
    tokens: Tensor  # int64 [p]
    of: Tensor  # int64 [n]

    @classmethod
    def find(cls, rows: np.ndarray, targets: Targets, vocabulary: int) -> Pairs:
        """`rows` numbers each target's row."""
        keys, of = np.unique(rows.astype(np.int64) * vocabulary + targets.tokens, return_inverse=True)
        return cls(*(torch.as_tensor(part) for part in (keys // vocabulary, keys % vocabulary, of.astype(np.int64))))


def head_logprobs(hidden: Tensor, head: Dense, pairs: Pairs) -> Tensor:
    """fp32 log-probs [n] of the targets after `hidden` [m, d], through a linear head."""
    trained = [parameter for parameter in (head.weight, head.bias) if parameter is not None and parameter.requires_grad]
    of_pairs: Tensor = Head.apply(hidden, head, pairs, *trained)  # type: ignore[no-untyped-call]
    return of_pairs.index_select(0, pairs.of)


class Head(torch.autograd.Function):
    """Log-probs of the pairs, [p]."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Dense, pairs: Pairs, *trained: Tensor) -> Tensor:
        """hidden [m, d] -> [p]."""
        bundle = Bundle((head,), hidden.dtype)
        weight = bundle.weight()
        logprobs = torch.empty(len(pairs.rows))
        ahead = ctx.needs_input_grad[0] and not trained
        mean = torch.empty_like(hidden) if ahead else None
        chunks = _chunks(len(hidden), len(weight), hidden.element_size(), pairs)
        others = None
        keep = bool(trained) and len(chunks) == 1
        for rows, mine in chunks:
            with frame():
                others, logprobs[mine] = _others(bundle, hidden[rows], pairs, rows, mine, keep=keep)
                if mean is not None:
                    torch.mm(others, weight, out=mean[rows])
        ctx.head, ctx.pairs, ctx.chunks = head, pairs, chunks
        ctx.save_for_backward(hidden, logprobs, mean, others if keep else None)
        return logprobs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by the hidden rows and, where they are trained, the head's weight and bias."""
        hidden, logprobs, mean, kept = ctx.saved_tensors
        pairs: Pairs = ctx.pairs
        bundle = Bundle((ctx.head,), hidden.dtype)
        weight = bundle.weight()
        whole = torch.zeros(len(hidden)).index_add_(0, pairs.rows, grad)  # what every other token's log p receives
        own = (grad - whole[pairs.rows] * logprobs.exp()).to(hidden.dtype)  # what a pair's own logit receives
        if mean is not None:
            dhidden = mean * -whole[:, None].to(hidden.dtype)
            dhidden.index_add_(0, pairs.rows, own[:, None] * weight[pairs.tokens])
            return dhidden, None, None
        dhidden, dweight = torch.empty_like(hidden), None
        dbias = torch.zeros(len(weight))
        for rows, mine in ctx.chunks:
            with frame():
                others = kept if kept is not None else _others(bundle, hidden[rows], pairs, rows, mine)[0]
                dlogits = others * -whole[rows, None].to(hidden.dtype)
            dlogits[pairs.rows[mine] - rows.start, pairs.tokens[mine]] = own[mine]
            torch.mm(dlogits, weight, out=dhidden[rows])
            part = (dlogits.T @ hidden[rows]).float()
            dweight = part if dweight is None else dweight.add_(part)
            if ctx.head.bias is not None:
                dbias += dlogits.sum(0, dtype=torch.float32)
        grads = zip((ctx.head.weight, ctx.head.bias), (dweight, dbias))
        return dhidden, None, None, *(g for p, g in grads if p is not None and p.requires_grad)


def _others(
    bundle: Bundle, hidden: Tensor, pairs: Pairs, rows: slice, mine: slice, *, keep: bool = False
) -> tuple[Tensor, Tensor]:
    """(probabilities of one chunk [rows, v], zero where a pair is, in scratch memory unless to `keep`; log-probs of its
    pairs)."""
    at, tokens = pairs.rows[mine] - rows.start, pairs.tokens[mine]
    out = None if keep else scratch(len(hidden), len(bundle.members[0].weight), like=hidden)
    logits, _ = bundle.forward(hidden, out)
    picked = logits[at, tokens].float()
    lse = probabilities_(logits)
    logits[at, tokens] = 0
    return logits, picked - lse[at]


def _chunks(rows: int, vocabulary: int, size: int, pairs: Pairs) -> list[tuple[slice, slice]]:
    """(rows, pairs) of each chunk of logits."""
    step = max(1, CHUNK_BYTES // (size * vocabulary))
    starts = range(0, rows, step)
    ends = torch.searchsorted(pairs.rows, torch.tensor([min(start + step, rows) for start in starts])).tolist()
    return [
        (slice(start, min(start + step, rows)), slice(before, end))
        for start, before, end in zip(starts, [0, *ends], ends)
    ]
