"""Checkpoints: what is put back, what is passed over, and what a full disk leaves."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tailor.config import resolve
from tailor.errors import ResourceError, RunError
from tailor.run import Run
from tailor.train import checkpoint
from tailor.train.checkpoint import State


class Toy:
    """A run whose model is one layer: each step learns from numbers drawn by torch's own generator."""

    def __init__(self, path: Path, make: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW) -> None:
        if (path / "config.json").exists():
            self.run = Run(path)
        else:
            self.run = Run.create(resolve(None, {"run.out": str(path)}))
        torch.manual_seed(7)
        self.parameters = dict(nn.Linear(6, 4).named_parameters())
        self.optimizer = make(list(self.parameters.values()), lr=0.05)
        self.said: list[str] = []
        self.state = checkpoint.resume(self.run, self.parameters, self.optimizer, self.said.append)

    def go(self, steps: int, *, best: tuple[int, ...] = (), keep_last: int = 2) -> list[str]:
        """Takes steps with a checkpoint after each; names of the checkpoints that are left."""
        for _ in range(steps):
            loss = (self.parameters["weight"] @ torch.rand(6) + self.parameters["bias"]).square().sum()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.state.step += 1
            if self.state.step in best or not best:
                self.state.best_step = self.state.step
            for log in checkpoint.LOGS:
                self.run.append(log, {"step": self.state.step, "loss": loss.item()})
            checkpoint.save(self.run, self.state, self.parameters, self.optimizer, keep_last)
        return self.names

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in (self.run.path / "checkpoints").iterdir())

    def folder(self, step: int) -> Path:
        return self.run.path / "checkpoints" / f"step-{step:08d}"

    def assert_like(self, other: Toy) -> None:
        for name, parameter in self.parameters.items():
            assert torch.equal(parameter, other.parameters[name])
        for log in checkpoint.LOGS:
            assert (self.run.path / log).read_bytes() == (other.run.path / log).read_bytes()


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def plain_values(parameters: list[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """An optimiser that keeps a number beside its tensors, as the 8-bit ones do."""

    class Counting(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            for parameter in parameters:
                state = self.state[parameter]
                state["count"] = state.get("count", 0) + 1
                self.param_groups[0]["lr"] = lr / state["count"]
            super().step(closure)

    return Counting(parameters, lr=lr, momentum=0.9)


@pytest.mark.parametrize(
    "make",
    [
        torch.optim.AdamW,
        lambda parameters, lr: torch.optim.AdamW(parameters, lr=lr, fused=True),
        lambda parameters, lr: torch.optim.AdamW(
            [{"params": parameters[1:]}, {"params": parameters[:1], "weight_decay": 0.1}], lr=lr
        ),
        torch.optim.Adafactor,
        plain_values,
    ],
    ids=["adamw", "fused", "groups", "adafactor", "plain values"],
)
def test_any_optimiser_goes_on_exactly(tmp_path: Path, make: Callable[..., torch.optim.Optimizer]) -> None:
    whole = Toy(tmp_path / "whole", make)
    whole.go(6)
    Toy(tmp_path / "cut", make).go(3)
    cut = Toy(tmp_path / "cut", make)
    assert cut.state.step == 3
    cut.go(3)
    cut.assert_like(whole)
    assert not list(tmp_path.rglob("*.pt")) and not list(tmp_path.rglob("*.bin"))


def test_the_best_and_the_last_are_kept(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "run")
    assert toy.go(6, best=(2,), keep_last=2) == ["step-00000002", "step-00000005", "step-00000006"]
    assert toy.go(2, best=(8,), keep_last=1) == ["step-00000008"]


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("trainable.safetensors", spoil),
        ("state.json", spoil),
        ("optimizer.json", Path.unlink),
        ("manifest.json", Path.unlink),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_aloud(tmp_path: Path, file: str, damage: Callable[[Path], None]) -> None:
    whole = Toy(tmp_path / "whole")
    whole.go(5)
    Toy(tmp_path / "run").go(4)
    damage(tmp_path / "run" / "checkpoints" / "step-00000004" / file)
    toy = Toy(tmp_path / "run")
    assert toy.state.step == 3
    assert toy.said == ["the checkpoint of step 4 is passed over: its files are not as they were written"]
    assert [line["path"] for line in toy.run.lines("events.jsonl")] == ["step-00000004"]
    assert toy.names == ["step-00000003"]
    toy.go(2)
    toy.assert_like(whole)


def test_a_checkpoint_whose_best_is_gone_is_passed_over(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "run")
    toy.go(4, best=(1, 3), keep_last=3)
    spoil(toy.folder(3) / "trainable.safetensors")
    again = Toy(tmp_path / "run")
    assert again.state.step == 2
    assert again.said[0].endswith("the checkpoint of step 3, the best by then, is gone or damaged")
    assert again.names == ["step-00000001", "step-00000002"]


def test_a_log_that_is_shorter_than_its_checkpoint_is_never_filled_with_zeros(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "run")
    toy.go(3)
    size = toy.run.size("metrics.jsonl")
    os.truncate(toy.run.path / "metrics.jsonl", size - 1)
    again = Toy(tmp_path / "run")
    assert again.state.step == 2
    assert again.said == ["the checkpoint of step 3 is passed over: the run's log is shorter than it was then"]
    assert [line["step"] for line in again.run.lines("metrics.jsonl")] == [1, 2]


def test_where_all_are_damaged_nothing_is_begun_anew_in_silence(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "run")
    toy.go(3)
    for step in (2, 3):
        spoil(toy.folder(step) / "state.json")
    with pytest.raises(RunError, match=r"none of the 2 checkpoints can be used(.|\n)*--recipe"):
        Toy(tmp_path / "run")
    assert len(list(toy.run.lines("metrics.jsonl"))) == 3 and len(toy.names) == 2


def test_other_parameters_are_refused(tmp_path: Path) -> None:
    Toy(tmp_path / "run").go(1)
    other = dict(nn.Linear(6, 5).named_parameters())
    with pytest.raises(RunError, match="other parameters than this model trains"):
        checkpoint.resume(Run(tmp_path / "run"), other, torch.optim.AdamW(other.values()))


CALLS: list[tuple[Any, str, int]] = [
    (checkpoint, "save_file", 2),
    (Path, "write_bytes", 3),
    (os, "fsync", 8),  # two logs, five files, the folder
    (Path, "rename", 1),
]
"""What of a checkpoint a full disk may refuse, and how often it is called."""


def test_a_disk_full_at_any_call_leaves_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Toy(tmp_path / "whole")
    whole.go(5)
    Toy(tmp_path / "run").go(3)
    for owner, name, count in CALLS:
        real = getattr(owner, name)
        for at in range(1, count + 1):
            calls = iter(range(1, 100))

            def full(*arguments: Any, at: int = at, real: Any = real, calls: Any = calls, **named: Any) -> Any:
                if next(calls) == at:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return real(*arguments, **named)

            toy = Toy(tmp_path / "run")
            assert toy.state.step == 3 and not toy.said
            with monkeypatch.context() as patch, pytest.raises(ResourceError, match=r"disk is full\n.*free space"):
                patch.setattr(owner, name, full)
                toy.go(1)
            assert toy.names == ["step-00000002", "step-00000003"]
            assert not list(tmp_path.rglob("*.tmp"))
    toy = Toy(tmp_path / "run")
    toy.go(2)
    toy.assert_like(whole)


def test_too_little_space_is_seen_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Toy(tmp_path / "run")
    toy.go(1)
    monkeypatch.setattr("tailor.disk.shutil.disk_usage", lambda path: type("Usage", (), {"free": 100}))
    monkeypatch.setattr(checkpoint, "save_file", lambda *_: pytest.fail("written all the same"))
    with pytest.raises(ResourceError, match=r"0\.0 MB are free on this disk"):
        toy.go(1)


def test_state_is_kept_whole(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "run")
    toy.state = State(1, 200, 1, 0.5, "exact", 3, False, plan={"batch_size": 4})
    checkpoint.save(toy.run, toy.state, toy.parameters, toy.optimizer, 1)
    assert Toy(tmp_path / "run").state == toy.state
