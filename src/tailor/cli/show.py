"""`tailor show DATA`: what is trained on, token by token, in colour."""

from __future__ import annotations

from typing import Annotated

import typer

from tailor.cli import _options as options


def command(
    data: options.Data = None,
    row: Annotated[int | None, typer.Option("--row", help="Show only this row, counted from 1.")] = None,
    rows: Annotated[int, typer.Option("--rows", help="How many rows to show.")] = 3,
    ids: Annotated[bool, typer.Option("--ids", help="Print ids and weights too.")] = False,
    html: Annotated[str | None, typer.Option("--html", help="Write an HTML page to this file instead.")] = None,
    model: options.Model = None,
    method: options.Method = None,
    recipe: options.Recipe = None,
    columns: options.Columns = None,
    max_bad: options.MaxBad = None,
    assign: options.Assign = None,
) -> None:
    """Print the exact tokens of some rows, the trained ones in colour."""
    config = options.settings(locals())

    from rich.console import Console

    from tailor import formats, render
    from tailor.errors import DataError
    from tailor.weights.locate import locate

    console = Console(stderr=True, highlight=False)
    reading = formats.read(
        config.data.train, format=config.data.format, map=config.data.map, max_bad=config.data.max_bad
    )
    console.print(reading.seen, soft_wrap=True)
    renderer = render.load(locate(config.model.name, config.model.revision), thinking=config.model.thinking)
    for note in renderer.notes:
        console.print(note, soft_wrap=True)
    if row is not None and not 1 <= row <= len(reading.examples):
        raise DataError(f"there is no row {row}: the data has {len(reading.examples):,}")
