"""RunConfig: every setting of a run, nested, typed and frozen.

A recipe is the same thing as TOML; `resolve` lays the command line's flags over the recipe over the defaults. An
unknown key is an error that names the closest known one. Each default stands here with its reason. A method's own
settings live in its file (`tailor/methods/<type>.py: Settings`) and are checked by it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tailor.errors import ConfigError, did_you_mean

T = TypeVar("T", bound=BaseModel)
OverLength = Literal["refuse", "drop", "split", "cut-prompt"]
TOKENS = 4096  # of a micro-batch where memory allows: saturates the GEMMs of a CPU, and nearly those of a GPU


class Settings(BaseModel):
    """Base of every settings section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(Settings):
    """Which model is fitted."""

    name: str = "thimble"  # the embedded model: works offline, in seconds
    """`thimble`, a local folder, or a hub id."""
    revision: str | None = None
    """Commit or branch of a hub model."""
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    """Number type of the frozen weights and of the arithmetic; auto takes bf16 where the device multiplies it fast."""
    quantise: Literal["none", "nf4"] = "none"
    """nf4: linear layers are read in 4 bits (QLoRA), a quarter of the memory of bf16 at the price of speed and a
    little accuracy; needs `tailor[qlora]`. `adapter.type = "qlora"` sets it."""
    trust_remote_code: str | None = None
    """Name of the one repository whose own code may run; off otherwise."""
    thinking: bool = False
    """Render templates that know a thinking mode with it switched on; recorded with the run."""
    random_weights: bool = False
    """Same shape, fresh weights: the control that says what pretraining was worth."""


class DataConfig(Settings):
    """Which rows are read and how they are divided."""

    train: tuple[str, ...] = ()
    """Files or globs; `file:0.5` keeps a seeded half, `file:2` takes each row twice."""
    validation: tuple[str, ...] = ()
    """Rows for choosing arms and checkpoints; taken from train where none are given."""
    test: tuple[str, ...] = ()
    """Frozen held-out rows; taken from train where none are given."""
    format: str | None = None
    """Name of the row shape (`tailor/formats/*.py`); detected where not given."""
    map: dict[str, str] = Field(default_factory=dict)
    """Columns of a table or keys of a row: `{prompt = "text", completion = "category"}`."""
    max_bad: str = "0"
    """How many malformed rows may be dropped, as a number or a share (`5`, `1%`); none unless asked."""
    over_length: OverLength = "refuse"
    """What to do with rows longer than `max_length`; refused by default because cutting answers teaches not to stop."""
    max_length: int | None = Field(None, ge=8)
    """Longest row in tokens; the model's context where not given."""
    group: str | None = None
    """Key of the rows that says what they share (customer, document): a group stays on one side of a split."""
    system: str | None = None
    """System prompt put before every conversation that has none, in training and in every arm."""
    validation_share: float = Field(0.1, gt=0, lt=0.5)  # enough to rank checkpoints, little enough to spare
    test_share: float = Field(0.2, gt=0, lt=0.9)  # 200 of 1,000 rows prove differences of about 9 points
    max_validation: int = Field(500, ge=1)  # more rows rank checkpoints no better and cost time at every look


class CheckConfig(Settings):
    """Which defects are looked for, and how they are told; the rules are in `docs/rules.md`."""

    select: tuple[str, ...] = ()
    """Codes, beginnings of codes (`D`) or names of the rules to run; all where none are given."""
    ignore: tuple[str, ...] = ()
    """The same for rules to leave out."""
    near: float = Field(0.8, gt=0.5, le=1)  # above it pairs read as one text; at 0.7 differing names and numbers pass
    """Share of common pieces (Jaccard) from which two texts are near duplicates, what all rows share taken off."""
    model_rows: int = Field(2000, ge=1)  # shares are known to 2 points; more costs two passes of the model a row
    """Rows of which a model (`--model`) is asked how likely it finds the answer, chosen by a hash of their content."""
    show: int = Field(5, ge=1)  # what a person reads of one rule before mending it
    """Findings of one rule that are printed; the rest is counted."""


