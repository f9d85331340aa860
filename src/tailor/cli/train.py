"""`tailor train DATA`: only train; `--resume RUN` goes on with a run, `--continue-from RUN` begins with its weights."""

from __future__ import annotations

from typing import Annotated

import typer

from tailor.cli import _options as options
from tailor.errors import ConfigError


def command(
    data: options.Data = None,
    validation: options.Validation = None,
    model: options.Model = None,
    method: options.Method = None,
    adapter: options.Adapter = None,
    recipe: options.Recipe = None,
    out: options.Out = None,
    seed: options.Seed = None,
    device: options.Device = None,
    threads: options.Threads = None,
    columns: options.Columns = None,
    max_bad: options.MaxBad = None,
    over_length: options.OverLength = None,
    assign: options.Assign = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", help="Go on exactly with a run that was stopped: same data, same settings."),
    ] = None,
    continue_from: Annotated[
        str | None,
        typer.Option("--continue-from", help="Begin with the weights of a finished run: new data or settings."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Only train, without measuring arms; or go on with a run."""
    if resume is not None and continue_from is not None:
        raise ConfigError(
            "--resume finishes a run as it was begun, --continue-from begins a new one", fix="give one of the two"
        )
    config = options.settings(locals()) if resume is None else None

    from tailor import worker
    from tailor.cli._print import fitted
    from tailor.cli._screen import Screen

    with Screen() as screen:
        run = worker.start("train", config, screen) if config else worker.resume(str(resume), screen, "train")
    fitted(run, as_json=as_json)
