"""A run that begins with the weights of another: what it takes over, what is new, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tailor import worker
from tailor.config import resolve
from tailor.errors import ConfigError, ModelError, RunError
from tailor.run import Run
from tailor.worker.story import start

Train = Callable[..., Run]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("data")
    for name, colours in (("old", ("red", "green", "blue")), ("new", ("rot", "grün", "blau"))):
        lines = [f"item {n} of lot {n % 7},{colours[n % 3]}" for n in range(20)]
        (folder / f"{name}.csv").write_text("text,category\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return str(folder / "old.csv"), str(folder / "new.csv")


@pytest.fixture
def train(tiny: Path, tmp_path: Path) -> Train:
    def run(data: str, name: str, **settings: Any) -> Run:
        settings = {"optim__epochs": 1, "run__out": str(tmp_path / name), "model__name": str(tiny)} | settings
        settings = {key: value for key, value in settings.items() if value is not None}
        return worker.train(data, eval__max_tokens=2, train__early_stop="loss", **settings)

    return run


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(next(path for path in run.path.glob("[am]*/*model.safetensors")))


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_it_begins_where_the_other_ended_with_a_fresh_schedule(
    train: Train, data: tuple[str, str], kind: str, tmp_path: Path
) -> None:
    first = train(data[0], "first", adapter__type=kind, adapter__r=4, optim__learning_rate=0.01)
    still = train(data[1], "still", model__name=None, run__continue_from=str(first.path), optim__learning_rate=1e-9)
    for name, value in weights(first).items():
        torch.testing.assert_close(weights(still)[name], value, rtol=0, atol=1e-6)
    assert still.config.adapter.type == kind and still.config.adapter.r == 4
    assert still.config.model.name == first.config.model.name
    began = next(line for line in still.lines("events.jsonl") if line["event"] == "training")
    assert began["step"] == 0 and began["learning_rate"] == 1e-9

    moved = train(data[1], "moved", model__name=None, run__continue_from=str(first.path), optim__learning_rate=0.01)
    assert any(not torch.equal(value, weights(first)[name]) for name, value in weights(moved).items())
    losses = [next(run.lines("metrics.jsonl"))["loss"] for run in (moved, still)]
    assert losses[0] == losses[1] != next(train(data[1], "bare", adapter__type=kind).lines("metrics.jsonl"))["loss"]
    again = start("train", resolve(moved.path / "recipe.toml", {"run.out": str(tmp_path / "again")}))
    assert all(torch.equal(value, weights(moved)[name]) for name, value in weights(again).items())


def test_what_does_not_fit_is_refused_before_any_work(
    train: Train, data: tuple[str, str], tmp_path: Path, tiny: Path
) -> None:
    first = train(data[0], "first", adapter__type="lora", adapter__r=4)

    def on(**settings: Any) -> Run:
        return train(data[1], "second", **{"model__name": None, "run__continue_from": str(first.path)} | settings)

    with pytest.raises(ConfigError, match=r"adapter\.r = 8 \(there 4\), adapter\.type = 'full' \(there 'lora'\)"):
        on(adapter__r=8, adapter__type="full")
    with pytest.raises(ModelError, match=r"that run was trained from another model: .* 'thimble'"):
        on(model__name="thimble")
    with pytest.raises(RunError, match="there is no run in this folder"):
        on(run__continue_from=str(tmp_path / "nowhere"))
    (first.path / "train.json").unlink()
    with pytest.raises(RunError, match=r"no trained model yet\n.*tailor train --resume"):
        on()
    with pytest.raises(ConfigError, match="only training continues from a run"):
        worker.fit(data[1], run__continue_from=str(first.path))
    assert not (tmp_path / "second").exists()


def test_a_run_killed_before_it_was_described_goes_on(train: Train, data: tuple[str, str]) -> None:
    run = train(data[0], "run")
    (run.path / "environment.json").unlink()
    before = run.read("summary.json")["train"]
    assert worker.resume(run.path, verb="train").read("summary.json")["train"] == before
    assert run.verb == "train"
