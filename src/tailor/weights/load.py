"""A model in memory, ready to be trained or asked."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tailor.config import ModelConfig
from tailor.errors import ConfigError, ModelError, ResourceError
from tailor.weights import quantise
from tailor.weights.allocation import keep_freed_memory
from tailor.weights.locate import embedded_names, locate

META = torch.device("meta")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many modules of one name and class the adapter reaches, and the parameters in all of them.

    The fused weights of experts (one tensor for all of them) have a row each.
    """

    module: str  # last part of the name, such as q_proj or experts.down_proj
    kind: str  # class, such as Linear
    adapted: int
    total: int
    parameters: int


@dataclass(eq=False)
class Loaded:
    """A model with what the rest of the house needs to know of it; `attach` makes it trainable."""

    model: nn.Module
    folder: Path
    device: torch.device
    dtype: torch.dtype  # of the frozen weights and of the arithmetic
    name: str
    notes: list[str] = field(default_factory=list)  # what was decided, to be said aloud
    coverage: list[Coverage] = field(default_factory=list)
    adapter: str = ""  # "lora" or "full" once attached
    quantised: bool = False  # linear layers hold 4-bit weights
    grown: int = 0  # rows added to the embedding
    parameters: int = 0  # of the base model
    remake: Callable[[], nn.Module] | None = None  # the base model once more
    originals: dict[str, Tensor] = field(
        default_factory=dict
    )  # full tuning: the base's weights, once `base` wants them

    @property
    def adapted(self) -> bool:
        """Whether `attach` has made it trainable."""
        return bool(self.adapter)

    @property
    def vocabulary(self) -> int:
        """Number of tokens that it knows: rows of its embedding."""
        return int(self.model.get_input_embeddings().weight.shape[0])  # type: ignore[operator]

    def trainable(self) -> dict[str, nn.Parameter]:
        """Name -> parameter that is trained, in the model's own order. Always fp32, so that no small update is lost."""
        return {name: value for name, value in self.model.named_parameters() if value.requires_grad}

    def autocast(self) -> AbstractContextManager[Any]:
        """The arithmetic of a forward pass: bf16 matrix products where fp32 parameters meet a device fast at bf16."""
        wanted = self.dtype != torch.float32 and any(p.dtype == torch.float32 for p in self.model.parameters())
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=wanted)

    @contextlib.contextmanager
    def base(self) -> Iterator[None]:
        """The model as it was before training: adapter switched off, or the original weights put back meanwhile."""
        if self.adapter == "lora":
            trained = {id(parameter) for parameter in self.trainable().values()}
            try:
                with self.model.disable_adapter():  # type: ignore[operator]
                    yield
            finally:  # PEFT unfreezes every active adapter, also the one that holds where training began
                for parameter in self.trainable().values():
                    parameter.requires_grad_(id(parameter) in trained)
            return
        if self.adapter == "full" and not self.originals and self.remake is not None:
            self.originals = {name: value.detach() for name, value in self.remake().named_parameters()}
        tuned = {}
        for name, parameter in self.trainable().items():
            tuned[name] = parameter.data
            parameter.data = self.originals[name].to(parameter.device, parameter.dtype)
        try:
            yield
        finally:
            for name, parameter in self.trainable().items():
                if name in tuned:
                    parameter.data = tuned[name]


def load(
    config: ModelConfig,
    *,
    device: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    vocabulary: int | None = None,
) -> Loaded:
    """The model that `config` names, frozen, in evaluation mode.

    `vocabulary` is the tokenizer's size: a smaller embedding grows to it, new rows starting at the mean of the old.
    `seed` draws the weights where `config.random_weights` asks for fresh ones. Raises ModelError, ResourceError,
    ConfigError.
    """
    if config.trust_remote_code is not None and config.trust_remote_code != config.name:
        raise ConfigError(
            f"model.trust_remote_code names {config.trust_remote_code!r}, the model is {config.name!r}",
            fix="name the one repository whose code may run, or leave it out",
        )
    folder = locate(config.name, config.revision)
    place = choose_device(device)
    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    dtype, reason = choose_dtype(config.dtype, place)

    def make() -> tuple[Any, int]:
        how = _four_bits(folder, config, dtype, place) if config.quantise == "nf4" else {}
        model = (_fresh if config.random_weights else _pretrained)(folder, config, dtype, seed, how)
        capped(model)
        quantise.settle(model, place)
        if config.quantise == "nf4" and not quantise.quantised(model):
            raise ModelError("no linear layer of this model can be held in 4 bits", fix="model.quantise = 'none'")
        grown = 0 if vocabulary is None else _grow(model, vocabulary)
        return model.requires_grad_(False).eval().to(place), grown

    model, grown = make()
    loaded = Loaded(model, folder, place, dtype, _public_name(config.name, folder), grown=grown)
    loaded.remake = lambda: make()[0]
    loaded.parameters = sum(quantise.numel(parameter) for parameter in model.parameters())
    loaded.quantised = bool(quantise.quantised(model))
    loaded.notes.append(f"{config.name}: {in_words(loaded.parameters)} parameters, {reason}")
    if loaded.quantised:
        loaded.notes += quantise.notes(model, dtype)
    if config.random_weights:
        loaded.notes.append(f"weights drawn afresh with seed {seed}: this is a control, not the pretrained model")
    if grown:
        loaded.notes.append(
            f"{grown} new tokens: embedding and head grew to {vocabulary:,} rows; new rows start at the mean of the old"
        )
    return loaded


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """transformers and PEFT without progress bars and remarks: what matters is in the notes, and the screen is ours."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            for kind in (FutureWarning, DeprecationWarning):  # what the one library says of the other's age
                warnings.simplefilter("ignore", kind)
            # PEFT notes the rank of fused experts under names it then does not find among the modules.
            warnings.filterwarnings("ignore", "The following (rank|alpha)_pattern keys", RuntimeWarning)
            warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`", UserWarning)  # `attach` notes it
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def choose_device(wanted: str) -> torch.device:
    """auto: cuda where there is one, else cpu. Raises ResourceError for a device that is not there."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ResourceError(
            f"the device {wanted!r} cannot be used: {str(error).splitlines()[0]}", fix="--device cpu works everywhere"
        ) from None
    return device


