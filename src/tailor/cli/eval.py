"""`tailor eval RUN DATA`: score a finished run on new rows."""

from __future__ import annotations

from typing import Annotated

import typer

from tailor.cli import _options as options
from tailor.errors import ConfigError, did_you_mean

ARMS = ("zero-shot", "few-shot", "tuned")


def command(
    run: Annotated[str, typer.Argument(help="The run folder, or its name below runs/.")],
    data: Annotated[list[str], typer.Argument(help="Files or globs of rows with answers.")],
    arms: Annotated[
        list[str] | None, typer.Option("--arm", help="zero-shot, few-shot or tuned; may be given again.")
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="Another metric than the run's own.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Score the arms of a finished run on new rows, with intervals and the paired difference."""
    for arm in arms or ():
        if arm not in ARMS:
            raise ConfigError(f"there is no arm called {arm!r}", fix=did_you_mean(arm, ARMS))

    from tailor import worker
    from tailor.cli._print import document, scored
    from tailor.cli._screen import Screen

    with Screen() as screen:
        result = worker.evaluate(run, data, arms=arms or (), metric=metric, screen=screen)
    if as_json:
        document(result)
    else:
        scored(result)
