"""Adapters that start at the principal part of the weights they adapt: PiSSA and OLoRA.

Both begin with s·B₀A₀ close to W and train what is left as the frozen part: y = (W − s·B₀A₀ + s·BA) x. PEFT subtracts
from the weights, which rounds them, loses the model before training, and cannot be done to 4-bit weights exactly. Here
W stays as it is, and the subtrahend is a second, frozen adapter beside the trained one; saved, the two are one plain
adapter of twice the rank on the original weights:  [B, −B₀] [A; A₀].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tailor.errors import ConfigError

ANCHOR = "initial"  # name of the frozen adapter


def decomposes(init: str) -> bool:
    """Whether `init` starts at a decomposition of the weights."""
    return init.startswith(("pissa", "olora"))


def start(model: Any, init: str) -> None:
    """Sets the trained adapter of every layer to B₀, A₀ and adds the frozen one, in fp32.

    Raises ConfigError for an adapted layer that is not linear.
    """
    config = model.peft_config["default"]
    for name, layer in _layers(model):
        if "default" not in layer.lora_A:
            raise ConfigError(
                f"adapter.init_lora_weights = {init!r} is for linear layers, and {name} is none",
                fix="leave it out of adapter.target_modules",
            )
        a, b = factors(_weight(layer), layer.r["default"], layer.scaling["default"], init)
        layer.update_layer(ANCHOR, layer.r["default"], lora_alpha=layer.lora_alpha["default"], config=config)
        for part, sign in (("default", 1), (ANCHOR, -1)):
            layer.lora_A[part].weight.data = a.clone()
            layer.lora_B[part].weight.data = sign * b
        layer.set_adapter(["default", ANCHOR])
        layer.lora_A[ANCHOR].requires_grad_(False)
        layer.lora_B[ANCHOR].requires_grad_(False)


def factors(weight: Tensor, rank: int, scaling: float, init: str) -> tuple[Tensor, Tensor]:
    """A [rank, in] and B [out, rank] with scaling·BA the principal part of `weight` [out, in].

    PiSSA (Meng et al. 2024): the largest singular values, their root on either side; `pissa_niter_N` finds them by N
    rounds of subspace iteration. OLoRA (Büyükakyüz 2024): the first columns of Q and rows of R, which its paper and
    PEFT leave unscaled.
    """
    if init == "olora":
        q, r = torch.linalg.qr(weight)
        return r[:rank].contiguous(), q[:, :rank].contiguous()
    if init == "pissa":
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
        right = right[:rank]
    else:
        left, values, columns = torch.svd_lowrank(weight, rank, niter=int(init.rpartition("_")[2]))
        right = columns.T
    root = (values[:rank] / scaling).sqrt()
    return (root[:, None] * right).contiguous(), (left[:, :rank] * root).contiguous()


def merged(model: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`state` of the trained adapter with the frozen one's rows and columns behind its own."""
    state = dict(state)
    for name, layer in _anchored(model):
        for part, along in (("lora_A", 0), ("lora_B", 1)):
            frozen = getattr(layer, part)[ANCHOR].weight
            state[f"{name}.{part}.weight"] = torch.cat([state[f"{name}.{part}.weight"], frozen], along)
    return state


def parted(model: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `merged`: gives back the trained adapter's part and puts the frozen one's in place."""
    state = dict(state)
    for name, layer in _anchored(model):
        for part, along in (("lora_A", 0), ("lora_B", 1)):
            mine, frozen = state[f"{name}.{part}.weight"].chunk(2, along)
            state[f"{name}.{part}.weight"] = mine.contiguous()
            getattr(layer, part)[ANCHOR].weight.data.copy_(frozen)
    return state


def doubled(model: Any, config: Any) -> Any:
    """`config` as it is saved: twice the rank at the same scaling, on the original weights."""
    if next(_anchored(model), None) is None:
        return config
    config.r *= 2
    config.lora_alpha *= math.sqrt(2) if config.use_rslora else 2
    return config


def _weight(layer: Any) -> Tensor:
    from peft.utils.integrations import dequantize_module_weight

    base = layer.get_base_layer()
    weight: Tensor = dequantize_module_weight(base) if hasattr(base, "quant_state") else base.weight
    return weight.detach().float()


def _layers(model: Any) -> Iterator[tuple[str, Any]]:
    """(name as PEFT saves it, adapted layer)."""
    from peft.tuners.lora import LoraLayer

    return ((name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer))


def _anchored(model: Any) -> Iterator[tuple[str, Any]]:
    return ((name, layer) for name, layer in _layers(model) if ANCHOR in layer.lora_A)
