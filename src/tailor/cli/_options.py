"""The flags that several verbs share, and how they become settings.

A verb declares the parameters it takes and hands `locals()` to `settings`, which knows the setting of each by name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from tailor.config import RunConfig, resolve
from tailor.errors import ConfigError

Data = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files or globs (JSON lines, JSON, CSV, TSV, Parquet, XLSX; file:0.5 takes half), or a bundled "
        "example by its name: tickets, passages.",
        show_default=False,
    ),
]
Model = Annotated[str | None, typer.Option("--model", help="thimble (embedded), a local folder, or a hub id.")]
Method = Annotated[str | None, typer.Option("--method", help="sft, dpo, or auto by the kind of the rows.")]
Adapter = Annotated[str | None, typer.Option("--adapter", help="lora, qlora (base in 4 bits), full or auto.")]
Out = Annotated[str | None, typer.Option("--out", help="The run folder; runs/NAME-N where not given.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of everything that is random.")]
Recipe = Annotated[str | None, typer.Option("--recipe", help="A TOML file with any of the settings.")]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1 or auto.")]
Threads = Annotated[int | None, typer.Option("--threads", help="CPU threads; all cores where not given.")]
Test = Annotated[list[str] | None, typer.Option("--test", help="Held-out rows; taken from DATA where not given.")]
Validation = Annotated[list[str] | None, typer.Option("--validation", help="Rows for choosing checkpoints and arms.")]
Columns = Annotated[str | None, typer.Option("--map", help="Columns of a table: prompt=text,completion=category.")]
MaxBad = Annotated[str | None, typer.Option("--max-bad", help="Malformed rows that may be dropped: 5 or 1%.")]
OverLength = Annotated[str | None, typer.Option("--over-length", help="refuse, drop, split or cut-prompt.")]
Instructions = Annotated[
    str | None, typer.Option("--instructions", help="System prompt of the prompted arms: text, @file or auto.")
]
Metric = Annotated[
    str | None, typer.Option("--metric", help="What answers are scored by: exact, rouge-l, answer-nll, ...; or auto.")
]
Assign = Annotated[list[str] | None, typer.Option("--set", help="Any setting of a recipe: --set optim.epochs=3")]
Group = Annotated[
    str | None, typer.Option("--group", help="Key of the rows that says what they share: customer, document.")
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there already; never over DATA.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, everything else on stderr.")]

SETTINGS = {
    "data": "data.train",
    "test": "data.test",
    "validation": "data.validation",
    "columns": "data.map",
    "max_bad": "data.max_bad",
    "over_length": "data.over_length",
    "select": "check.select",
    "ignore": "check.ignore",
    "group": "data.group",
    "keep": "curate.keep",
    "by": "curate.by",
    "contradictions": "curate.contradictions",
    "doubt": "curate.doubt",
    "leave_out": "curate.leave_out",
    "model": "model.name",
    "method": "method.type",
    "adapter": "adapter.type",
    "instructions": "eval.instructions",
    "metric": "eval.metric",
    "out": "run.out",
    "seed": "run.seed",
    "device": "run.device",
    "threads": "run.threads",
    "continue_from": "run.continue_from",
}
"""The setting that each parameter of a verb stands for."""


def settings(parameters: Mapping[str, Any]) -> RunConfig:
    """Defaults, then the recipe, then `--set`, then the flags.

    Raises ConfigError for anything that is no setting, and where no data is named.
    """
    recipe, data = parameters.get("recipe"), parameters.get("data")
    example = _example(data)
    if example is not None:
        recipe, data = recipe or example, None
    values = dict(_assignment(text) for text in parameters.get("assign") or ())
    flags = {setting: parameters.get(name) for name, setting in SETTINGS.items()} | {"data.train": data}
    values |= {name: value for name, value in flags.items() if value not in (None, [])}
    if isinstance(values.get("data.map"), str):
        values["data.map"] = mapping(values["data.map"])
    config = resolve(recipe, values)
    if not config.data.train:
        raise ConfigError("no data is named", fix="name a file (tailor fit data.jsonl) or a bundled example (tickets)")
    return config


def mapping(text: str) -> dict[str, str]:
    """`prompt=text,completion=category` as a dict."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name and equals and column for name, equals, column in pairs):
        raise ConfigError(f"--map {text}: pairs of name=column are needed", fix="--map prompt=text,completion=category")
    return {name.strip(): column.strip() for name, _, column in pairs}


def _example(data: list[str] | None) -> Path | None:
    """The recipe of a bundled example, where DATA is the name of one and no such file is there."""
    from tailor import examples

    named = [name for name in data or () if not Path(name).exists()]
    found = [name for name in named if name in examples.names()]
    if found and len(data or ()) > 1:
        raise ConfigError(f"the bundled example {found[0]!r} stands alone", fix=f"tailor fit {found[0]}")
    if found:
        return examples.path(found[0]) / "recipe.toml"
    for name in named:
        close = get_close_matches(name, examples.names(), n=1, cutoff=0.7)
        if close:
            raise ConfigError(f"there is no file {name!r}", fix=f"did you mean the bundled example {close[0]!r}?")
    return None


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {text}: a name, '=' and a value are needed", fix="--set optim.epochs=3")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value  # plain text needs no quotes


def codes(given: list[str] | None) -> list[str]:
    """`--select D,F001 --select L` as a list of three."""
    return [code.strip() for entry in given or () for code in entry.split(",") if code.strip()]
