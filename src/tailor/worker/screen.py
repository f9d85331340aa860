"""Where a run tells what it does; the command line hands in one that draws."""

from __future__ import annotations

from typing import Protocol

from tailor.train.watch import Tick


class Screen(Protocol):
    """Where a run tells what it does."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def progress(self, what: str, done: int, total: int) -> None:
        """How far the work called `what` is."""

    def tick(self, tick: Tick) -> None:
        """How far training is."""


class Silent:
    """The Screen of a library call."""

    def say(self, text: str) -> None:
        """Says nothing."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Shows nothing."""

    def tick(self, tick: Tick) -> None:
        """Shows nothing."""
