"""What a verb prints at its end: one JSON document on stdout, or the same for people."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tailor.evaluate.scale import scale
from tailor.run import Run, to_json

COLOURS = {"tune": "green", "prompt": "cyan", "few-shot": "cyan", "retrieve": "cyan", "inconclusive": "yellow"}


def document(value: Any) -> None:
    """`value` as the one JSON document on stdout."""
    sys.stdout.buffer.write(to_json(value))
    sys.stdout.flush()


def fitted(run: Run, *, as_json: bool) -> None:
    """The end of a run: its arms, its verdict and the path of the page."""
    summary = run.read("summary.json")
    if as_json:
        document(summary)
        return
    console = Console(highlight=False)
    if summary["arms"]:
        console.print(_arms(summary["arms"]))
    if summary["verdict"]:
        verdict = summary["verdict"]
        console.print(Text(verdict["sentence"], style=f"bold {COLOURS[verdict['decision']]}"), soft_wrap=True)
    elif summary["train"]:
        train = summary["train"]
        console.print(
            f"trained {train['steps']:,} steps in {train['seconds']:,.0f} s; the best was step {train['best_step']:,}",
            soft_wrap=True,
        )
    console.print(Text.assemble("report  ", (summary["report"], "bold")), soft_wrap=True)


def scored(result: dict[str, Any]) -> None:
    """The end of an evaluation on new rows."""
    result = msgspec.to_builtins(result)
    console = Console(highlight=False)
    console.print(_arms(result["arms"]))
    if result["difference"]:
        difference = result["difference"]
        low, high = difference["ci"]
        console.print(
            f"{difference['arm']} minus {difference['against']}: {difference['mean']:+.3f} ({low:+.3f} to {high:+.3f})"
            f"{' (lower is better)' if scale(result['arms'][0]['metric']).lower_is_better else ''}",
            soft_wrap=True,
        )
    console.print(Text.assemble("scores  ", (result["evaluation"], "bold")), soft_wrap=True)


def _arms(arms: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("arm")
    table.add_column(arms[0]["metric"], justify="right")
    how = scale(arms[0]["metric"])
    for name in ("95% interval", "rows", "tokens in", "tokens read" if how.asks == "read" else "tokens out", "seconds"):
        table.add_column(name, justify="right")
    for arm in arms:
        low, high = arm["ci"]
        table.add_row(
            arm["name"],
            f"{arm['score']:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{arm['n']:,}",
            f"{arm['prompt_tokens']:,}",
            f"{arm['completion_tokens']:,}",
            f"{arm['seconds']:,.1f}",
        )
    return table