class CurateConfig(Settings):
    """Which rows `tailor curate` keeps."""

    keep: int | str | None = None
    """How many rows are chosen of those that are left, as a number or as a share of all (`200`, `10%`); all of them
    where not given."""
    by: str = "facility"  # beats random and longest at equal size: design/010
    """Name of a file in `curate/selectors/`: how they are chosen."""
    contradictions: Literal["majority", "drop", "ask"] = "majority"  # several annotators who agree are worth a vote
    """Same question, different answers. majority: the answer that most rows give stays, of a tie none; drop: all rows
    of the question leave; ask: you are asked."""
    doubt: float | Literal["auto", "off"] = "auto"
    """A row leaves where a model of all other rows gives another label this much more than the row's own; scores are
    about 0 to 1. auto: 0.1 where few are to be kept, else 0.2: right rows that are left out in error are missed
    there."""
    leave_out: tuple[str, ...] = ()
    """Codes, beginnings of codes or names of rules whose rows are left out beside those of severity block."""


class AdapterConfig(Settings):
    """What is trained; names as PEFT uses them."""

    type: Literal["auto", "lora", "qlora", "full"] = "auto"
    """auto: LoRA, unless the model has under 50M parameters: there all weights train in seconds and learn more.
    qlora: LoRA on a base in 4 bits, that is `lora` with `model.quantise = "nf4"`."""
    r: int = Field(16, ge=1)  # enough for style, format and labels at 100-10,000 rows; more rank rarely moves them
    lora_alpha: float = Field(32, gt=0)  # twice the rank: the field's custom, which the learning rate below assumes
    lora_dropout: float = Field(0.0, ge=0, lt=1)  # 0 keeps packing and prefix sharing exact
    target_modules: str | tuple[str, ...] = "all-linear"
    """Ends of module names, or one regular expression. all-linear: every linear layer but the head (QLoRA, Dettmers
    2023) and routers."""
    target_parameters: Literal["auto"] | tuple[str, ...] = "auto"
    """Ends of parameter names, for weights that are no module of their own. auto: with all-linear the fused weights of
    experts, which hold nine tenths and more of such a model; else none. The router stays as it is: moving it unlearns
    the balance of its experts."""
    expert_r: int | None = Field(None, ge=1)
    """Rank of the adapter of each expert. auto: `r` over the number of experts that a token meets, at least 1, so that
    as much is trained for a token as in a dense layer (Schulman 2025, LoRA without regret)."""
    modules_to_save: tuple[str, ...] = ()  # ends of names of modules trained whole beside the adapter, such as lm_head
    use_rslora: bool = False
    use_dora: bool = False
    init_lora_weights: str = Field("default", pattern=r"^(default|gaussian|olora|pissa(_niter_\d+)?)$")
    """default: A as PEFT draws it, B zero. pissa (Meng 2024; pissa_niter_16 is its fast approximation) and olora
    (Büyükakyüz 2024) start at the principal part of each weight; what is saved works on the original weights."""


class OptimConfig(Settings):
    """The optimiser, its warm-up and schedule."""

    optimizer: str = "adamw"
    """Name of a file in `train/optimisers/`: adamw, adamw-8bit, adafactor (little memory), muon (full tuning)."""
    lora_plus_ratio: float | None = Field(None, ge=1)
    """LoRA+ (Hayou 2024): the rate of B as a multiple of A's; the paper advises 16 and a smaller learning rate."""
    learning_rate: float | None = Field(None, gt=0)
    """auto: 2e-4 for LoRA, 1e-5 for full tuning at 1B parameters and more, rising as the model shrinks."""
    epochs: float | None = Field(None, gt=0)
    """auto: enough passes for about 600 steps, between 3 and 12, more for a small model; see `train/optim.py`."""
    batch_size: int | None = Field(None, ge=1)
    """Examples a step; auto: 16; 8 under 500 rows, so that a small set still gets enough steps; 32 from 5,000 on."""
    average: float | None = Field(None, ge=0, lt=1)
    """Share of the steps so far that the kept weights are the average of (`train/average.py`); 0: the last alone.
    auto: 0.1 for a model under 50M parameters, where it was measured (design/015)."""
    schedule: Literal["cosine", "linear", "constant"] | None = None
    """auto: constant where weights are averaged, else cosine."""
    warmup_ratio: float = Field(0.05, ge=0, le=0.5)  # Adam's second moment needs some steps before it can be trusted
    min_lr_ratio: float = Field(0.1, ge=0, le=1)  # a floor: the last tenth of the steps still learns something
    weight_decay: float = Field(0.01, ge=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.99, ge=0, lt=1)  # 0.999 remembers 1,000 steps, longer than most of these runs
    epsilon: float = Field(1e-8, gt=0)
    max_grad_norm: float = Field(1.0, gt=0)


