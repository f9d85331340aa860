"""A run folder -> one self-contained page.

`write` reads nothing but the run folder and no clock, so the same run gives the same bytes. The page has no script,
asks no network, and treats every text of the run as untrusted: see `text.shown` and `page.environment`.
"""

from __future__ import annotations

from pathlib import Path

from tailor.disk import write_atomic
from tailor.report.page import render
from tailor.run import Run

__all__ = ["render", "write"]


def write(run: Run) -> Path:
    """Writes `report.html` into the run folder, all of it or nothing, and returns its path.

    A run that was stopped early gets a page that says what is missing. Raises ResourceError where the folder cannot be
    written.
    """
    write_atomic(run.report, render(run).encode("utf-8", errors="replace"))
    return run.report