def choose_dtype(wanted: str, device: torch.device) -> tuple[torch.dtype, str]:
    """The number type and the reason for it, in words."""
    if wanted == "fp32":
        return torch.float32, "fp32 as asked"
    fast, why = _fast_bf16(device)
    if wanted == "bf16":
        return torch.bfloat16, "bf16 as asked" + ("" if fast else f" ({why}: fp32 would be faster)")
    return (torch.bfloat16, f"bf16: {why}") if fast else (torch.float32, f"fp32: {why}")


def _fast_bf16(device: torch.device) -> tuple[bool, str]:
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
        return fast, f"{name} {'multiplies' if fast else 'cannot multiply'} it in hardware"
    if device.type != "cpu":
        return False, f"the safe choice on {device.type}"
    found = [flag for flag in ("amx_bf16", "avx512_bf16", "bf16") if flag in _cpu_flags()]
    if found:
        return True, f"this CPU multiplies it in hardware ({found[0]})"
    return False, "this CPU has no bf16 instructions"


def _cpu_flags() -> set[str]:
    """Instruction-set flags as Linux reports them (x86 says flags, ARM says Features); none elsewhere."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return set(line.partition(":")[2].split())
    return set()


def _pretrained(folder: Path, config: ModelConfig, dtype: torch.dtype, seed: int, how: dict[str, Any]) -> Any:
    from transformers import AutoModelForCausalLM

    try:
        with hushed():
            model, report = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=config.trust_remote_code is not None,
                output_loading_info=True,
                **how,
            )
    except Exception as error:
        raise _unreadable(config.name, error) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"the weights file lacks {len(missing)} of the model's tensors ({', '.join(missing[:3])}…)",
            where=str(folder),
            fix="the download or the conversion is incomplete",
        )
    return model


def capped(model: Any) -> None:
    """Gives a model with capped attention scores (Gemma 2) an attention that caps them.

    torch's SDPA cannot, and up to 5.17 at least transformers chooses it all the same.
    """
    if getattr(model.config.get_text_config(), "attn_logit_softcapping", None):
        model.set_attn_implementation("eager")


def _fresh(folder: Path, config: ModelConfig, dtype: torch.dtype, seed: int, how: dict[str, Any]) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _shape(folder, config, torch.device("cpu"))
    if not how:
        return model.to(dtype)
    with hushed():
        return type(model).from_pretrained(None, config=model.config, state_dict=model.state_dict(), dtype=dtype, **how)


def _four_bits(folder: Path, config: ModelConfig, dtype: torch.dtype, place: torch.device) -> dict[str, Any]:
    """How `from_pretrained` is told to quantise; not at all where the files hold 4-bit weights already."""
    shape = _shape(folder, config)
    return {} if getattr(shape.config, "quantization_config", None) else quantise.nf4(shape, dtype, place)


def _shape(folder: Path, config: ModelConfig, device: torch.device = META) -> Any:
    """The model as its configuration describes it, in fp32; on the meta device it takes no memory."""
    from transformers import AutoConfig, AutoModelForCausalLM

    trust = config.trust_remote_code is not None
    try:
        with hushed(), device:
            shape = AutoConfig.from_pretrained(folder, trust_remote_code=trust)
            return AutoModelForCausalLM.from_config(shape, dtype=torch.float32, trust_remote_code=trust)
    except Exception as error:
        raise _unreadable(config.name, error) from error


def _unreadable(name: str, error: Exception) -> ModelError:
    """transformers raises errors of any class for files that do not fit; the first line says which."""
    first = (str(error).splitlines() or [""])[0]
    if "trust_remote_code" in str(error):
        return ModelError(
            "this model needs code of its own repository to run",
            where=name,
            fix=f"read that code; if you trust it, set model.trust_remote_code = {json.dumps(name)}",
        )
    return ModelError(f"the model cannot be loaded: {type(error).__name__}: {first}", where=name)


def _public_name(name: str, folder: Path) -> str:
    """What an adapter says its base model is: a hub id as it stands, else the folder."""
    local = name in embedded_names() or Path(name).expanduser().is_dir()
    return str(folder) if local else name


def _grow(model: Any, vocabulary: int) -> int:
    """Widens embedding and head to `vocabulary` rows and returns how many are new; a larger one stays as it is."""
    size: int = model.get_input_embeddings().weight.shape[0]
    if vocabulary <= size:
        return 0
    with hushed():
        model.resize_token_embeddings(vocabulary, mean_resizing=False)
    tables = {id(m.weight): m.weight for m in (model.get_input_embeddings(), model.get_output_embeddings())}
    with torch.no_grad():
        for weight in tables.values():
            weight[size:] = weight[:size].float().mean(0).to(weight.dtype)
    return vocabulary - size


def in_words(number: int) -> str:
    """A count of parameters as people say it (5,120, 5.5M, 1.24B)."""
    if number < 1e6:
        return f"{number:,}"
    return f"{number / 1e9:.2f}B" if number >= 1e9 else f"{number / 1e6:.1f}M"
