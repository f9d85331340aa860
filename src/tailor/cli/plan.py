"""`tailor plan DATA`: memory, time and cost of a training run, before it is begun."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from tailor.cli import _options as options
from tailor.errors import ConfigError

if TYPE_CHECKING:
    from tailor.train.plan import Forecast

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def command(
    data: options.Data = None,
    validation: options.Validation = None,
    model: options.Model = None,
    method: options.Method = None,
    adapter: options.Adapter = None,
    recipe: options.Recipe = None,
    seed: options.Seed = None,
    device: options.Device = None,
    threads: options.Threads = None,
    columns: options.Columns = None,
    max_bad: options.MaxBad = None,
    over_length: options.OverLength = None,
    assign: options.Assign = None,
    memory: Annotated[
        str | None, typer.Option("--memory", help="What the run may hold, such as 16GiB; what is free where not given.")
    ] = None,
    price: Annotated[float | None, typer.Option("--price", min=0, help="Of an hour of this machine.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Memory, time and cost of `tailor train` with these flags, in seconds; exit code 2 if it cannot fit."""
    config = options.settings(locals())
    limit = in_bytes(memory) if memory is not None else None

    from tailor.cli._print import document
    from tailor.cli._screen import Screen
    from tailor.worker.planning import plan

    with Screen() as screen:
        forecast = plan(config, screen, memory=limit, price=price)
    if as_json:
        document(forecast)
    else:
        _show(forecast)


def in_bytes(text: str) -> int:
    """`16GiB`, `24 GB` or `8e9` as a number of bytes. Raises ConfigError."""
    found = re.fullmatch(r"\s*([\d.]+(?:e\d+)?)\s*([kmgt]i?|)b?\s*", text.lower())
    try:
        assert found is not None
        return int(float(found[1]) * UNITS[found[2]])
    except (AssertionError, ValueError):
        raise ConfigError(f"--memory {text}: a number of bytes is needed", fix="--memory 16GiB") from None


def _show(forecast: Forecast) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    share = f"{forecast.trained:,} of {forecast.parameters:,} weights trained"
    console.print(
        f"{forecast.model}: {forecast.adapter}, {share}, {forecast.dtype} on {forecast.device}", soft_wrap=True
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, size in forecast.memory.items():
        table.add_row(name, f"{size / 1e9:,.2f} GB")
    for name, size in forecast.moments.items():
        table.add_row(f"peak of {name}", f"[bold]{size / 1e9:,.2f} GB[/]")
    table.add_row("may be held", f"{forecast.limit / 1e9:,.2f} GB")
    table.add_row("", "")
    for name, seconds in (forecast.seconds or {}).items():
        table.add_row(name, _span(seconds))
    if forecast.seconds is not None:
        table.add_row("in all", f"[bold]{_span(sum(forecast.seconds.values()))}[/]")
    if forecast.price is not None:
        table.add_row("price", f"{forecast.price:,.2f}")
    console.print(table)
    pace = f" of {forecast.step_seconds:,.2f} s" if forecast.step_seconds is not None else ""
    console.print(
        f"{forecast.steps:,} steps{pace}, {forecast.rows:,.0f} tokens each in {forecast.trees:.1f} micro-batches; "
        f"{forecast.settings}",
        soft_wrap=True,
    )


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:,.1f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
