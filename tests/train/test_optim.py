"""The plan of the steps, by hand."""

from __future__ import annotations

import math

import pytest

from tailor.config import OptimConfig
from tailor.train.optim import default_epochs, default_learning_rate, plan


def test_rates_by_hand() -> None:
    config = OptimConfig(learning_rate=1.0, epochs=1, batch_size=1, warmup_ratio=0.2, min_lr_ratio=0.1)
    how = plan(config, rows=10, adapter="lora", parameters=1)
    assert (how.steps, how.warmup) == (10, 2)
    halfway = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 4 / 8))
    assert [how.rate(step) for step in (0, 1, 2, 6)] == pytest.approx([0.5, 1.0, 1.0, halfway])
    linear = plan(config.model_copy(update={"schedule": "linear"}), rows=10, adapter="lora", parameters=1)
    assert linear.rate(6) == pytest.approx(0.1 + 0.9 * 0.5)
    constant = plan(config.model_copy(update={"schedule": "constant"}), rows=10, adapter="lora", parameters=1)
    assert constant.rate(9) == 1.0


@pytest.mark.parametrize(
    ("rows", "batch", "large", "small"),
    [(100, 8, 12, 12), (1_000, 16, 10, 12), (6_000, 16, 3, 8), (10_000, 16, 3, 5)],
)
def test_epochs_by_rows(rows: int, batch: int, large: float, small: float) -> None:
    assert default_epochs(rows, batch, 8_000_000_000) == large
    assert default_epochs(rows, batch, 6_000_000) == small


def test_learning_rate_by_size() -> None:
    assert default_learning_rate("lora", 8_000_000_000) == 2e-4
    assert default_learning_rate("full", 8_000_000_000) == pytest.approx(1e-5)
    assert default_learning_rate("full", 100_000_000) == pytest.approx(1e-4)
    assert default_learning_rate("full", 1_000_000) == pytest.approx(1e-3)
