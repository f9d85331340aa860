"""`tailor verify` and `tailor merge` on finished runs: what holds, what is noticed, and what a person sees."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tailor import worker
from tailor.cli import main
from tailor.config import resolve
from tailor.run import Run
from tailor.testing import plain
from tailor.train import checkpoint, loop, proof
from tailor.worker import verify as room
from tailor.worker.screen import Silent
from tailor.worker.verify import Verified, verify


@pytest.fixture(scope="module")
def make(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """A finished run on 20 rows."""
    folder = tmp_path_factory.mktemp("runs")
    lines = [f"item {n} of lot {n % 7} {'again ' * (n % 4)},code {n % 3}" for n in range(20)]
    (folder / "rows.csv").write_text("text,category\n" + "\n".join(lines) + "\n")

    def train(name: str, **settings: Any) -> Run:
        settings = {"optim__epochs": 2, "optim__learning_rate": 0.01, "train__early_stop": "loss"} | settings
        where = {"run__out": str(folder / name), "model__name": str(tiny), "run__threads": 1}
        return worker.train(str(folder / "rows.csv"), data__system="Name the code.", **where, **settings)

    return train


@pytest.fixture(scope="module")
def run(make: Callable[..., Run]) -> Run:
    return make("lora", adapter__type="lora", adapter__r=4)


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain side in this process, which has everything imported already."""

    def here(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        with warnings.catch_warnings():
            plain.main(Path(command[-1]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(room.subprocess, "run", here)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tailor", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def held(found: Verified) -> dict[str, bool]:
    return {check.name: check.holds for check in found.checks}


ALL = ["resume", "packing", "micro-batches", "saved weights", "losses", "updates"]


def test_a_run_keeps_its_promises(run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    before = sorted(path for path in run.path.rglob("*"))
    assert call(monkeypatch, "verify", str(run.path), "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert [check["name"] for check in document["checks"]] == ALL
    assert document["holds"] is True and document["dtype"] == "fp32" and document["rows"] == 16
    limits = {check["name"]: (check["difference"], check["limit"]) for check in document["checks"]}
    assert limits["resume"] == (0, 0)
    assert 0 < limits["packing"][0] < limits["packing"][1] == 1e-5
    assert "with shared prefixes" in document["checks"][1]["compared"]
    assert sorted(path for path in run.path.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(
    ("name", "settings", "left_out"),
    [
        ("full", {"adapter__type": "full"}, 0),
        ("dropout", {"adapter__type": "lora", "adapter__lora_dropout": 0.3}, 2),
    ],
)
def test_other_runs_keep_them_too(make: Callable[..., Run], name: str, settings: dict[str, Any], left_out: int) -> None:
    found = verify(make(name, **settings).path)
    assert held(found) == dict.fromkeys(ALL[: len(ALL) - left_out], True)
    assert [note for note in found.notes if "dropout" in note] == found.notes and bool(found.notes) == bool(left_out)


@pytest.mark.usefixtures("at_home")
def test_broken_promises_are_seen(run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    step, real = proof.Step, proof.Step.gradients

    def off(self: Any, datums: Any) -> Any:
        result = real(self, datums)
        if self.max_grad_norm == float("inf") and self.token_budget > 64:
            self.parameters[0].grad.mul_(1.0001)
        return result

    monkeypatch.setattr(step, "gradients", off)
    monkeypatch.setattr(checkpoint, "_load_optimizer", lambda *_: None)
    assert call(monkeypatch, "verify", str(run.path)) == 1
    said = capfd.readouterr().out
    assert "packing FAILS" in said and "resume FAILS" in said and said.count("FAILS") == 2


@pytest.mark.slow
@pytest.mark.usefixtures("at_home")
def test_saved_weights_that_are_not_the_live_ones_are_seen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = loop.save

    def rounding(loaded: Any, folder: Path, *rest: Any) -> None:
        real(loaded, folder, *rest)
        file = folder / "adapter_model.safetensors"
        save_file({name: value.bfloat16().float() for name, value in load_file(file).items()}, file)

    monkeypatch.setattr(loop, "save", rounding)
    found = held(verify(run.path))
    assert not found["saved weights"] and found["resume"] and found["losses"]


def test_merge_as_a_person_sees_it(
    run: Run, make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "merge", str(run.path), "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert document["merged"] is True and document["dtype"] == "fp32"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForCausalLM.from_pretrained(document["model"])
        tokenizer = AutoTokenizer.from_pretrained(document["model"])
    text = tokenizer.apply_chat_template([{"role": "user", "content": "item 3"}], tokenize=False)
    assert "item 3" in text
    with torch.no_grad():
        assert model(torch.tensor([tokenizer(text)["input_ids"]])).logits.isfinite().all()
    assert call(monkeypatch, "merge", str(run.path)) == 2
    assert "something stands there already" in capfd.readouterr().err
    whole = make("whole", adapter__type="full")
    assert call(monkeypatch, "merge", str(whole.path)) == 0
    said = capfd.readouterr().out
    assert "this run tuned the whole model" in said and "whole/model" in said.replace("\n", "")


@pytest.mark.parametrize("verb", ["verify", "merge"])
def test_runs_that_are_not_there_or_not_done(
    verb: str, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, verb, str(tmp_path / "nowhere")) == 2
    assert "there is no run in this folder" in capfd.readouterr().err
    Run.create(resolve(None, {"run.out": str(tmp_path / "begun"), "model.name": str(tiny)}))
    assert call(monkeypatch, verb, str(tmp_path / "begun")) == 2
    said = capfd.readouterr().err
    assert "no trained model yet" in said and "tailor train --resume" in said


@pytest.mark.parametrize(("loss", "holds"), [(1.0, False), (0.3, False), (1e-4, True)])
def test_gradients_of_rows_known_by_heart_are_known_less_well(loss: float, holds: bool) -> None:
    held = room._Proof(Run("nowhere"), Path(), Silent())
    held.dtype = "fp32"
    held._add("packing", "a gradient", 5e-3, "gradient", loss)
    held._add("saved weights", "logits", 5e-3, "logits")
    first, second = held.checks
    assert (first.holds, second.holds) == (holds, False)
    assert ("only 1.0e-04" in first.compared) == holds
