"""The average of the last weights: its formula, what it is kept for, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tailor import render
from tailor.config import OptimConfig
from tailor.run import Run
from tailor.train import loop
from tailor.train.average import Average
from tailor.train.optim import plan
from tailor.train.source import Source
from tailor.train.step import Step
from tailor.weights.load import load

MakeRun = Callable[..., Run]


def polynomial(passed: list[np.ndarray], eta: float) -> np.ndarray:
    """Shamir & Zhang (2013), as their section 4 writes it."""
    average = passed[0].astype(np.float64)
    for t, weights in enumerate(passed[1:], 2):
        average = (1 - (eta + 1) / (t + eta)) * average + (eta + 1) / (t + eta) * weights
    return average


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_it_is_polynomial_decay(share: float) -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    average = Average(torch.optim.SGD([weight], lr=1.0), share)
    passed = []
    for step in range(1, 41):
        weight.data = torch.randn(3, generator=torch.Generator().manual_seed(step))
        passed.append(weight.detach().numpy().copy())
        average.update(step)
    with average.in_place():
        np.testing.assert_allclose(weight.detach().numpy(), polynomial(passed, 1 / share - 1), rtol=1e-5, atol=1e-6)


def test_the_weights_are_back_afterwards_even_where_a_look_fails() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    average = Average(torch.optim.SGD([weight], lr=1.0), 0.1)
    with average.in_place():
        assert bool((weight == 1).all())  # nothing was averaged yet
    average.update(1)
    weight.data = torch.full((3,), 7.0)
    with pytest.raises(ValueError), average.in_place():
        assert bool((weight == 1).all())
        raise ValueError
    assert bool((weight == 7).all())


@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_a_run_keeps_the_average_of_what_it_passed_through(
    make_run: MakeRun, adapter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[dict[str, np.ndarray]] = []
    update = Average.update
    run = make_run(adapter__type=adapter, optim__average=0.2)

    def watched(self: Average, step: int) -> None:
        groups = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        passed.append({str(number): part.detach().numpy().copy() for number, part in enumerate(groups)})
        update(self, step)

    monkeypatch.setattr(Average, "update", watched)
    outcome = loop.train(run)
    (file,) = (run.path / ("model" if adapter == "full" else "adapter")).glob("*.safetensors")
    saved = sorted(load_file(file).values(), key=lambda part: (part.shape, float(part.float().sum())))
    wanted = [polynomial([one[key] for one in passed[: outcome.best_step]], 1 / 0.2 - 1) for key in passed[0]]
    wanted.sort(key=lambda part: (part.shape, float(part.sum())))
    assert outcome.best_step > 5
    for found, mean in zip(saved, wanted, strict=True):
        np.testing.assert_allclose(found.numpy(), mean, rtol=1e-4, atol=1e-6)


def test_steps_are_judged_by_what_is_kept(make_run: MakeRun) -> None:
    run = make_run()
    outcome = loop.train(run)
    looks = {line["step"]: line["validation_loss"] for line in run.lines("metrics.jsonl") if "validation_loss" in line}
    config = run.config
    loaded = loop.tuned(run, load(config.model, device="cpu"))
    source = Source.open(run, render.load(loaded.folder))
    step = Step(run, loaded, loaded.trainable(), share=True, max_grad_norm=1.0)
    losses = step.validate([datum for group in source.validation for datum in group])
    assert looks[outcome.best_step] == pytest.approx(losses.loss, rel=1e-5)


def settings(**given: Any) -> OptimConfig:
    return OptimConfig.model_validate(given)


@pytest.mark.parametrize(
    ("given", "parameters", "wanted"),
    [
        ({}, 5_000_000, (0.1, "constant")),
        ({}, 8_000_000_000, (0.0, "cosine")),
        ({"average": 0.0}, 5_000_000, (0.0, "cosine")),
        ({"average": 0.3}, 8_000_000_000, (0.3, "constant")),
        ({"average": 0.3, "schedule": "linear"}, 8_000_000_000, (0.3, "linear")),
    ],
)
def test_it_is_for_small_models_unless_asked_for(
    given: dict[str, Any], parameters: int, wanted: tuple[float, str]
) -> None:
    how = plan(settings(**given), rows=100, adapter="full", parameters=parameters)
    assert (how.average, how.schedule) == wanted
