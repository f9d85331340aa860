"""What an adapter reaches: linear layers, and the fused weights of experts, which are parameters of no layer.

transformers 5 keeps all experts of a layer in one tensor `[experts, …]`; PEFT adapts such tensors by
`target_parameters`. For some families it also redirects names (`gate_proj` to the experts' `gate_up_proj`, `gate` to
the router), so that layers which really bear such a name are passed over and a router is trained unasked; here they
are found beforehand and reached as parameters instead.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from torch import nn

from tailor.config import AdapterConfig
from tailor.errors import ConfigError, did_you_mean
from tailor.weights.load import Coverage, in_words
from tailor.weights.quantise import numel, quantised

ROUTER = re.compile(r"(.*\.)?(router|gate|shared_expert_gate)(\.layer)?")  # families name them so; a gate_proj is none


@dataclass(frozen=True)
class Targets:
    """What PEFT is asked to adapt."""

    modules: str | list[str]
    parameters: list[str] = field(default_factory=list)
    ranks: dict[str, int] = field(default_factory=dict)  # pattern -> rank, where it differs
    notes: list[str] = field(default_factory=list)


def choose(model: nn.Module, adapter: AdapterConfig) -> Targets:
    """The targets that `adapter` names in `model`, resolved. Raises ConfigError for a name that matches nothing."""
    refuse_unmatched("target_modules", adapter.target_modules, [name for name, _ in model.named_modules()], model)
    experts = fused(model)
    asked = adapter.target_parameters
    if asked == "auto":
        parameters = sorted({_tail(name, 2) for name in experts}) if adapter.target_modules == "all-linear" else []
    else:
        refuse_unmatched("target_parameters", asked, [name for name, _ in model.named_parameters()], model)
        parameters = list(asked)
    if not experts:
        modules = adapter.target_modules
        return Targets(modules if isinstance(modules, str) else list(modules), parameters)
    names, redirected, notes = _beside_experts(model, adapter)
    rank = adapter.expert_r or max(1, adapter.r // active_experts(model))
    ranks = {re.escape(end): rank for end in parameters if any(ends(name, end) for name in experts)}
    if ranks:
        router = "; the router is not adapted" if asked == "auto" else ""
        notes.append(f"experts: rank {rank} for each, by way of {', '.join(parameters)}{router}")
    else:
        notes.append("experts are not adapted; adapter.target_parameters names what of them is")
    return Targets(names, parameters + redirected, ranks, notes)


def fused(model: nn.Module) -> list[str]:
    """Names of the parameters that hold one weight of all experts of a layer."""
    return [
        f"{name}.{own}"
        for name, module in model.named_modules()
        for own, parameter in module.named_parameters(recurse=False)
        if parameter.ndim == 3 and ("experts" in name.split(".") or "Experts" in type(module).__name__)
    ]


def active_experts(model: nn.Module) -> int:
    """Number of routed experts that a token meets."""
    text = model.config.get_text_config()  # type: ignore[operator, union-attr]
    return int(getattr(text, "num_experts_per_tok", 0) or getattr(text, "moe_topk", 0) or 1)


def refuse_unmatched(setting: str, asked: str | Sequence[str], names: Iterable[str], model: nn.Module) -> None:
    """PEFT is content when one target of several matches; a name that matches nothing is a slip of the pen."""
    if asked == "all-linear":
        return
    names = [name for name in names if name]
    targets = [asked] if isinstance(asked, str) else list(asked)
    try:  # PEFT reads one string as a regular expression, and a list as ends of names
        patterns = [asked] if isinstance(asked, str) else [rf"(.*\.)?{re.escape(end)}" for end in asked]
        unmatched = [t for t, pattern in zip(targets, patterns) if not any(re.fullmatch(pattern, n) for n in names)]
    except re.error as error:
        raise ConfigError(f"adapter.{setting} = {asked!r} is no regular expression: {error}") from None
    if not unmatched:
        return
    experts = {_tail(name, 2) for name in fused(model)}
    linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    what = "parameter" if setting == "target_parameters" else "module"
    fix = did_you_mean(unmatched[0], {_tail(name, 2) for name in names} if what == "parameter" else linear)
    if experts and what == "module":
        fix += f"; experts are reached by adapter.target_parameters: {', '.join(sorted(experts))}"
    raise ConfigError(
        f"adapter.{setting}: no {what} of this model is called {', '.join(map(repr, unmatched))}", fix=fix
    )


def coverage(model: nn.Module) -> list[Coverage]:
    """A row for each name and class of module that holds weights of the base model, and for each fused weight."""
    adapted: dict[tuple[str, str], int] = defaultdict(int)
    total: dict[tuple[str, str], int] = defaultdict(int)
    size: dict[tuple[str, str], int] = defaultdict(int)
    inside = "\0"  # the wrapper whose parts come now
    for name, module in model.named_modules():
        if name.startswith(f"{inside}."):
            continue
        base, reached = _unwrapped(module)
        if base is not module:
            inside = name
        leaf, parts = name.rpartition(".")[2], defaultdict(list)
        for own, parameter in base.named_parameters(recurse=False):
            parts[f"{leaf}.{own}" if parameter.ndim == 3 else leaf].append((own, parameter))
        for part, held in parts.items():
            key = (part, type(base).__name__)
            adapted[key] += reached is None or bool(reached & {own for own, _ in held})
            total[key] += 1
            size[key] += sum(numel(parameter) for _, parameter in held)
    rows = [Coverage(*key, adapted[key], total[key], size[key]) for key in total]
    return sorted(rows, key=lambda row: (-row.adapted, -row.parameters, row.module))


def describe(rows: Sequence[Coverage]) -> list[str]:
    """The table of coverage, a line a module name."""
    return [
        f"{row.module} ({row.kind}): {row.adapted} of {row.total} adapted, {in_words(row.parameters)} parameters"
        for row in rows
    ]


def _beside_experts(model: nn.Module, adapter: AdapterConfig) -> tuple[list[str], list[str], list[str]]:
    """(module names, parameter names, notes) that reach the linear layers of a model with experts."""
    asked = adapter.target_modules
    head = model.get_output_embeddings()  # type: ignore[operator]
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and module is not head]
    if asked == "all-linear":
        wanted = sorted({name.rpartition(".")[2] for name in names if not ROUTER.fullmatch(name)})
    elif isinstance(asked, str):
        wanted = [name for name in names if re.fullmatch(asked, name)]
    else:
        wanted = list(asked)
    elsewhere = [end for end in wanted if _redirected(model, end)]
    if elsewhere and quantised(model):
        if asked != "all-linear":
            raise ConfigError(
                f"PEFT cannot adapt the 4-bit layers {', '.join(elsewhere)} beside fused experts",
                fix="leave them out, or set model.quantise = 'none'",
            )
        return (
            [end for end in wanted if end not in elsewhere],
            [],
            [f"not adapted: {', '.join(elsewhere)}; beside fused experts PEFT reaches them in 16 bits only"],
        )
    return [end for end in wanted if end not in elsewhere], [f"{end}.weight" for end in elsewhere], []


def _redirected(model: nn.Module, name: str) -> bool:
    """Whether PEFT takes `name` for something else in this family."""
    from peft import LoraConfig
    from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers

    probe = LoraConfig(target_modules=[name])
    try:
        convert_peft_config_for_transformers(probe, model, None)
    except ValueError:  # one of two names that it fuses
        return True
    return name not in probe.target_modules


def _unwrapped(module: nn.Module) -> tuple[nn.Module, set[str] | None]:
    """The module that PEFT wrapped, and the names of the parameters it adapts; None stands for all of them."""
    from peft.tuners.lora.layer import ParamWrapper
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    if isinstance(module, AuxiliaryTrainingWrapper):
        return module.original_module, None
    if isinstance(module, ParamWrapper):
        reached: set[str] = set()
        while isinstance(module, ParamWrapper):
            reached.add(module.parameter_name)
            module = module.base_layer
        return module, reached
    return (module.get_base_layer(), None) if isinstance(module, BaseTunerLayer) else (module, set())


def ends(name: str, end: str) -> bool:
    """Whether `end` is the last part, or the last parts, of `name`."""
    return f".{name}".endswith(f".{end}")


def _tail(name: str, parts: int) -> str:
    return ".".join(name.split(".")[-parts:])
