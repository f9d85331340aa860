"""`tailor check DATA`: every row that cannot be read, with its place and the remedy."""

from __future__ import annotations

import time

import typer

from tailor.cli import _options as options


def command(
    data: options.Data = None,
    recipe: options.Recipe = None,
    columns: options.Columns = None,
    assign: options.Assign = None,
    as_json: options.AsJson = False,
) -> None:
    """Read every row; report each one that cannot be used, with file:line:column and what to do."""
    config = options.settings(locals())

    from rich.console import Console

    from tailor import formats
    from tailor.cli._print import document
    from tailor.cli._screen import Screen

    began = time.perf_counter()
    with Screen() as screen:
        reading = formats.read(
            [*config.data.train, *config.data.validation, *config.data.test],
            format=config.data.format,
            map=config.data.map,
            max_bad="100%",
            group=config.data.group,
            progress=screen.progress,
        )
        screen.say(reading.seen)
    if as_json:
        findings = [
            {"code": "F001", "severity": "block", "message": problem.what, "where": problem.where, "fix": problem.fix}
            for problem in reading.bad
        ]
        seconds = round(time.perf_counter() - began, 3)
        document({"rows": reading.rows_in, "seconds": seconds, "findings": findings})
    else:
        console = Console(highlight=False)
        for problem in reading.bad:
            console.print(str(problem), markup=False, soft_wrap=True)
        console.print(f"{reading.rows_in:,} rows, {len(reading.bad):,} that cannot be used", soft_wrap=True)
    if reading.bad:
        raise typer.Exit(1)
