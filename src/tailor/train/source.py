"""Where batches come from: the run folder's rows, rendered once, in an order that depends on the seed alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tailor import render
from tailor.errors import DataError
from tailor.methods.base import Method, open_method, settled
from tailor.records import Datum, Example, Ledger, Progress, quiet
from tailor.run import Run

Rows = Sequence[Sequence[Datum]]
"""The Datums of each Example; those of one Example always share a step."""
Streams = Mapping[str, np.ndarray]
"""Named streams of one Datum, a float a token."""


def prepare(run: Run, renderer: render.Renderer, progress: Progress = quiet) -> None:
    """Renders the run's train and validation rows once and takes out, with an entry in the ledger, what is dropped.

    After it, `data/*.jsonl` hold exactly the rows that are used, and the run's settings name its method. It is done
    before any work, so that rows which cannot be trained on stop the run at once. Raises DataError for them, and where
    nothing is left.
    """
    config = run.config
    ledger = run.read_as("data/ledger.json", Ledger)
    rows = {name: list(run.lines(f"data/{name}.jsonl", Example)) for name in ("train", "validation")}
    method = settled(config.method, [example for examples in rows.values() for example in examples])
    if method != config.method:
        run.configure(config.model_copy(update={"method": method}))
    for name, examples in rows.items():
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

    def streamed(self, measure: Callable[[Sequence[Datum]], Sequence[Streams]]) -> Source:
        """The same rows with named streams on their Datums, which `measure` gives for all of them at once."""
        rows = [*self.train, *self.validation]
        given = iter(measure([datum for group in rows for datum in group]))
        done = [[replace(datum, streams={**datum.streams, **next(given)}) for datum in group] for group in rows]
        return Source(done[: len(self.train)], done[len(self.train) :], self.seed)

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


def cache(kind: str) -> Path:
    """Folder that all runs share for one kind of thing: in `$TAILOR_CACHE`, else in the user's cache folder."""
    base = os.environ.get("TAILOR_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tailor"
    return Path(base) / kind


def method_of(run: Run) -> Method:
    """The method of a run, with its settings."""
    return open_method(run.config.method)


def _render(run: Run, examples: list[Example], renderer: render.Renderer, ledger: Ledger, progress: Progress) -> Rows:
    config = run.config
    method = method_of(run)
    return render.render_rows(
        examples,
        renderer,
        lambda example, group: method.datums(example, group, renderer),
        max_length=min(config.data.max_length or renderer.max_length, renderer.max_length),
        over_length=config.data.over_length,
        ledger=ledger,
        cache=cache("tokens"),
        progress=progress,
    )
