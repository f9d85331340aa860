"""`tailor report RUN`: rebuild the page from the run folder."""

from __future__ import annotations

from typing import Annotated

import typer


def command(run: Annotated[str, typer.Argument(help="The run folder, or its name below runs/.")]) -> None:
    """Rebuild the page of a run from its folder."""
    from tailor import report
    from tailor.run import Run

    typer.echo(str(report.write(Run.open(run))))
