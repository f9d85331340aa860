"""What a training run did to each of its rows: the loss of a row at every visit, from the run folder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailor.errors import RunError
from tailor.run import Run

FILE = "row_losses.jsonl"


@dataclass(frozen=True, eq=False)
class Dynamics:
    """float32 [rows, visits] in the order of `data/train.jsonl` and of time; NaN where a row was met less often.

    loss   mean -log p of the trained tokens before the step was taken, in nats
    least  log p of the token that was found least likely
    """

    loss: np.ndarray
    least: np.ndarray

    @classmethod
    def read(cls, run: Run, rows: int) -> Dynamics:
        """Raises RunError where the run has recorded nothing about rows, or about others than it has."""
        lines = list(run.lines(FILE))
        row = np.array([row for line in lines for row in line["rows"]], np.int64)
        values = np.array([[v for line in lines for v in line[name]] for name in ("loss", "least")], np.float32)
        if not len(row):
            raise RunError(
                f"this run has recorded no losses of its rows ({FILE})",
                where=str(run.path),
                fix="train the rows again with this version; preference pairs have no losses of their own",
            )
        if values.shape != (2, len(row)) or row.min() < 0 or row.max() >= rows:
            raise RunError(f"{FILE} does not fit the run's {rows:,} rows", where=str(run.path), fix="train them again")
        order = np.argsort(row, kind="stable")  # by row, each row's visits in the order of time
        first = np.searchsorted(row[order], np.arange(rows))
        visit = np.arange(len(row)) - first[row[order]]
        table = np.full((2, rows, visit.max() + 1), np.nan, np.float32)
        table[:, row[order], visit] = values[:, order]
        return cls(*table)
