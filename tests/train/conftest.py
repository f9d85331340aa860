"""A run folder made of a handful of rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tailor import render
from tailor.config import resolve
from tailor.records import Example, Ledger, Source, message
from tailor.run import Run
from tailor.train.source import prepare


def rows(count: int, first: int = 0) -> list[Example]:
    """Small conversations of different lengths that share a system prompt."""
    examples = []
    for number in range(first, first + count):
        turns = [
            message("system", "Answer in the house style."),
            message("user", f"ticket {number} " * (1 + number % 4)),
        ]
        turns.append(message("assistant", f"code {number * 7 % 13} " + "done " * (number % 3)))
        if number % 3 == 0:
            turns += [message("user", "and then?"), message("assistant", f"close {number}")]
        examples.append(Example(kind="chat", messages=tuple(turns), source=Source("rows.jsonl", number + 1)))
    return examples


def pairs(count: int, first: int = 0) -> list[Example]:
    """Preference pairs of different lengths that share a system prompt; some answers begin alike."""
    return [
        Example(
            kind="pair",
            messages=(message("system", "Answer in the house style."), message("user", f"ticket {number}, what now?")),
            chosen=(message("assistant", f"code {number * 7 % 13} " + "done " * (number % 3)),),
            rejected=(message("assistant", ("code " if number % 2 else "no ") + "idea " * (1 + number % 4)),),
            source=Source("rows.jsonl", number + 1),
        )
        for number in range(first, first + count)
    ]


@pytest.fixture
def make_run(tiny: Path, tmp_path: Path) -> Callable[..., Run]:
    """Makes a prepared run of 24 train and 6 validation rows; settings by their dotted names; `of` makes the rows."""

    def make(name: str = "run", *, of: Callable[..., list[Example]] = rows, **settings: Any) -> Run:
        values = {
            "model.name": str(tiny),
            "model.dtype": "fp32",
            "run.out": str(tmp_path / name),
            "optim.batch_size": 4,
            "optim.epochs": 3,
            "optim.learning_rate": 1e-3,
        } | {key.replace("__", "."): value for key, value in settings.items()}
        run = Run.create(resolve(None, values))
        run.write_lines("data/train.jsonl", of(24))
        run.write_lines("data/validation.jsonl", of(6, first=24))
        run.write("data/ledger.json", Ledger(rows_in=30, train=24, validation=6))
        prepare(run, render.load(tiny))
        return run

    return make
