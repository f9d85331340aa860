"""4-bit weights: NF4 with double quantisation (QLoRA, Dettmers et al. 2023) through bitsandbytes, on CPU and CUDA.

The linear layers of the trunk are quantised while the model is read; embeddings, head, norms and the fused weights of
experts stay as they are. What is trained on such a model is an adapter, and it belongs to the quantised weights: a
merge has to `dequantise` first and add to what the adapter was trained against.
"""

from __future__ import annotations

import importlib
import logging
from typing import Any

import torch
from torch import nn

from tailor.errors import ModelError, ResourceError

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # on import it regrets a kernel that is not used here

BLOCK = 64  # weights that share a scale


def bitsandbytes() -> Any:
    """The package. Raises ResourceError naming the extra where it is not installed or finds no library to run."""
    try:
        return importlib.import_module("bitsandbytes")
    except (ImportError, OSError, RuntimeError) as error:
        raise ResourceError(
            f"4-bit weights and 8-bit optimisers need the package bitsandbytes ({str(error).splitlines()[0]})",
            fix="pip install 'tailor[qlora]'",
        ) from None


def nf4(shape: Any, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """What transformers' `from_pretrained` takes to read a model in NF4, multiplying in `dtype`.

    `shape` is the same model without weights (on the meta device).
    """
    from transformers import BitsAndBytesConfig

    bitsandbytes()
    odd = [name for name, module in shape.named_modules() if isinstance(module, nn.Linear) and _misread(module, device)]
    how = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=[*odd, *_heads(shape)] if odd else None,  # None: the head alone
    )
    return {"quantization_config": how, "device_map": {"": str(device)}}


def _misread(layer: nn.Linear, device: torch.device) -> bool:
    """Whether bitsandbytes unpacks the weights of `layer` wrongly.

    Its AVX-512 code (0.50) takes the scales of other blocks where the blocks of 64 weights do not end with the rows.
    """
    return device.type == "cpu" and layer.in_features % BLOCK != 0


def _heads(model: Any) -> list[str]:
    return [name for name, module in model.named_modules() if module is model.get_output_embeddings()]


def quantised(model: nn.Module) -> dict[str, Any]:
    """Name -> module of the linear layers that hold 4-bit weights."""
    return {name: module for name, module in model.named_modules() if hasattr(module, "quant_state")}


def settle(model: nn.Module, device: torch.device) -> None:
    """Keep each weight as it was quantised. Raises ModelError for a layer that this device would misread.

    On CPUs with bf16 instructions bitsandbytes 0.50 rewrites a layer's weight at its first evaluation into a form that
    rounds the scales to bf16 and carries no gradient: a validation pass would change the model and end its training.
    """
    layers = quantised(model)
    wrong = [name for name, layer in layers.items() if _misread(layer, device)]
    if wrong:
        raise ModelError(
            f"bitsandbytes cannot unpack {len(wrong)} 4-bit layers of this model on a CPU ({wrong[0]}, …)",
            fix="take the model that is not quantised yet, with model.quantise = 'nf4'",
        )
    for layer in layers.values():
        layer.support_avx512bf16_for_cpu = False


def numel(parameter: nn.Parameter) -> int:
    """Number of weights that `parameter` stands for; a 4-bit one packs two into a byte."""
    state = getattr(parameter, "quant_state", None)
    return int(parameter.numel() if state is None else state.shape.numel())


def in_bytes(parameter: nn.Parameter) -> int:
    """Memory of `parameter`, the scales of a 4-bit one included."""
    state = getattr(parameter, "quant_state", None)
    scales = [] if state is None else [state.absmax] + ([state.state2.absmax] if state.nested else [])
    return int(parameter.nbytes + sum(scale.nbytes for scale in scales))


def notes(model: nn.Module, dtype: torch.dtype) -> list[str]:
    """What is quantised, what is not, and the memory it saves, in words."""
    layers = quantised(model)
    packed = [module.weight for module in layers.values()]
    before, after = dtype.itemsize * sum(map(numel, packed)), sum(map(in_bytes, packed))
    total = sum(in_bytes(parameter) for parameter in model.parameters())
    name = str(dtype).removeprefix("torch.")
    said = [
        f"nf4: {len(layers)} linear layers take {_size(after)} instead of {_size(before)}, all weights "
        f"{_size(total)}; everything else stays {name}, and products are computed in it"
    ]
    heads = set(_heads(model))
    left = [key for key, module in model.named_modules() if type(module) is nn.Linear and key not in heads]
    if left:
        said.append(
            f"{len(left)} linear layers stay {name} ({left[0]}, …): their rows are no multiple of the {BLOCK} weights "
            "that share a scale, which bitsandbytes misreads on a CPU"
        )
    experts = sum(numel(p) for p in model.parameters() if p.ndim == 3)
    if experts:
        said.append(f"the fused weights of experts ({_size(experts * dtype.itemsize)}) stay {name}")
    return said


def dequantise(model: nn.Module) -> nn.Module:
    """Turn the 4-bit layers of a plain `model` (no adapter attached) back into linear layers, in place.

    A weight becomes the very values that the 4-bit layer multiplied by, in the number type it computed in; the logits
    stay the same. A model without 4-bit layers is returned as it is.
    """
    layers = quantised(model)
    if layers:
        dtype = next(iter(layers.values())).compute_dtype
        model.dequantize(dtype=dtype)  # type: ignore[operator]
        model.is_loaded_in_4bit = False  # type: ignore[assignment]
        model.requires_grad_(False)
    return model


def _size(size: int) -> str:
    """A number of bytes as people say it (38.1 kB, 310.0 MB, 5.42 GB)."""
    if size >= 1e9:
        return f"{size / 1e9:.2f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
