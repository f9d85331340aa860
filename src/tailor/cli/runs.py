"""`tailor runs`: what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tailor.cli import _options as options


def command(
    folder: Annotated[str, typer.Argument(help="Where to look.")] = "runs",
    as_json: options.AsJson = False,
) -> None:
    """List the runs in a folder: what each is doing, or what it came to."""
    from rich.console import Console
    from rich.table import Table

    from tailor.cli._print import document

    rows = [_row(path.parent) for path in sorted(Path(folder).glob("*/recipe.toml"), key=_age)]
    if as_json:
        document(rows)
        return
    if not rows:
        typer.echo(f"no runs in {folder}/", err=True)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("run", "model", "phase", "decision"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(row["run"], row["model"], row["phase"], row["decision"] or "")
    Console(highlight=False).print(table)


def _row(path: Path) -> dict[str, Any]:
    from tailor.run import Run

    run = Run(path)
    verdict = run.verdict if run.has("verdict.json") else None
    phase = run.read("state.json")["phase"] if run.has("state.json") else "created"
    return {
        "run": str(path),
        "model": run.config.model.name,
        "phase": phase if phase == "done" or run.busy else f"stopped while {phase}",
        "decision": verdict and verdict.decision,
        "sentence": verdict and verdict.sentence,
    }


def _age(path: Path) -> float:
    return path.stat().st_mtime
