"""Supervised fine-tuning."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tailor.methods import sft
from tailor.records import Example, Source, message
from tailor.render.pack import plant
from tailor.testing.methods import ByteRenderer, MethodContract


class TestSft(MethodContract):
    name = "sft"


def chat(*weights: float | None) -> Example:
    turns = [
        turn
        for number, weight in enumerate(weights)
        for turn in (message("user", f"question {number}"), message("assistant", f"answer {number}", weight))
    ]
    return Example(kind="chat", source=Source("rows.jsonl", 1), messages=tuple(turns))


def test_the_loss_is_the_weighted_negative_log_likelihood() -> None:
    (datum,) = ByteRenderer().datums(chat(None, 0.25, 0), 0)
    (tree,) = plant([datum], 1000)
    logprobs = -torch.rand(len(tree.targets))
    wanted = sum(-float(datum.weights[row + 1]) * float(value) for row, value in zip(tree.targets.rows, logprobs))
    assert float(sft.loss(logprobs, tree, sft.Settings())["nll"]) == pytest.approx(wanted, rel=1e-6)


def test_units_are_the_trained_weight() -> None:
    datums = [datum for row in (chat(None), chat(0.5), chat(0)) for datum in ByteRenderer().datums(row, 0)]
    assert sft.units(datums, sft.Settings()) == {"nll": len("answer 0\n") * 1.5}


def test_a_million_small_weights_are_added_up_exactly_enough() -> None:
    (datum,) = ByteRenderer().datums(chat(None), 0)
    many = type(datum)(np.zeros(3_000_000, np.int32), np.full(3_000_000, 0.1, np.float32), 0, datum.row)
    assert sft.units([many], sft.Settings())["nll"] == pytest.approx(300_000, rel=1e-7)
