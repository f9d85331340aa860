"""What of a model is trained: low-rank adapters through PEFT, or all of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import nn

from tailor.config import AdapterConfig
from tailor.errors import ConfigError, did_you_mean
from tailor.weights.load import Coverage, Loaded, hushed, in_words

FULL_BELOW = 50_000_000  # parameters: fewer train whole in seconds, and learn more than their adapters do


def attach(loaded: Loaded, adapter: AdapterConfig, *, seed: int) -> str:
    """Make `loaded` trainable as `adapter` says and return what was chosen, "lora" or "full".

    LoRA (Hu et al. 2021) goes through PEFT; `seed` draws its A matrices. What is trained is fp32. The choice and a
    table of what it covers go to `loaded.notes`. Raises ConfigError for a target that names no module.
    """
    count = sum(parameter.numel() for parameter in loaded.model.parameters())
    choice = adapter.type
    if choice == "auto":
        choice = "full" if count < FULL_BELOW else "lora"
        side = "under" if choice == "full" else "at least"
        loaded.notes.append(f"adapter: {choice}, because the model has {side} {in_words(FULL_BELOW)} parameters")
    if choice == "full":
        _attach_full(loaded)
    else:
        _attach_lora(loaded, adapter, seed)
    loaded.adapter = choice
    trained = sum(parameter.numel() for parameter in loaded.trainable().values())
    loaded.notes.append(f"{in_words(trained)} of {in_words(count)} parameters are trained")
    loaded.notes += describe(loaded.coverage)
    return choice


def describe(coverage: Sequence[Coverage]) -> list[str]:
    """The table of coverage, a line a module name."""
    return [
        f"{row.module} ({row.kind}): {row.adapted} of {row.total} adapted, {in_words(row.parameters)} parameters"
        for row in coverage
    ]


def _attach_full(loaded: Loaded) -> None:
    """All weights as fp32, so that updates below bf16's eighth bit are kept."""
    for parameter in loaded.model.parameters():
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)


def _attach_lora(loaded: Loaded, adapter: AdapterConfig, seed: int) -> None:
    from peft import LoraConfig, get_peft_model

    targets = adapter.target_modules
    _refuse_unmatched(loaded.model, targets)
    config = LoraConfig(
        r=adapter.r,
        lora_alpha=adapter.lora_alpha,
        lora_dropout=adapter.lora_dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        use_rslora=adapter.use_rslora,
        use_dora=adapter.use_dora,
        task_type="CAUSAL_LM",
        base_model_name_or_path=loaded.name,
    )
    with hushed(), torch.random.fork_rng():
        torch.manual_seed(seed)
        model = get_peft_model(loaded.model, config, autocast_adapter_dtype=True)
    model.peft_config["default"].base_model_name_or_path = loaded.name
    model.eval()
    loaded.coverage = _coverage(model)
    loaded.model = model


def _refuse_unmatched(model: nn.Module, targets: str | tuple[str, ...]) -> None:
    """PEFT is content when one target of several matches; a name that matches nothing is a slip of the pen."""
    if targets == "all-linear":
        return
    names = [name for name, _ in model.named_modules() if name]
    asked = [targets] if isinstance(targets, str) else list(targets)
    try:  # PEFT reads one string as a regular expression, and a list as ends of names
        patterns = [targets] if isinstance(targets, str) else [rf"(.*\.)?{re.escape(end)}" for end in targets]
        unmatched = [t for t, pattern in zip(asked, patterns) if not any(re.fullmatch(pattern, n) for n in names)]
    except re.error as error:
        raise ConfigError(f"adapter.target_modules = {targets!r} is no regular expression: {error}") from None
    if unmatched:
        linear = {name.rpartition(".")[2] for name, m in model.named_modules() if isinstance(m, nn.Linear)}
        raise ConfigError(
            f"adapter.target_modules: no module of this model is called {', '.join(map(repr, unmatched))}",
            fix=did_you_mean(unmatched[0], linear),
        )


def _coverage(model: nn.Module) -> list[Coverage]:
    """A row for each name and class of module that holds weights of the base model."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapted: dict[tuple[str, str], int] = defaultdict(int)
    total: dict[tuple[str, str], int] = defaultdict(int)
    size: dict[tuple[str, str], int] = defaultdict(int)
    inside: set[str] = set()
    for name, module in model.named_modules():
        if any(name.startswith(f"{prefix}.") for prefix in inside):
            continue
        tuned = isinstance(module, BaseTunerLayer)
        base = module.get_base_layer() if tuned else module
        count = sum(parameter.numel() for parameter in base.parameters(recurse=False))
        if not count:
            continue
        if tuned:
            inside.add(name)
        key = (name.rpartition(".")[2], type(base).__name__)
        adapted[key] += tuned
        total[key] += 1
        size[key] += count
    rows = [Coverage(*key, adapted[key], total[key], size[key]) for key in total]
    return sorted(rows, key=lambda row: (-row.adapted, -row.parameters, row.module))
