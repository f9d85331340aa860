"""The plan of the steps, by hand; the optimisers, against other people's and against themselves resumed."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from peft.optimizers import create_loraplus_optimizer
from transformers.optimization import Adafactor

from tailor.config import AdapterConfig, ModelConfig, OptimConfig, resolve
from tailor.errors import ConfigError, ResourceError
from tailor.run import Run
from tailor.train import checkpoint
from tailor.train.optim import Plan, default_epochs, default_learning_rate, make, plan, set_rate
from tailor.weights.adapter import attach
from tailor.weights.load import Loaded, load
from tailor.worker.story import start


def test_rates_by_hand() -> None:
    config = OptimConfig(
        learning_rate=1.0, epochs=1, batch_size=1, warmup_ratio=0.2, min_lr_ratio=0.1, schedule="cosine"
    )
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
    [(100, 8, 12, 20), (1_000, 16, 10, 20), (4_000, 16, 3, 10), (10_000, 32, 3, 8), (100_000, 32, 3, 5)],
)
def test_epochs_by_rows(rows: int, batch: int, large: float, small: float) -> None:
    assert default_epochs(rows, batch, 8_000_000_000) == large
    assert default_epochs(rows, batch, 6_000_000) == small


def test_learning_rate_by_size() -> None:
    assert default_learning_rate("lora", 8_000_000_000) == 2e-4
    assert default_learning_rate("lora", 250_000_000) == pytest.approx(4e-4)
    assert default_learning_rate("lora", 1_000_000) == pytest.approx(3e-3)
    assert default_learning_rate("full", 8_000_000_000) == pytest.approx(1e-5)
    assert default_learning_rate("full", 100_000_000) == pytest.approx(1e-4)
    assert default_learning_rate("full", 1_000_000) == pytest.approx(2e-3)


@pytest.fixture
def model(tiny: Path) -> Loaded:
    return load(ModelConfig(name=str(tiny), dtype="fp32"), device="cpu")


def tuned(loaded: Loaded, kind: str, optimizer: str, **settings: object) -> tuple[Plan, torch.optim.Optimizer]:
    """`loaded` made trainable, with the plan and the optimiser of ten rows."""
    adapter = attach(loaded, AdapterConfig.model_validate({"type": kind, "r": 4}), seed=0)
    values = {"optimizer": optimizer, "learning_rate": 1e-3, "schedule": "constant", "warmup_ratio": 0.0}
    how = plan(OptimConfig.model_validate(values | settings), rows=10, adapter=adapter, parameters=1)
    return how, make(loaded, how)


def move(parameters: Mapping[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer, step: int) -> None:
    """One update along a gradient that depends on the step and the weights."""
    drawn = torch.Generator().manual_seed(step)
    for parameter in parameters.values():
        parameter.grad = torch.randn(parameter.shape, generator=drawn) + 0.1 * parameter.detach()
    optimizer.step()


def copies(loaded: Loaded) -> dict[str, torch.nn.Parameter]:
    return {name: torch.nn.Parameter(value.detach().clone()) for name, value in loaded.trainable().items()}


KINDS = [("lora", "adamw"), ("lora", "adamw-8bit"), ("lora", "adafactor"), ("full", "adamw"), ("full", "adamw-8bit")]
KINDS += [("full", "adafactor"), ("full", "muon")]


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_resumed_from_a_checkpoint_every_bit_is_the_same(
    make_run: Callable[..., Run], tiny: Path, kind: str, name: str
) -> None:
    run = make_run()
    whole, part, again, started = (load(ModelConfig(name=str(tiny), dtype="fp32"), device="cpu") for _ in range(4))
    for loaded in (whole, part, again, started):
        loaded.model.add_module("extra", torch.nn.Linear(128, 64, bias=False))  # 8,192 weights: moments in bytes
        loaded.model.extra.weight.data.fill_(0.1)
    (_, straight), (_, first), (_, second) = (tuned(loaded, kind, name) for loaded in (whole, part, again))
    for step in range(6):
        move(whole.trainable(), straight, step)
    for step in range(3):
        move(part.trainable(), first, step)
    checkpoint.save(run, checkpoint.State(step=3), part.trainable(), first, 1)
    checkpoint.resume(run, again.trainable(), second)
    for step in range(3, 6):
        move(again.trainable(), second, step)
    for key, value in whole.trainable().items():
        assert torch.equal(value, again.trainable()[key]), key
    tuned(started, kind, name)
    assert all(not torch.equal(value, whole.trainable()[key]) for key, value in started.trainable().items())


def test_adamw_8bit_is_adamw_where_moments_are_fp32_and_near_it_elsewhere(model: Loaded) -> None:
    how, optimizer = tuned(model, "full", "adamw-8bit")
    theirs = copies(model)
    matrices, vectors = ([p for p in theirs.values() if (p.ndim > 1) == flag] for flag in (True, False))
    plain = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": how.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=1e-3,
        betas=how.betas,
        eps=how.epsilon,
    )
    start = {name: value.detach().clone() for name, value in theirs.items()}
    for step in range(5):
        move(model.trainable(), optimizer, step)
        move(theirs, plain, step)
    kept = {name: optimizer.state[value]["state1"].dtype for name, value in model.trainable().items()}
    assert kept["model.embed_tokens.weight"] == torch.float32  # 131,072 weights, of which a step touches few
    assert kept["model.layers.0.mlp.up_proj.weight"] == torch.float32  # 2,048 weights
    for name, value in model.trainable().items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-4, atol=1e-6)
    assert any(not torch.equal(value, start[name]) for name, value in model.trainable().items())


def test_adamw_8bit_keeps_bytes_for_large_matrices(model: Loaded) -> None:
    large = torch.nn.Linear(128, 64)  # 8,192 weights
    model.model.extra = large
    how, optimizer = tuned(model, "full", "adamw-8bit")
    weight, theirs = large.weight, torch.nn.Parameter(large.weight.detach().clone())
    plain = torch.optim.AdamW([theirs], lr=1e-3, betas=how.betas, eps=how.epsilon, weight_decay=how.weight_decay)
    for step in range(5):
        move(model.trainable() | {"extra": weight}, optimizer, step)
        theirs.grad = weight.grad
        plain.step()
    assert optimizer.state[weight]["state1"].dtype == torch.uint8
    moved = (theirs - weight).norm() / 5e-3 / weight.numel() ** 0.5
    assert 0 < moved < 0.1  # against five steps of 1e-3 a weight


def test_adafactor_is_that_of_transformers_with_absolute_steps(model: Loaded) -> None:
    _, optimizer = tuned(model, "full", "adafactor", weight_decay=0.0)
    theirs = copies(model)
    peer = Adafactor(
        theirs.values(), lr=1e-3, scale_parameter=False, relative_step=False, clip_threshold=1.0, decay_rate=-0.8
    )
    for step in range(5):
        move(model.trainable(), optimizer, step)
        move(theirs, peer, step)
    for name, value in model.trainable().items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-4, atol=1e-6)
    kept = sum(v.numel() for state in optimizer.state.values() for v in state.values())
    assert kept < sum(value.numel() for value in model.trainable().values()) / 10


def test_muon_moves_matrices_by_orthogonal_steps_and_the_rest_as_adamw_does(model: Loaded) -> None:
    how, optimizer = tuned(model, "full", "muon", weight_decay=0.0)
    start = {name: value.detach().clone() for name, value in model.trainable().items()}
    theirs = copies(model)
    plain = torch.optim.AdamW(theirs.values(), lr=1e-3, betas=how.betas, eps=how.epsilon, weight_decay=0.0)
    move(model.trainable(), optimizer, 0)
    move(theirs, plain, 0)
    for name, value in model.trainable().items():
        if "proj" not in name:
            torch.testing.assert_close(value, theirs[name], rtol=1e-5, atol=1e-7)
            continue
        update = (value - start[name]) / (1e-3 * 0.2 * max(value.shape) ** 0.5)
        sizes = torch.linalg.svdvals(update)
        assert sizes.min() > 0.3 and sizes.max() < 1.3  # Newton-Schulz leaves them between about 0.7 and 1.2
        gradient = theirs[name].grad
        assert gradient is not None and (update * gradient).sum() < 0
    rates = {group["lr"] for group in optimizer.param_groups}
    set_rate(optimizer, how.__class__(**{**how.facts(), "learning_rate": 7e-4}), 3)
    assert (rates, {group["lr"] for group in optimizer.param_groups}) == ({1e-3}, {7e-4})
    before = {name: value.detach().clone() for name, value in model.trainable().items()}
    move(model.trainable(), optimizer, 1)
    ratio = (model.trainable()["model.norm.weight"] - before["model.norm.weight"]).abs().max() / 7e-4
    assert 0.5 < ratio < 1.5  # the rate that was set is the one that both parts use


def test_lora_plus_gives_b_its_own_rate_through_the_whole_schedule(model: Loaded) -> None:
    config = {"lora_plus_ratio": 16, "epochs": 1, "batch_size": 1, "schedule": "linear", "warmup_ratio": 0.2}
    how, optimizer = tuned(model, "lora", "adamw", **config)
    names = {id(value): name for name, value in model.trainable().items()}
    peer = create_loraplus_optimizer(model.model, torch.optim.AdamW, lr=how.rate(4), loraplus_lr_ratio=16)
    wanted = {names[id(p)]: group["lr"] for group in peer.param_groups for p in group["params"]}
    assert set_rate(optimizer, how, 4) == how.rate(4)
    rates = {names[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates == pytest.approx(wanted)
    assert len(set(rates.values())) == 2


def test_what_cannot_be_is_said(model: Loaded, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="'muon' is for full tuning"):
        tuned(model, "lora", "muon")
    full = load(ModelConfig(name=str(tiny), dtype="fp32"), device="cpu")
    with pytest.raises(ConfigError, match="lora_plus_ratio is for adapters"):
        tuned(full, "full", "adamw", lora_plus_ratio=16)
    with pytest.raises(ConfigError, match="there is no optimiser called 'adamw8bit'") as caught:
        tuned(full, "full", "adamw8bit")
    assert "did you mean 'adamw-8bit'?" in caught.value.fix
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ResourceError, match="bitsandbytes") as missing:
        tuned(full, "full", "adamw-8bit")
    assert "tailor[qlora]" in missing.value.fix


def test_an_optimiser_that_is_not_there_is_told_before_a_run_is_made(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ConfigError, match="there is no optimiser called 'adam'"):
        start("train", resolve(None, {"data.train": ["rows.jsonl"], "run.out": str(out), "optim.optimizer": "adam"}))
    assert not out.exists()