class TrainConfig(Settings):
    """How the loop runs."""

    token_budget: int | None = Field(None, ge=64)
    """Tokens of one micro-batch. auto: 4,096, which keeps matrix units busy, or what of it fits into the memory that is
    free (`train/plan.py`); what was chosen is written here, so that a resumed run does the same."""
    checkpoint_layers: int | None = Field(None, ge=0)
    """How many of the first layers keep only their input and run twice. auto: as few as make the run fit, as each costs
    the time of its forward pass again."""
    validations_per_epoch: float = Field(2.0, gt=0)  # often enough to find the best step, about 5% of the time
    patience: int = Field(8, ge=1)
    """Looks without a better one before training stops. Half of a run's 16: a falling rate still gains after a plateau
    (banking77: 86% where 4 ended it, 88% where it ran out)."""
    early_stop: str = "auto"
    """What steps are judged by: `loss`, or a metric on generated validation answers. auto: the run's own metric where
    answers are short; there the loss turns long before right answers do. Else the loss, which costs no generation."""
    checkpoint_minutes: float = Field(2.0, gt=0)  # what a crash may cost
    keep_last: int = Field(2, ge=1)
    kernels: Literal["fast", "reference"] = "fast"
    """`reference` runs the model's own modules, which faster paths are tested against: to rule one out, or compare."""
    share_prefixes: bool = True
    """Compute a prefix that rows of a step share once; exact, see `render/pack.py`."""

    @property
    def budget(self) -> int:
        """The token budget, where nothing was planned that of a machine with room."""
        return self.token_budget or TOKENS


class EvalConfig(Settings):
    """Which arms are measured, and how."""

    arms: tuple[Literal["zero-shot", "few-shot", "tuned"], ...] = ("zero-shot", "few-shot", "tuned")
    """Plain text goes without few-shot: it has no prompt that examples could stand before."""
    shots: int = Field(8, ge=1)  # more seldom helps a small model and each costs its tokens on every request
    instructions: str = "auto"
    """System prompt of the prompted arms, or `@file`; auto lists the labels where answers are labels, else none."""
    metric: str = "auto"  # of likelihoods only for plain text: design/013
    """auto: chosen from what the answers look like, and said aloud. `answer-nll`, `perplexity` and `bits-per-byte` say
    how likely an arm finds the wanted answer, and generate nothing."""
    max_tokens: int | None = Field(None, ge=1)
    """auto: a little over the longest answer of the training rows."""
    schema_file: str | None = None
    """JSON schema for the metric `json-schema`."""
    minimum_gain: float = Field(0.0, ge=0)
    """Smallest improvement worth tuning for; the interval must clear it."""
    folds: int = Field(5, ge=2)  # used under 200 rows without a test file: every row is held out once


class RunSettings(Settings):
    """Where and on what it runs."""

    out: str | None = None
    """Run folder; `runs/<name of the data>-<n>` where not given."""
    seed: int = 0
    device: str = "auto"
    """auto: cuda where there is one, else cpu."""
    threads: int | None = Field(None, ge=1)
    """CPU threads; all cores where not given."""
    continue_from: str | None = None
    """A finished run whose trained weights are where this one begins; model and adapter are taken over from it, while
    data, schedule and optimiser are new."""


