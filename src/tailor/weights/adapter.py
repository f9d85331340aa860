"""What of a model is trained: low-rank adapters through PEFT, or all of it."""

from __future__ import annotations

from typing import Any

import torch

from tailor.config import AdapterConfig
from tailor.errors import ConfigError
from tailor.weights import initial
from tailor.weights.load import Loaded, hushed, in_words
from tailor.weights.quantise import numel, quantised
from tailor.weights.targets import Targets, choose, coverage, describe, ends, refuse_unmatched

FULL_BELOW = 50_000_000  # parameters: fewer train whole in seconds, and learn more than their adapters do


def attach(loaded: Loaded, adapter: AdapterConfig, *, seed: int) -> str:
    """Make `loaded` trainable as `adapter` says and return what was chosen, "lora" or "full".

    LoRA (Hu et al. 2021) goes through PEFT; `seed` draws its A matrices. What is trained is fp32. Rows that the
    embedding grew by are trained with it, in a tied or untied head too. The choice and a table of what it covers go to
    `loaded.notes`. Raises ConfigError for a target that names nothing and for settings that exclude each other.
    """
    choice = _choose(loaded, adapter)
    if choice == "full":
        _attach_full(loaded)
    else:
        _attach_lora(loaded, adapter, seed)
    loaded.adapter = choice
    trained = sum(parameter.numel() for parameter in loaded.trainable().values())
    loaded.notes.append(f"{in_words(trained)} of {in_words(loaded.parameters)} parameters are trained")
    loaded.notes += describe(loaded.coverage)
    return choice


def _choose(loaded: Loaded, adapter: AdapterConfig) -> str:
    if adapter.type == "full" and loaded.quantised:
        raise ConfigError(
            "4-bit weights cannot be tuned in full", fix="adapter.type = 'qlora', or model.quantise = 'none'"
        )
    if adapter.type == "qlora" and not loaded.quantised:
        raise ConfigError("adapter.type is 'qlora' and the model is not quantised", fix="model.quantise = 'nf4'")
    if adapter.type != "auto":
        return "full" if adapter.type == "full" else "lora"
    if loaded.quantised:
        loaded.notes.append("adapter: lora, because the model's weights are in 4 bits")
        return "lora"
    count = sum(map(numel, loaded.model.parameters()))
    choice = "full" if count < FULL_BELOW else "lora"
    side = "under" if choice == "full" else "at least"
    loaded.notes.append(f"adapter: {choice}, because the model has {side} {in_words(FULL_BELOW)} parameters")
    return choice


def _attach_full(loaded: Loaded) -> None:
    """All weights as fp32, so that updates below bf16's eighth bit are kept."""
    for parameter in loaded.model.parameters():
        parameter.data = parameter.data.float()
        parameter.requires_grad_(True)


def _attach_lora(loaded: Loaded, adapter: AdapterConfig, seed: int) -> None:
    with hushed(), torch.random.fork_rng():
        from peft import LoraConfig, get_peft_model

        targets = choose(loaded.model, adapter)
        _check(loaded, adapter, targets)
        tokens = _new_tokens(loaded)
        tables, tied = _tables(loaded.model), _tied(loaded.model)
        config = LoraConfig(
            r=adapter.r,
            lora_alpha=adapter.lora_alpha,
            lora_dropout=adapter.lora_dropout,
            target_modules=targets.modules,
            target_parameters=targets.parameters or None,
            rank_pattern=targets.ranks,
            modules_to_save=list(adapter.modules_to_save) or None,
            trainable_token_indices=tokens,
            ensure_weight_tying=tied and bool(tables & set(adapter.modules_to_save)),
            init_lora_weights="gaussian" if adapter.init_lora_weights == "gaussian" else True,
            use_rslora=adapter.use_rslora,
            use_dora=adapter.use_dora,
            task_type="CAUSAL_LM",
            base_model_name_or_path=loaded.name,
        )
        torch.manual_seed(seed)
        try:
            model = get_peft_model(loaded.model, config, autocast_adapter_dtype=True)
        except ValueError as error:  # a layer of a kind that it does not know, and the like
            raise ConfigError(f"PEFT cannot make this adapter: {str(error).splitlines()[0]}") from error
        if initial.decomposes(adapter.init_lora_weights):
            initial.start(model, adapter.init_lora_weights)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    model.peft_config["default"].base_model_name_or_path = loaded.name
    model.eval()
    loaded.coverage = coverage(model)
    loaded.notes += targets.notes
    alone = [row.module for row in loaded.coverage if row.module in tables and row.adapted]
    if tied and len(alone) == 1 and not tokens:
        loaded.notes.append(f"embedding and head are tied, and only {alone[0]} is adapted: merged, they will be two")
    if tokens:
        loaded.notes.append(f"the {loaded.grown} new rows of {', '.join(tokens)} are trained; the old ones stay")
    loaded.model = model


