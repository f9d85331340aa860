"""Where batches come from: the run folder's rows, rendered once, in an order that depends on the seed alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tailor import plugins, render
from tailor.errors import DataError
from tailor.methods.base import TRAINED_BY
from tailor.records import Datum, Example, Ledger, Progress, quiet
from tailor.run import Run

Rows = Sequence[Sequence[Datum]]
"""The Datums of each Example; those of one Example always share a step."""


def prepare(run: Run, renderer: render.Renderer, progress: Progress = quiet) -> None:
    """Renders the run's train and validation rows once and takes out, with an entry in the ledger, what is dropped.

    After it, `data/*.jsonl` hold exactly the rows that are used. It is done before any work, so that rows which cannot
    be trained on stop the run at once. Raises DataError for them, and where nothing is left.
    """
    ledger = run.read_as("data/ledger.json", Ledger)
    for name in ("train", "validation"):
        examples = list(run.lines(f"data/{name}.jsonl", Example))
        kept = [datums[0].group for datums in _render(run, examples, renderer, ledger, progress)]
        setattr(ledger, name, len(kept))
        if len(kept) < len(examples):
            run.write_lines(f"data/{name}.jsonl", (examples[index] for index in kept))
    ledger.check()
    run.write("data/ledger.json", ledger)
    if not ledger.train:
        raise DataError("no row is left to train on", where=str(run.path / "data"), fix="data/ledger.json says why")


@dataclass
class Source:
    """Datums of the train and validation rows."""

    train: Rows
    validation: Rows
    seed: int
    _order: tuple[int, np.ndarray] = field(default_factory=lambda: (-1, np.empty(0, np.int64)))

    @classmethod
    def open(cls, run: Run, renderer: render.Renderer, progress: Progress = quiet) -> Source:
        """The Datums of a prepared run; their tokens come from the cache that `prepare` filled."""
        train, validation = (
            _render(run, list(run.lines(f"data/{name}.jsonl", Example)), renderer, Ledger(), progress)
            for name in ("train", "validation")
        )
        return cls(train, validation, run.config.run.seed)

    @property
    def longest(self) -> int:
        """Tokens of the longest Datum."""
        return max(len(datum) for rows in (self.train, self.validation) for group in rows for datum in group)

    def batch(self, step: int, size: int) -> list[Datum]:
        """The Datums of step `step` (from 0): a function of (seed, epoch, index) alone, so that it resumes exactly."""
        datums: list[Datum] = []
        for index in range(step * size, (step + 1) * size):
            epoch, place = divmod(index, len(self.train))
            if self._order[0] != epoch:
                self._order = (epoch, np.random.default_rng([self.seed, epoch]).permutation(len(self.train)))
            datums.extend(self.train[self._order[1][place]])
        return datums


def token_cache() -> Path:
    """Folder of tokenised rows, shared by all runs: `$TAILOR_CACHE`, else the user's cache folder."""
    base = os.environ.get("TAILOR_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tailor"
    return Path(base) / "tokens"


def method_of(run: Run) -> tuple[Any, Any]:
    """(the method's module, its settings) of a run."""
    values = dict(run.config.method)
    method = plugins.load("methods", values.pop("type"))
    return method, method.Settings.model_validate(values)


def check_kinds(examples: Sequence[Example], method: str) -> None:
    """Raises DataError where rows are of a kind that `method` cannot train, and says which method does."""
    kinds = plugins.load("methods", method).KINDS
    wrong = [example for example in examples if example.kind not in kinds]
    if not wrong:
        return
    kind = wrong[0].kind
    raise DataError(
        f"the method {method!r} trains on rows of kind {' or '.join(kinds)}; {len(wrong):,} of {len(examples):,} rows "
        f"are of kind {kind!r}",
        where=str(wrong[0].source),
        fix=f"{kind} rows are for {TRAINED_BY[kind]}; methods of this version: {', '.join(plugins.names('methods'))}",
    )


def _render(run: Run, examples: list[Example], renderer: render.Renderer, ledger: Ledger, progress: Progress) -> Rows:
    config = run.config
    method, settings = method_of(run)
    return render.render_rows(
        examples,
        renderer,
        lambda example, group: method.datums(example, group, renderer, settings),
        max_length=min(config.data.max_length or renderer.max_length, renderer.max_length),
        over_length=config.data.over_length,
        ledger=ledger,
        cache=token_cache(),
        progress=progress,
    )
