"""DPO against TRL's formula on plain transformers passes, and through a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

from tailor import render
from tailor.run import Run
from tailor.train import loop
from tailor.train.optim import plan
from tailor.train.source import Source

from .conftest import pairs

MakeRun = Callable[..., Run]


def answers(model: Any, batch: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """(summed log-prob, length) of each answer as TRL has it: rows padded on the right to one batch, labels shifted."""
    width = max(map(len, batch))
    ids = torch.tensor(np.stack([np.pad(datum.ids, (0, width - len(datum))) for datum in batch]), dtype=torch.int64)
    mask = torch.tensor(np.stack([np.pad(datum.weights, (0, width - len(datum))) for datum in batch]))[:, 1:]
    real = torch.tensor([[1] * len(datum) + [0] * (width - len(datum)) for datum in batch])
    logits = model(input_ids=ids, attention_mask=real, use_cache=False).logits[:, :-1]
    per_token = logits.log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    return (per_token * mask).sum(1), mask.sum(1)


def trl_loss(kind: str, beta: float, smoothing: float, scores: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The mean over the batch of `DPOTrainer`'s per-sequence loss (trl 1.16) from log-ratios, chosen rows first."""
    chosen, rejected = scores.chunk(2)
    chosen_length, rejected_length = lengths.chunk(2)
    delta, mean_delta = chosen - rejected, chosen / chosen_length - rejected / rejected_length
    if kind == "hinge":
        return torch.relu(1 - beta * delta).mean()
    if kind == "ipo":
        return ((mean_delta - 1 / (2 * beta)) ** 2).mean()
    if kind == "sigmoid_norm":
        return -F.logsigmoid(beta * mean_delta).mean()
    if kind == "robust":
        clean, flipped = -(1 - smoothing) * F.logsigmoid(beta * delta), -smoothing * F.logsigmoid(-beta * delta)
        return ((clean - flipped) / (1 - 2 * smoothing)).mean()
    return -F.logsigmoid(beta * delta).mean()


def plain_losses(run: Run, folder: Path, kind: str, steps: int) -> list[float]:
    """TRL's way through the run's batches: a model, its frozen copy, torch's own AdamW."""
    model, frozen = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager") for _ in range(2)
    )
    source = Source.open(run, render.load(folder))
    how = plan(run.config.optim, rows=len(source.train), adapter="full", parameters=0)
    groups = [[p for p in model.parameters() if (p.ndim >= 2) == wide] for wide in (True, False)]
    decays = zip(groups, (how.weight_decay, 0.0))
    optimizer = torch.optim.AdamW(
        [{"params": group, "weight_decay": decay} for group, decay in decays], betas=how.betas, eps=how.epsilon
    )
    method = run.config.method
    found = []
    for step in range(steps):
        datums = source.batch(step, how.batch_size)
        batch = [datum for label in ("chosen", "rejected") for datum in datums if datum.label == label]
        with torch.no_grad():
            reference, _ = answers(frozen, batch)
        logps, lengths = answers(model, batch)
        smoothing = method.get("label_smoothing", 0.0)
        loss = trl_loss(kind, method.get("beta", 0.1), smoothing, logps - reference, lengths)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), how.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = how.rate(step)
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("sigmoid", {}),
        ("sigmoid", {"train.token_budget": 64, "method.beta": 0.5}),
        ("hinge", {"method.loss": "hinge"}),
        ("ipo", {"method.loss": "ipo", "train.share_prefixes": False}),
        ("robust", {"method.loss": "robust", "method.label_smoothing": 0.1}),
        ("sigmoid_norm", {"method.average": True, "method.beta": 2.0}),
    ],
)
def test_losses_are_those_of_trl_over_20_steps(
    make_run: MakeRun, tiny: Path, kind: str, settings: dict[str, Any]
) -> None:
    run = make_run(
        of=pairs,
        adapter__type="full",
        optim__batch_size=5,  # crosses the seams of epochs
        optim__epochs=100 / 24,
        optim__learning_rate=3e-4,
        train__validations_per_epoch=0.01,
        **settings,
    )
    loop.train(run)
    ours = [line["loss"] for line in run.lines("metrics.jsonl") if "loss" in line]
    assert len(ours) == 20
    np.testing.assert_allclose(ours, plain_losses(run, tiny, kind, 20), rtol=1e-5)
    assert ours[-1] < 0.98 * ours[0]


TRAIN = "import sys; from tailor.run import Run; from tailor.train.loop import train; train(Run(sys.argv[1]))"


def test_a_kill_changes_nothing(make_run: MakeRun) -> None:
    settings = {"optim__epochs": 5, "train__checkpoint_minutes": 1e-6, "train__patience": 100, "of": pairs}
    killed = make_run("killed", **settings)
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen([sys.executable, "-c", TRAIN, str(killed.path)], env=environment)
    while process.poll() is None and sum(1 for _ in killed.lines("metrics.jsonl")) < 9:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    loop.train(killed)
    whole = make_run("whole", **settings)
    loop.train(whole)
    for name in ("metrics.jsonl", "model/model.safetensors"):
        assert (killed.path / name).read_bytes() == (whole.path / name).read_bytes()
