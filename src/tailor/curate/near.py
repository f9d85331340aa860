"""Rows that are nearly equal, found without comparing each with each."""

from __future__ import annotations


class Near:
    """Near-equal rows of a corpus."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
