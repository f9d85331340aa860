"""log p(token | row) with its gradient taken while the logits are at hand, so that they are made once and never kept.

The gradient of log p(s) by a hidden row is W[s] - sum_j p_j W[j], whatever the loss does with log p: the sum is made in
the forward pass, and the backward pass only weighs it. Logits come for a part of the vocabulary at a time, of as many
rows as make a product fast; sums are rescaled whenever a larger logit turns up (Milakov & Gimelshein 2018). The tokens
that are targets are left out of the sum and put in by fp32 factors, because W[s] - p W[s] of a token that is all but
certain would drown in rounding. A head that is trained makes its logits again in the backward pass, unless all of them
are few.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tailor.kernels.elementwise import exponentials_
from tailor.kernels.linear import TILE, Bundle, Dense
from tailor.kernels.scratch import frame, scratch
from tailor.records import Targets

ROWS = 1024  # of a block: so many that the weight, read once for each, is not what a product waits for
CHUNK_BYTES = 16 * 2**20  # of logits: 8,000 tokens, whose logits are still in the caches when they are read again
KEPT_BYTES = 96 * 2**20  # of the logits of a trained head, if all of them are to stay for the backward pass


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


@dataclass(frozen=True, eq=False, slots=True)
class Chunk:
    """The logits of some rows for some tokens, and the pairs among them."""

    rows: slice
    tokens: slice
    known: int  # tokens at the beginning that the chunk before has had
    pairs: Tensor  # int64, which ones
    at: tuple[Tensor, Tensor]  # where in the chunk


def head_logprobs(hidden: Tensor, head: Dense, pairs: Pairs) -> Tensor:
    """fp32 log-probs [n] of the targets after `hidden` [m, d], through a linear head without an adapter."""
    trained = [parameter for parameter in (head.weight, head.bias) if parameter is not None and parameter.requires_grad]
    of_pairs: Tensor = Head.apply(hidden, head, pairs, *trained)  # type: ignore[no-untyped-call]
    return of_pairs.index_select(0, pairs.of)


class Head(torch.autograd.Function):
    """Log-probs of the pairs, [p]."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Dense, pairs: Pairs, *trained: Tensor) -> Tensor:
        """hidden [m, d] -> [p]."""
        weight = Bundle((head,), hidden.dtype).weight
        own, tops, sums = torch.empty(len(pairs.rows)), torch.full((len(hidden),), -torch.inf), torch.zeros(len(hidden))
        mean = torch.empty_like(hidden) if ctx.needs_input_grad[0] and not trained else None
        size = len(hidden) * len(weight) * hidden.element_size()
        keep = bool(trained) and len(hidden) <= ROWS and size <= KEPT_BYTES
        blocks = _blocks(len(hidden), len(weight), 1 if keep else -(-size // CHUNK_BYTES), pairs)
        logits = torch.empty(0)
        for block in blocks:
            weighed = torch.zeros(hidden[block[0].rows].shape if mean is not None else 0)
            for chunk in block:
                with frame():
                    logits = _logits(hidden, weight, head.bias, chunk, keep=keep)
                    own[chunk.pairs] = logits[chunk.at].float()
                    shrunk = exponentials_(logits, tops[chunk.rows], sums[chunk.rows])
                    if mean is not None:
                        logits[chunk.at] = 0
                        weighed.mul_(shrunk[:, None]).add_(logits @ weight[chunk.tokens])
            if mean is not None:
                mean[block[0].rows] = weighed / sums[block[0].rows, None]
        lse = tops + sums.log()
        logprobs = own - lse[pairs.rows]
        ctx.head, ctx.weight, ctx.pairs, ctx.blocks = head, weight, pairs, blocks
        ctx.save_for_backward(hidden, logprobs, mean, lse, *((logits, (tops - lse).exp()) if keep else ()))
        return logprobs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by the hidden rows and, where they are trained, the head's weight and bias."""
        hidden, logprobs, mean, lse, *kept = ctx.saved_tensors
        head, weight, pairs, dtype = ctx.head, ctx.weight, ctx.pairs, hidden.dtype
        whole = torch.zeros(len(hidden)).index_add_(0, pairs.rows, grad)  # what every other token's log p receives
        own = (grad - whole[pairs.rows] * logprobs.exp()).to(dtype)  # what a pair's own logit receives
        if mean is not None:
            dhidden = mean * -whole[:, None].to(dtype)
            dhidden.index_add_(0, pairs.rows, own[:, None] * weight[pairs.tokens])
            return dhidden, None, None
        dhidden, dweight, dbias = torch.zeros(hidden.shape), torch.zeros(weight.shape), torch.zeros(len(weight))
        for chunk in itertools.chain.from_iterable(ctx.blocks):
            with frame():
                if kept:
                    share = kept[1] * -whole
                    dlogits = torch.mul(kept[0], share[:, None].to(dtype), out=scratch(*kept[0].shape, like=hidden))
                else:
                    dlogits = _logits(hidden, weight, head.bias, chunk)
                    exponentials_(dlogits, lse[chunk.rows].clone(), torch.zeros(len(dlogits)))
                    dlogits *= -whole[chunk.rows, None].to(dtype)
                dlogits[chunk.at] = own[chunk.pairs]
                dhidden[chunk.rows] += dlogits @ weight[chunk.tokens]
                dweight[chunk.tokens] += dlogits.T @ hidden[chunk.rows]
                if head.bias is not None:
                    dbias[chunk.tokens] += dlogits.sum(0, dtype=torch.float32)
        grads = zip((head.weight, head.bias), (dweight, dbias))
        return dhidden.to(dtype), None, None, *(g for p, g in grads if p is not None and p.requires_grad)


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, chunk: Chunk, *, keep: bool = False) -> Tensor:
    """Those of one chunk, in scratch memory unless they are to `keep`; -inf for tokens that another chunk has."""
    rows, some = hidden[chunk.rows], weight[chunk.tokens]
    out = scratch(len(rows), len(some), like=hidden) if not keep else hidden.new_empty(len(rows), len(some))
    if bias is None:
        torch.mm(rows, some.T, out=out)
    else:
        torch.addmm(bias[chunk.tokens].detach().to(hidden.dtype), rows, some.T, out=out)
    out[:, : chunk.known] = -torch.inf
    return out


def _blocks(rows: int, vocabulary: int, count: int, pairs: Pairs) -> list[list[Chunk]]:
    """The chunks, about `count`, of each block of rows; all of one size, so that one product is compiled for them."""
    blocks = []
    several = -(-rows // ROWS)
    tall = -(-rows // several)
    for start in range(0, rows, tall):
        part = slice(start, min(start + tall, rows))
        first, last = torch.searchsorted(pairs.rows, torch.tensor([part.start, part.stop])).tolist()
        tokens = pairs.tokens[first:last]
        wide = min(vocabulary, -(-vocabulary * several // (count * TILE)) * TILE)
        block = []
        for fresh in range(0, vocabulary, wide):
            some = slice(min(fresh, vocabulary - wide), min(fresh + wide, vocabulary))
            mine = first + ((tokens >= fresh) & (tokens < some.stop)).nonzero()[:, 0]
            at = pairs.rows[mine] - part.start, pairs.tokens[mine] - some.start
            block.append(Chunk(part, some, fresh - some.start, mine, at))
        blocks.append(block)
    return blocks
