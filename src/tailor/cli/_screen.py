"""What a person sees while work goes on: lines that are said aloud and one progress bar, all on stderr.

On a terminal the bar moves; elsewhere a line is printed now and then, so that a log stays readable.
"""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from tailor.train.watch import Tick

SHOW_AFTER = 1.0  # seconds: shorter work needs no bar
LOG_EVERY = 20.0  # seconds between two lines where there is no terminal


class Screen:
    """Shows progress on stderr; use as a context."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            transient=True,
        )
        self.task: TaskID | None = None
        self.what = ""
        self.began = self.logged = time.monotonic()

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def say(self, text: str) -> None:
        """One line that stays."""
        self.console.print(Text(text), soft_wrap=True)

    def progress(self, what: str, done: int, total: int) -> None:
        """`done` of `total` of the work called `what`."""
        if what != self.what:
            self._clear()
            self.what, self.began, self.logged = what, time.monotonic(), time.monotonic()
        now = time.monotonic()
        if done >= total:
            self._clear()
        elif now - self.began > SHOW_AFTER:
            self._show(what, done, total, "")

    def tick(self, tick: Tick) -> None:
        """The state of a training run after a step."""
        if self.what != "training":
            self._clear()
            self.what = "training"
        facts = f"loss {tick.loss:.3f}"
        if tick.validation_loss is not None:
            facts += f" · validation {tick.validation_loss:.3f}"
        facts += f" · {tick.tokens_per_second:,.0f} tokens/s · {tick.memory / 2**30:.1f} GiB"
        facts += f" · saved {_span(tick.checkpoint_age)} ago · {_span(tick.eta)} left"
        if tick.step == tick.steps:
            self._clear()
        else:
            self._show("training", tick.step, tick.steps, facts)

    def _show(self, what: str, done: int, total: int, facts: str) -> None:
        if self.console.is_terminal:
            if self.task is None:
                self.bar.start()
                self.task = self.bar.add_task(what, total=total, facts=facts)
            self.bar.update(self.task, completed=done, total=total, facts=facts)
        elif time.monotonic() - self.logged > LOG_EVERY:
            self.logged = time.monotonic()
            sys.stderr.write(f"{what} {done:,}/{total:,} {facts}".rstrip() + "\n")
            sys.stderr.flush()

    def _clear(self) -> None:
        self.what = ""
        if self.task is not None:
            self.bar.remove_task(self.task)
            self.bar.stop()
            self.task = None


def _span(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
