"""What a run records of its rows, and what it is good for: wrong labels are learned last."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from scipy.stats import mannwhitneyu

from tailor import render
from tailor.config import CheckConfig, resolve
from tailor.curate.check import check
from tailor.curate.dynamics import Dynamics
from tailor.records import Example, Ledger, Source, message
from tailor.run import Run
from tailor.train import loop
from tailor.train.source import prepare

WORDS = {
    "money": ["refund", "invoice", "price", "charge"],
    "travel": ["train", "flight", "hotel", "ticket"],
    "food": ["bread", "soup", "coffee", "rice"],
    "weather": ["rain", "snow", "storm", "wind"],
}


def labelled(count: int, draw: random.Random) -> tuple[list[Example], np.ndarray]:
    """Words of four subjects, one label in ten of them flipped; which those are."""
    rows, wrong = [], []
    for number in range(count):
        label = draw.choice(list(WORDS))
        asked = draw.choice(WORDS[label])
        flipped = number % 10 == 3
        given = draw.choice([other for other in WORDS if other != label]) if flipped else label
        turns = (message("user", asked), message("assistant", given))
        rows.append(Example(kind="chat", messages=turns, source=Source("rows.jsonl", number + 1)))
        wrong.append(flipped)
    return rows, np.array(wrong)


def test_flipped_labels_are_learned_late(tiny: Path, tmp_path: Path) -> None:
    rows, wrong = labelled(160, random.Random(0))
    settings = {"model.dtype": "fp32", "adapter.type": "full", "optim.learning_rate": 1e-2, "optim.batch_size": 8}
    where = {"model.name": str(tiny), "run.out": str(tmp_path / "run"), "optim.epochs": 4}
    run = Run.create(resolve(None, {**settings, **where}))
    run.write_lines("data/train.jsonl", rows)
    run.write_lines("data/validation.jsonl", [])
    run.write("data/ledger.json", Ledger(rows_in=len(rows), train=len(rows)))
    prepare(run, render.load(tiny))
    loop.train(run)

    dynamics = Dynamics.read(run, len(rows))
    assert dynamics.loss.shape == (160, 4)
    assert np.isfinite(dynamics.loss).all()
    late = np.exp(-dynamics.loss[:, 1:]).mean(1)
    area = mannwhitneyu(-late[wrong], -late[~wrong]).statistic / (wrong.sum() * (~wrong).sum())
    assert area > 0.9
    found = check(rows, settings=CheckConfig(select=("M305",)), dynamics=dynamics).findings
    hits = [bool(wrong[finding.rows[0].line - 1]) for finding in found]
    assert len(hits) >= wrong.sum() / 2
    assert np.mean(hits) >= 0.8


def test_preference_pairs_have_no_losses_of_their_own(tiny: Path, tmp_path: Path) -> None:
    turn = (message("user", "which?"),)
    sides = [(message("assistant", "this one"),), (message("assistant", "that one"),)]
    row = Example(kind="pair", messages=turn, chosen=sides[0], rejected=sides[1], source=Source("rows.jsonl", 1))
    where = {"model.name": str(tiny), "run.out": str(tmp_path / "run"), "optim.epochs": 1}
    run = Run.create(resolve(None, where))
    run.write_lines("data/train.jsonl", [row] * 4)
    run.write_lines("data/validation.jsonl", [])
    run.write("data/ledger.json", Ledger(rows_in=4, train=4))
    prepare(run, render.load(tiny))
    loop.train(run)
    assert run.has("metrics.jsonl")
    assert not run.has("row_losses.jsonl")
