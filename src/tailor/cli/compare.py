"""`tailor compare A B`: the paired difference of two runs."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import structs

from tailor.cli import _options as options


def command(
    a: Annotated[str, typer.Argument(metavar="A", help="A run folder, or its name below runs/.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The run it is compared with.")],
    arm: Annotated[str, typer.Option("--arm", help="The arm that is compared.")] = "tuned",
    as_json: options.AsJson = False,
) -> None:
    """Say whether run A is better than run B on the same held-out rows, with the paired interval."""
    from rich.console import Console

    from tailor import worker
    from tailor.cli._print import document
    from tailor.evaluate.scale import scale

    metric, difference = worker.compare(a, b, arm)
    if as_json:
        document({"metric": metric, **structs.asdict(difference)})
        return
    how = scale(metric)
    low, high = difference.ci
    higher, lower = ("worse", "better") if how.lower_is_better else ("better", "worse")
    said = higher if low > 0 else lower if high < 0 else "no difference that these rows can show"
    Console(highlight=False).print(
        f"{difference.arm} minus {difference.against}: {difference.mean:+.4f} "
        f"(95% interval {low:+.4f} to {high:+.4f}, p {_p(difference.p)}): {said}"
        f"{f' ({metric}: lower is better)' if how.lower_is_better else ''}",
        soft_wrap=True,
        markup=False,
    )


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