class RunConfig(Settings):
    """All settings of a run; the recipe file has one table for each field."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    check: CheckConfig = CheckConfig()
    curate: CurateConfig = CurateConfig()
    method: dict[str, Any] = Field(default_factory=lambda: {"type": "auto"})
    """auto: the one for the kind of the rows (`methods/base.py`), put into the run's settings once they are read."""
    adapter: AdapterConfig = AdapterConfig()
    optim: OptimConfig = OptimConfig()
    train: TrainConfig = TrainConfig()
    eval: EvalConfig = EvalConfig()
    run: RunSettings = RunSettings()

    @model_validator(mode="before")
    @classmethod
    def _qlora(cls, values: Any) -> Any:
        """`adapter.type = "qlora"` says how the model is read, too."""
        adapter, model = (
            part.model_dump(exclude_unset=True) if isinstance(part, BaseModel) else part
            for part in (values.get("adapter"), values.get("model", {}))
        )
        if not isinstance(adapter, Mapping) or not isinstance(model, Mapping) or adapter.get("type") != "qlora":
            return values
        return {**values, "model": {"quantise": "nf4", **model}}

    @model_validator(mode="after")
    def _check_quantised(self) -> RunConfig:
        if self.adapter.type == "qlora" and self.model.quantise == "none":
            raise ConfigError("adapter.type is 'qlora' and model.quantise is 'none'", fix="choose one of them")
        if self.adapter.type == "full" and self.model.quantise != "none":
            raise ConfigError(
                "full tuning changes every weight, and 4-bit weights cannot be changed",
                fix="--adapter qlora trains an adapter on them; model.quantise = 'none' tunes all weights",
            )
        return self


def validate(model: type[T], values: Mapping[str, Any], *, where: str = "") -> T:
    """`values` as `model`. Raises ConfigError that names every wrong key, with the closest known one."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [_explain(model, problem) for problem in error.errors()]
        fixes = dict.fromkeys(fix for _, fix in lines if fix)
        raise ConfigError("; ".join(what for what, _ in lines), where=where, fix="; ".join(fixes)) from None


def _explain(model: type[BaseModel], problem: Any) -> tuple[str, str]:
    """(what is wrong, remedy) of one pydantic error."""
    path = [str(step) for step in problem["loc"]]
    name = ".".join(path)
    if problem["type"] == "extra_forbidden":
        section: Any = model
        for step in path[:-1]:
            section = section.model_fields[step].annotation
        return f"unknown setting {name!r}", did_you_mean(path[-1], section.model_fields)
    return f"{name} = {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}", ""


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The tables of a recipe file. Raises ConfigError with line and column where it is not TOML."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("there is no such recipe file", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the recipe cannot be read: {error}", where=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=str(path)) from None


def resolve(recipe: str | Path | None = None, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """Defaults, then the recipe, then `overrides` (`{"optim.epochs": 3}`; None means not given).

    Paths in a recipe are relative to its folder.
    """
    values = read_recipe(recipe) if recipe is not None else {}
    if recipe is not None:
        validate(RunConfig, values, where=str(recipe))
        anchor(values, Path(recipe).resolve().parent)
    for dotted, value in (overrides or {}).items():
        if value is None:
            continue
        *sections, key = dotted.split(".")
        table = values
        for section in sections:
            table = table.setdefault(section, {})
        table[key] = value
    if isinstance(values.get("method"), dict):
        values["method"] = {"type": "auto"} | values["method"]
    return validate(RunConfig, values)


def anchor(values: dict[str, Any], folder: Path) -> None:
    """Makes the paths among a recipe's values absolute, in place: they are relative to `folder`."""
    data, evaluation, model, run = (values.get(section) or {} for section in ("data", "eval", "model", "run"))
    for key in ("train", "validation", "test"):
        if key in data:
            data[key] = [str(folder / name) for name in data[key]]
    if evaluation.get("instructions", "").startswith("@"):
        evaluation["instructions"] = f"@{folder / evaluation['instructions'][1:]}"
    if evaluation.get("schema_file"):
        evaluation["schema_file"] = str(folder / evaluation["schema_file"])
    if (folder / model.get("name", "thimble") / "config.json").exists():
        model["name"] = str(folder / model["name"])
    if run.get("continue_from"):
        run["continue_from"] = str(folder / run["continue_from"])


def to_toml(config: RunConfig, folder: Path | None = None) -> str:
    """The config as a recipe that `resolve` reads back to the same config, values that are None left out.

    With `folder`, to which its paths are relative, they are written as absolute ones.
    """
    lines: list[str] = []
    sections = config.model_dump(mode="json")
    if folder is not None:
        anchor(sections, folder.absolute())
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {_toml_value(value)}" for key, value in values.items() if value is not None]
        lines.append("")
    return "\n".join(lines)


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = "".join(
            f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else "\\" + c if c in '"\\' else c for c in value
        )
        return f'"{escaped}"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_value(str(key))} = {_toml_value(item)}" for key, item in value.items()) + "}"
    return repr(value)
