"""`tailor show DATA`: what is trained on, token by token, in colour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tailor.cli import _options as options


def command(
    data: options.Data = None,
    row: Annotated[int | None, typer.Option("--row", min=1, help="Show only this row, counted from 1.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many rows to show from the first on.")] = 3,
    ids: Annotated[bool, typer.Option("--ids", help="Write the id behind each token.")] = False,
    weights: Annotated[bool, typer.Option("--weights", help="Write the weight behind each token.")] = False,
    html: Annotated[str | None, typer.Option("--html", help="Write a page to this file instead.")] = None,
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
    from tailor.disk import write_atomic
    from tailor.errors import DataError
    from tailor.methods.base import open_method, settled
    from tailor.render import show
    from tailor.weights.locate import locate

    aside = Console(stderr=True, highlight=False)
    renderer = render.load(locate(config.model.name, config.model.revision), thinking=config.model.thinking)
    reading = formats.read(
        config.data.train, format=config.data.format, map=config.data.map, max_bad=config.data.max_bad
    )
    for note in (reading.seen, *renderer.notes):
        aside.print(note, soft_wrap=True, markup=False)
    if row is not None and row > len(reading.examples):
        raise DataError(f"there is no row {row:,}: the data has {len(reading.examples):,}")
    wanted = reading.examples[:rows] if row is None else reading.examples[row - 1 : row]
    chosen = open_method(settled(config.method, wanted))
    made = [datum for group, example in enumerate(wanted) for datum in chosen.datums(example, group, renderer)]
    if html is not None:
        page = show.to_html(made, renderer.tokenizer, ids=ids, weights=weights)
        write_atomic(Path(html), page.encode("utf-8", "replace"))
        aside.print(f"written to {html}", soft_wrap=True, markup=False)
        return
    for datum in made:
        Console(highlight=False).print(
            show.to_text(datum, renderer.tokenizer, ids=ids, weights=weights), soft_wrap=True
        )
    if not made:
        aside.print("nothing in these rows is trained on", soft_wrap=True)
