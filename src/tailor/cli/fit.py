"""`tailor fit DATA`: the whole way, to a verdict."""

from __future__ import annotations

from typing import Annotated

import typer

from tailor.cli import _options as options


def command(
    data: options.Data = None,
    test: options.Test = None,
    validation: options.Validation = None,
    model: options.Model = None,
    method: options.Method = None,
    adapter: options.Adapter = None,
    instructions: options.Instructions = None,
    metric: options.Metric = None,
    recipe: options.Recipe = None,
    out: options.Out = None,
    seed: options.Seed = None,
    device: options.Device = None,
    threads: options.Threads = None,
    columns: options.Columns = None,
    max_bad: options.MaxBad = None,
    over_length: options.OverLength = None,
    assign: options.Assign = None,
    resume: Annotated[str | None, typer.Option("--resume", help="Go on with a run that was stopped.")] = None,
    gate: Annotated[bool, typer.Option("--gate", help="Exit code 1 unless the decision is tune.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure what prompting reaches, tune, measure again: one page with the verdict."""
    config = options.settings(locals()) if resume is None else None

    from tailor import worker
    from tailor.cli._print import fitted
    from tailor.cli._screen import Screen

    with Screen() as screen:
        run = worker.start("fit", config, screen) if config else worker.resume(str(resume), screen)
    fitted(run, as_json=as_json)
    if gate and run.verdict.decision != "tune":
        raise typer.Exit(1)
