"""A model without its weights: what they take, which of its layers differ, and a stand-in of few layers that runs.

The whole model is built on the meta device, where it takes no memory, and made trainable as the real one would be; so
counts are exact for every family and adapter. The stand-in is the same object with one or two layers of each kind and
the last, filled with noise: what it keeps and how long it takes is measured, never guessed from formulas.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tailor.config import AdapterConfig, ModelConfig
from tailor.weights import quantise
from tailor.weights.adapter import attach
from tailor.weights.load import META, Loaded, _public_name, _shape, choose_device, choose_dtype
from tailor.weights.locate import locate

PACKED = 0.5 + 1 / quantise.BLOCK + 4 / (256 * quantise.BLOCK)  # bytes of a weight in NF4 with double quantisation
COPIES = 2  # layers of a kind that the stand-in has: their sum halves what one measurement errs by
NOISE = 65_537  # a prime, so that no row of a matrix is like the next


@dataclass(eq=False)
class Sketch:
    """`loaded` is the whole model on the meta device, with what is trained attached."""

    loaded: Loaded
    place: torch.device  # where the run would have it
    layers: list[nn.Module]
    kind: list[int]  # of each layer but the last; layers of one kind have the same modules
    _home: tuple[Any, str] = field(repr=False)  # the module and the name under which it holds its layers

    @property
    def kinds(self) -> int:
        """How many kinds of layers there are before the last."""
        return len(set(self.kind))

    @property
    def weight_bytes(self) -> int:
        """Of all weights but those that are trained."""
        return round(
            sum(_size(parameter) for parameter in self.loaded.model.parameters() if not parameter.requires_grad)
        )

    @property
    def trained(self) -> int:
        """Number of weights that are trained, in fp32 each."""
        return sum(parameter.numel() for parameter in self.loaded.trainable().values())

    def stand_in(self) -> StandIn:
        """Turns this sketch into its stand-in; needs memory for a few layers, embedding and head."""
        chosen = [[i for i, kind in enumerate(self.kind) if kind == wanted][:COPIES] for wanted in range(self.kinds)]
        kept = [*sorted(index for group in chosen for index in group), len(self.layers) - 1]
        number = {index: place for place, index in enumerate(kept)}
        holder, name = self._home
        text = self.loaded.model.config.get_text_config()  # type: ignore[union-attr, operator]
        types = list(getattr(text, "layer_types", None) or ())
        modules = [self.layers[index] for index in kept]
        setattr(holder, name, nn.ModuleList(modules))
        _fill(self.loaded.model, self.place)
        quantise.settle(self.loaded.model, self.place)
        self.loaded.device = self.place
        stand = StandIn(self.loaded, [[number[i] for i in group] for group in chosen], modules, self._home)
        stand.types = [types[index] for index in kept] if types else []
        return stand


@dataclass(eq=False)
class StandIn:
    """A model of few layers. `groups` are the places of those of each kind; the last layer stands last."""

    loaded: Loaded
    groups: list[list[int]]
    modules: list[nn.Module]
    _home: tuple[Any, str] = field(repr=False)
    types: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def only(self, places: Sequence[int]) -> Iterator[None]:
        """The model with these of its layers, and the last."""
        chosen = [*places, len(self.modules) - 1]
        holder, name = self._home
        text = self.loaded.model.config.get_text_config()  # type: ignore[union-attr, operator]
        whole = getattr(holder, name)
        before = {key: getattr(text, key) for key in ("num_hidden_layers", "layer_types") if hasattr(text, key)}
        setattr(holder, name, nn.ModuleList([self.modules[place] for place in chosen]))
        text.num_hidden_layers = len(chosen)
        if self.types:
            text.layer_types = [self.types[place] for place in chosen]
        try:
            yield
        finally:
            setattr(holder, name, whole)
            for key, value in before.items():
                setattr(text, key, value)


def sketch(model: ModelConfig, adapter: AdapterConfig, *, device: str = "auto", seed: int = 0) -> Sketch:
    """The model that `model` names, without its weights, made trainable as `adapter` says.

    Raises what `load` and `attach` would raise for these settings.
    """
    folder, place = locate(model.name, model.revision), choose_device(device)
    dtype, reason = choose_dtype(model.dtype, place)
    shape = _shape(folder, model)
    for parameter in shape.parameters():
        parameter.data = parameter.data.to(dtype)
        parameter.requires_grad_(False)
    if model.quantise == "nf4":
        _pack(shape, dtype, place)
    loaded = Loaded(shape.eval(), folder, META, dtype, _public_name(model.name, folder), notes=[reason])
    loaded.quantised = model.quantise == "nf4"
    loaded.parameters = sum(quantise.numel(parameter) for parameter in shape.parameters())
    home = _layers(shape)
    attach(loaded, adapter.model_copy(update={"init_lora_weights": "default"}), seed=seed)  # others look at weights
    layers = list(getattr(*home))
    types = list(getattr(shape.config.get_text_config(), "layer_types", None) or [""] * len(layers))
    looks = [(repr(layer), type_) for layer, type_ in zip(layers[:-1], types)]
    known = list(dict.fromkeys(looks))
    return Sketch(loaded, place, layers, [known.index(look) for look in looks], home)


def _layers(shape: Any) -> tuple[Any, str]:
    """The module that holds the list of the layers, and the list's name in it."""
    count = shape.config.get_text_config().num_hidden_layers
    for module in (shape.get_decoder(), *shape.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == count:
                return module, name
    raise AssertionError(f"no list of {count} layers in {type(shape).__name__}")


def _pack(shape: Any, dtype: torch.dtype, place: torch.device) -> None:
    """Puts layers for 4-bit weights where `load` would have them."""
    linear4bit = quantise.bitsandbytes().nn.Linear4bit
    heads = set(quantise._heads(shape))
    for name, module in list(shape.named_modules()):
        if type(module) is nn.Linear and name not in heads and not quantise._misread(module, place):
            holder, _, last = name.rpartition(".")
            packed = linear4bit(
                module.in_features, module.out_features, bias=module.bias is not None, compute_dtype=dtype,
                compress_statistics=True, quant_type="nf4", device=META,
            )  # fmt: skip
            setattr(shape.get_submodule(holder), last, packed.requires_grad_(False))
    shape.is_loaded_in_4bit = True


def _size(parameter: nn.Parameter) -> float:
    """Bytes of a weight as it will be held."""
    packed = hasattr(parameter, "quant_type")
    return parameter.numel() * (PACKED if packed else parameter.element_size())


def _fill(model: Any, place: torch.device) -> None:
    """Gives every weight on the meta device memory and noise, tied ones once, and computes what is computed."""
    noise = torch.randn(NOISE, generator=torch.Generator().manual_seed(0)) * 0.02
    made: dict[int, nn.Parameter] = {}
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter.is_meta:
                if id(parameter) not in made:
                    made[id(parameter)] = _real(parameter, noise, place)
                module._parameters[name] = made[id(parameter)]
        held = [name for name, buffer in module._buffers.items() if buffer is not None and buffer.is_meta]
        for name in held:
            module._buffers[name] = torch.zeros_like(module._buffers[name], device=place)
            if isinstance(getattr(module, f"original_{name}", None), Tensor):
                setattr(module, f"original_{name}", module._buffers[name].clone())
        if held:
            plain._init_weights(module)


def _real(parameter: nn.Parameter, noise: Tensor, place: torch.device) -> nn.Parameter:
    packed = hasattr(parameter, "quant_type")
    tensor = torch.empty(parameter.shape, dtype=parameter.dtype, device=place)
    flat, values = tensor.view(-1), noise.to(place, parameter.dtype)
    whole = len(flat) // NOISE
    flat[: whole * NOISE].view(whole, NOISE).copy_(values.expand(whole, -1))
    flat[whole * NOISE :] = values[: len(flat) - whole * NOISE]
    if parameter.ndim == 1:
        tensor += 1  # of norms
    if packed:
        kind: Any = type(parameter)
        return kind(tensor.cpu(), requires_grad=False, compress_statistics=True, quant_type="nf4").to(place)  # type: ignore
    return nn.Parameter(tensor, requires_grad=parameter.requires_grad)
