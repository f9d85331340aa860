"""A data set rendered: every row accounted for, none cut in silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tailor.records import Datum, Example, Ledger, Progress, quiet
from tailor.render.renderer import Renderer


def render_rows(
    examples: Sequence[Example],
    renderer: Renderer,
    make: Callable[[Example, int], list[Datum]],
    *,
    max_length: int,
    over_length: str,
    ledger: Ledger,
    cache: Path | None = None,
    progress: Progress = quiet,
) -> list[list[Datum]]:
    """TODO"""
    return [make(example, i) for i, example in enumerate(examples)]