def _check(loaded: Loaded, adapter: AdapterConfig, targets: Targets) -> None:
    """Refuses what PEFT cannot combine, before it fails in its own words or, worse, does something else."""
    special = [
        name
        for name, asked in {
            "lora_dropout": adapter.lora_dropout > 0,
            "use_dora": adapter.use_dora,
            f"init_lora_weights = {adapter.init_lora_weights!r}": initial.decomposes(adapter.init_lora_weights),
        }.items()
        if asked
    ]
    if targets.parameters and special:
        raise ConfigError(
            f"adapters of parameters ({', '.join(targets.parameters)}) cannot have adapter.{special[0]}",
            fix="leave it out, or set adapter.target_parameters = [] to adapt plain layers only",
        )
    if adapter.use_dora and initial.decomposes(adapter.init_lora_weights):
        raise ConfigError(f"adapter.use_dora cannot start from {adapter.init_lora_weights!r}", fix="choose one of them")
    names = [name for name, _ in loaded.model.named_modules()]
    refuse_unmatched("modules_to_save", adapter.modules_to_save, names, loaded.model)
    packed = [end for end in adapter.modules_to_save if any(ends(name, end) for name in quantised(loaded.model))]
    if packed:
        raise ConfigError(
            f"adapter.modules_to_save: {packed[0]!r} is held in 4 bits and cannot be trained whole",
            fix="adapt it by adapter.target_modules, or set model.quantise = 'none'",
        )
    if loaded.grown and _tables(loaded.model) & set(adapter.modules_to_save):
        raise ConfigError(
            "adapter.modules_to_save names a table whose new rows are trained anyway",
            fix="leave it out to train the new rows alone",
        )


def _tables(model: Any) -> set[str]:
    """Last parts of the names of embedding and head."""
    found = {id(module) for module in (model.get_input_embeddings(), model.get_output_embeddings())}
    return {name.rpartition(".")[2] for name, module in model.named_modules() if id(module) in found}


def _tied(model: Any) -> bool:
    head = model.get_output_embeddings()
    return head is not None and head.weight is model.get_input_embeddings().weight


def _new_tokens(loaded: Loaded) -> dict[str, list[int]] | None:
    """Table -> the rows it grew by. A tied head follows the embedding; an untied one is a table of its own."""
    if not loaded.grown:
        return None
    model: Any = loaded.model
    if getattr(model.get_output_embeddings(), "bias", None) is not None:
        loaded.notes.append("new tokens stay at the mean: PEFT's trainable rows would lose the bias of this head")
        return None
    size = model.get_input_embeddings().weight.shape[0]
    rows = list(range(size - loaded.grown, size))
    wanted = [model.get_input_embeddings()] + ([] if _tied(model) else [model.get_output_embeddings()])
    names = {id(module): name for name, module in model.named_modules()}
    return {names[id(module)].rpartition(".")[2]: rows for module in wanted}
