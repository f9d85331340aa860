"""`tailor verify RUN`: prove this run's promises on its own rows and model."""

from __future__ import annotations

from typing import Annotated

import typer

from tailor.cli import _options as options


def command(
    run: Annotated[str, typer.Argument(help="The run folder, or its name below runs/.")],
    as_json: options.AsJson = False,
) -> None:
    """Prove exactness on the run's own rows and model, against plain transformers and PEFT; about a minute."""
    from rich.console import Console
    from rich.table import Table

    from tailor.cli._print import document
    from tailor.cli._screen import Screen
    from tailor.worker.verify import verify

    with Screen() as screen:
        found = verify(run, screen)
    if as_json:
        document(found)
    else:
        console = Console(highlight=False)
        console.print(
            f"{found.rows} rows of {found.run}, {found.tokens:,} tokens, {found.model} in {found.dtype}", soft_wrap=True
        )
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name, how in (("promise", "left"), ("difference", "right"), ("limit", "right"), ("compared", "left")):
            table.add_column(name, justify=how, overflow="fold")  # type: ignore[arg-type]
        for check in found.checks:
            style = "green" if check.holds else "bold red"
            name = check.name if check.holds else f"{check.name} FAILS"
            table.add_row(f"[{style}]{name}[/]", f"{check.difference:.1e}", f"{check.limit:.0e}", check.compared)
        console.print(table)
        for note in found.notes:
            console.print(note, soft_wrap=True, style="dim")
    if not found.holds:
        raise typer.Exit(1)
