"""A Tree through the layers of a model, and whether a model can take one."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tailor.errors import ModelError
from tailor.kernels import tree_attention
from tailor.kernels.layout import BLOCK, Layout
from tailor.records import Segment, Tree

PLAIN_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}
LENGTH_BOUND_ROPES = {"dynamic", "longrope"}  # their angles depend on the longest row of the batch


def hidden_states(model: nn.Module, tree: Tree, *, again: int = 0) -> Tensor:
    """Rows of `tree` after the final norm, [t, d], on the model's device.

    A row is what its Datum alone would give: it sees its ancestors and itself, at its own position. A model whose
    layers cannot work that way (state space, linear attention) runs root by root. Raises ModelError where prefixes
    are shared and the model cannot; `why_not_share` says so beforehand. The first `again` layers run once more in the
    backward pass instead of keeping what they computed (Chen et al. 2016).
    """
    trunk = find_trunk(model)
    device = trunk.get_input_embeddings().weight.device
    ids = torch.as_tensor(tree.ids, dtype=torch.int64, device=device)
    reason = why_alone(trunk, int(tree.positions.max()) + 1)
    if reason:
        return _root_by_root(trunk, ids, tree.segments, reason)
    layout = Layout(tree, device, block=BLOCK if device.type == "cpu" else None)
    with _tree_attention(trunk), tree_attention.active(layout), _checkpointed(trunk, layout, again):
        # A mask of ones says that nothing is padding; without one, transformers would look for packed rows by itself.
        out = trunk(
            input_ids=ids[None],
            position_ids=layout.positions[None],
            attention_mask=torch.ones_like(ids)[None],
            use_cache=False,
        )
    if layout.calls != trunk.config.num_hidden_layers:
        raise ModelError(
            f"{type(trunk).__name__} ran {layout.calls} of its {trunk.config.num_hidden_layers} layers through the "
            "attention that keeps rows apart",
            fix="use another model: this one would let rows see each other",
        )
    rows: Tensor = out.last_hidden_state[0]
    return rows


def why_not_share(model: nn.Module, max_length: int) -> str:
    """Why rows of up to `max_length` tokens cannot share their prefixes in this model; empty where they can."""
    trunk = find_trunk(model)
    alone = why_alone(trunk, max_length)
    if alone:
        return alone
    rates = [float(module.p) for module in model.modules() if isinstance(module, nn.Dropout)]
    rates.append(float(getattr(trunk.config, "attention_dropout", 0.0) or 0.0))
    if max(rates) > 0:
        return f"dropout of {max(rates):g} has to be drawn anew for every row"
    return ""


def find_causal(model: nn.Module) -> Any:
    """The causal language model inside an adapter's wrapper."""
    unwrap = getattr(model, "get_base_model", None)
    return unwrap() if unwrap is not None else model


def find_trunk(model: nn.Module) -> Any:
    """The stack of layers that ends in the final norm, whatever wraps it."""
    causal = find_causal(model)
    named = (getattr(causal, name, None) for name in (causal.base_model_prefix, "model", "transformer"))
    for trunk in (causal.get_decoder(), *named):
        if isinstance(trunk, nn.Module) and trunk is not causal and hasattr(trunk, "set_attn_implementation"):
            return trunk
    raise ModelError(f"no stack of layers was found inside {type(causal).__name__}", fix="use another model")


@contextlib.contextmanager
def _tree_attention(trunk: Any) -> Iterator[None]:
    """Tree attention on this instance, and on no other, while the pass runs."""
    before = trunk.config._attn_implementation
    tree_attention.register()
    trunk.set_attn_implementation(tree_attention.NAME)
    try:
        yield
    finally:
        trunk.set_attn_implementation(before)


@contextlib.contextmanager
def _checkpointed(trunk: Any, layout: Layout, count: int) -> Iterator[None]:
    """Lets the first `count` layers of this instance run again in the backward pass, with tree attention again."""
    layers = list(getattr(trunk, "layers", ()))[:count] if torch.is_grad_enabled() else []

    @contextlib.contextmanager
    def once_more() -> Iterator[None]:
        with _tree_attention(trunk), tree_attention.active(layout):
            yield

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        contexts = partial(_both, once_more)
        return checkpoint(function, *arguments, use_reentrant=False, context_fn=contexts)

    training = [layer.training for layer in layers]
    for layer in layers:
        layer.gradient_checkpointing, layer._gradient_checkpointing_func, layer.training = True, run, True
    try:
        yield
    finally:
        for layer, before in zip(layers, training):
            del layer.gradient_checkpointing, layer._gradient_checkpointing_func
            layer.training = before


def _both(again: Callable[[], Any]) -> tuple[Any, Any]:
    """Contexts of a checkpoint's first and second run."""
    return contextlib.nullcontext(), again()


def why_alone(trunk: Any, longest: int) -> str:
    """Why rows of up to `longest` tokens must run one by one; empty where a Tree does."""
    config, name = trunk.config, type(trunk).__name__
    strange = sorted(set(getattr(config, "layer_types", None) or ()) - PLAIN_LAYERS)
    if strange:
        return f"{name} has layers of the kind {', '.join(strange)}, which carry a state from row to row"
    if "position_ids" not in inspect.signature(trunk.forward).parameters or not trunk._can_set_attn_implementation():
        return f"{name} does not take positions and attention from outside"
    rope = getattr(config, "rope_parameters", None) or {}
    for part in [rope, *(value for value in rope.values() if isinstance(value, dict))]:
        limit = part.get("original_max_position_embeddings") or config.max_position_embeddings
        if part.get("rope_type") in LENGTH_BOUND_ROPES and longest > limit:
            return f"rotary angles of {name} change with the longest row above {limit:,} tokens"
    return ""


def _root_by_root(trunk: Any, ids: Tensor, segments: tuple[Segment, ...], reason: str) -> Tensor:
    if any(segment.parent >= 0 for segment in segments):
        raise ModelError(f"prefixes cannot be shared: {reason}", fix="set train.share_prefixes = false")
    parts = [ids[None, segment.start : segment.start + segment.length] for segment in segments]
    return torch.cat([trunk(input_ids=part, use_cache=False).last_hidden_state[0] for part in parts])
