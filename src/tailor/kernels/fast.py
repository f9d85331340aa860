"""The fast path of dense models on a CPU: a layer is one step (`dense_layer.py`), and the head sees loss rows alone.

`trunk.py` and `head.py` do the same with the model's own modules for every family, and are the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tailor.kernels.arena import Arena, clear
from tailor.kernels.dense_layer import FinalNorm, Layer, Norm, Rows, read_layer, run
from tailor.kernels.fused_head import Pairs, head_logprobs
from tailor.kernels.head import find_head, plain_head
from tailor.kernels.layout import BLOCK, Layout, Pattern
from tailor.kernels.linear import begin, read
from tailor.kernels.trunk import find_trunk, why_alone
from tailor.records import Tree

ROUND = 32  # rows are padded to a multiple at least, so that matrix products of few different shapes are made


def why_not_fast(model: nn.Module) -> str:
    """Why the model takes the general path; empty where `logprobs` is an answer."""
    trunk = find_trunk(model)
    weight: Tensor = trunk.get_input_embeddings().weight
    if weight.device.type != "cpu":
        return f"on {weight.device.type} PyTorch's own kernels are used"
    layers = getattr(trunk, "layers", [trunk])
    strange = [type(module).__name__ for module in layers if read_layer(module, weight.dtype) is None]
    if strange or why_alone(trunk, 1):
        return why_alone(trunk, 1) or f"{strange[0]} is not one of the plain dense layers, or was changed"
    head = read(find_head(model)[0])
    return "" if plain_head(model) and head is not None and head.low is None else "the head is no plain linear layer"


def logprobs(model: nn.Module, tree: Tree, *, again: int = 0) -> Tensor | None:
    """fp32 log-probs [n] of the targets of `tree`; gradients flow to every trained parameter.

    The first `again` layers keep their input alone and run once more in the backward pass. None for models that
    `why_not_fast` says no to.
    """
    trunk, (module, _) = find_trunk(model), find_head(model)
    head = read(module)
    plain = head is not None and head.low is None and plain_head(model) and not why_alone(trunk, 1)
    if head is None or not plain or head.weight.device.type != "cpu" or not len(tree.targets):
        return None
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else head.weight.dtype
    layers = [read_layer(module, dtype) for module in getattr(trunk, "layers", [trunk])]
    known = [layer for layer in layers if layer is not None]
    if len(known) < len(layers):
        return None
    wanted, at = np.unique(tree.targets.rows, return_inverse=True)
    begin()
    with torch.autocast("cpu", enabled=False):
        hidden = _hidden(trunk, known, tree, wanted, dtype, again)
        return head_logprobs(hidden, head, Pairs.find(at, tree.targets, len(head.weight)))


def _hidden(
    trunk: Any, layers: Sequence[Layer], tree: Tree, wanted: np.ndarray, dtype: torch.dtype, again: int
) -> Tensor:
    """The rows `wanted` after the final norm, [at least that many, d]."""
    padding = padded(len(tree)) - len(tree)
    ids = torch.as_tensor(np.pad(tree.ids, (0, padding)), dtype=torch.int64)
    positions = torch.as_tensor(np.pad(tree.positions, (0, padding)), dtype=torch.int64)
    x = trunk.embed_tokens(ids)
    cos, sin = (part[0].contiguous() for part in trunk.rotary_emb(x[None].float(), positions[None]))
    asking = np.zeros(len(tree), bool)
    asking[wanted] = True
    spare = padded(len(wanted), 2) - len(wanted)  # much for one layer's products, that few different ones are compiled
    kept = torch.as_tensor(np.pad(wanted, (0, spare), mode="edge"), dtype=torch.int64)
    whole = Layout(tree, x.device, block=BLOCK)
    last = Layout(tree, x.device, asking=asking, block=BLOCK)
    arena = Arena() if torch.is_grad_enabled() else None
    if arena is None:
        clear()  # it is time to look, or to write: what the last step kept is not needed
    rows: dict[tuple[int | None, bool], Rows] = {}
    for number, (layer, module) in enumerate(zip(layers, trunk.layers)):
        key = (_window(trunk, module), number == len(layers) - 1)
        if key not in rows:
            mask = (last if key[1] else whole).mask(_pattern(key[0]))
            rows[key] = Rows(mask.batches, cos, sin, kept if key[1] else None, arena)
        x = run(layer, x, rows[key], again=number < again)
    norm = Norm(trunk.norm.weight, float(trunk.norm.variance_epsilon))
    out: Tensor = FinalNorm.apply(x, norm.weight, norm, dtype, arena)  # type: ignore[no-untyped-call]
    return out[: padded(len(wanted), 8)]


def padded(rows: int, part: int = 32) -> int:
    """`rows` up to the next multiple of ROUND, or of the largest power of two in a `part` of them."""
    return rows + -rows % max(ROUND, (1 << rows.bit_length()) // (2 * part))


def _window(trunk: Any, module: Any) -> int | None:
    """How many positions a layer sees back, its own included; None: all of them."""
    named = getattr(module.self_attn, "sliding_window", None)
    if type(module).__name__ == "MistralDecoderLayer":
        named = trunk.config.sliding_window
    return int(named) if named is not None else None


def _pattern(window: int | None) -> Pattern:
    if window is None:
        return lambda batch, head, query, key: key <= query
    return lambda batch, head, query, key: (key <= query) & (key > query - window)
