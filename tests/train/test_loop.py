"""The loop against a plain transformers loop, and against itself stopped and resumed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tailor import render
from tailor.errors import Cancelled, TrainingError
from tailor.kernels import logprobs
from tailor.run import Run
from tailor.train import checkpoint, loop
from tailor.train.optim import plan
from tailor.train.source import Source
from tailor.train.watch import Tick

MakeRun = Callable[..., Run]


def losses(run: Run) -> list[float]:
    return [line["loss"] for line in run.lines("metrics.jsonl") if "loss" in line]


Table = list[dict[int, tuple[float, float]]]
"""For each step the rows in it: (mean -log p of a trained token, lowest log p)."""


def plain_losses(run: Run, folder: Path, steps: int, table: Table) -> list[float]:
    """Ten lines of plain transformers: every Datum by itself, labels shifted by the model, torch's own AdamW."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    source = Source.open(run, render.load(folder))
    how = plan(run.config.optim, rows=len(source.train), adapter="full", parameters=0)
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": how.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        betas=how.betas,
        eps=how.epsilon,
    )
    found = []
    for step in range(steps):
        by_row: dict[int, list[torch.Tensor]] = {}
        datums = source.batch(step, how.batch_size)
        total = sum(float(datum.weights.sum()) for datum in datums)
        loss = torch.zeros(())
        for datum in datums:
            labels = np.where(datum.weights > 0, datum.ids, -100).astype(np.int64)
            out = model(torch.tensor(datum.ids[None], dtype=torch.int64), labels=torch.tensor(labels[None]))
            loss = loss + out.loss * float((labels[1:] != -100).sum()) / total
            at = np.flatnonzero(labels[1:] != -100)
            logprobs = out.logits[0].detach().log_softmax(-1)[at, labels[1:][at]]
            by_row.setdefault(datum.group, []).append(logprobs)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), how.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = how.rate(step)
        optimizer.step()
        found.append(loss.item())
        every = {row: torch.cat(parts) for row, parts in by_row.items()}
        table.append({row: (-float(values.mean()), float(values.min())) for row, values in every.items()})
    return found


@pytest.mark.parametrize("settings", [{}, {"train__token_budget": 64}, {"train__share_prefixes": False}])
def test_losses_are_those_of_a_plain_transformers_loop(make_run: MakeRun, tiny: Path, settings: dict[str, Any]) -> None:
    run = make_run(adapter__type="full", **settings)
    loop.train(run)
    table: Table = []
    expected = plain_losses(run, tiny, len(losses(run)), table)
    assert len(expected) == 18
    np.testing.assert_allclose(losses(run), expected, rtol=2e-5)
    assert expected[-1] < 0.95 * expected[0]
    lines = list(run.lines("row_losses.jsonl"))
    assert [line["step"] for line in lines] == list(range(1, 19))
    for line, rows in zip(lines, table):
        assert sorted(line["rows"]) == sorted(rows)
        np.testing.assert_allclose([rows[row][0] for row in line["rows"]], line["loss"], atol=2e-4)
        np.testing.assert_allclose([rows[row][1] for row in line["rows"]], line["least"], atol=2e-4)


def test_the_record_of_a_run(make_run: MakeRun) -> None:
    run = make_run(adapter__type="lora", adapter__r=4)
    ticks: list[Tick] = []
    outcome = loop.train(run, tick=ticks.append)
    assert outcome.adapter == "lora"
    assert (outcome.steps, outcome.epochs) == (18, 3.0)
    assert [tick.step for tick in ticks] == list(range(1, 19))
    source = Source.open(run, render.load(Path(run.config.model.name)))
    assert outcome.tokens == 3 * sum(datum.trained for group in source.train for datum in group)
    assert (run.path / "adapter" / "adapter_model.safetensors").exists()
    looks = [line for line in run.lines("metrics.jsonl") if "validation_loss" in line]
    assert [line["step"] for line in looks] == [3, 6, 9, 12, 15, 18]
    best = min(looks, key=lambda line: line["validation_loss"])
    assert outcome.best_step == best["step"]
    assert not any("seconds" in line for line in run.lines("metrics.jsonl"))


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.path / "adapter" / "adapter_model.safetensors")


@pytest.mark.parametrize("stop_at", [1, 7, 17])
def test_a_stopped_run_resumes_to_the_same_bytes(make_run: MakeRun, stop_at: int) -> None:
    settings = {"adapter__type": "lora", "adapter__lora_dropout": 0.1}
    whole = make_run("whole", **settings)
    loop.train(whole)

    stopped = make_run("stopped", **settings)
    with pytest.raises(Cancelled, match=f"stopped at step {stop_at} of 18"):
        loop.train(stopped, tick=lambda tick: stopped.cancel() if tick.step == stop_at else None)
    stopped.clear_cancel()
    loop.train(stopped)

    for log in ("metrics.jsonl", "row_losses.jsonl"):
        assert (stopped.path / log).read_bytes() == (whole.path / log).read_bytes()
    adapter = Path("adapter") / "adapter_model.safetensors"
    assert (stopped.path / adapter).read_bytes() == (whole.path / adapter).read_bytes()


def test_sigterm_writes_a_checkpoint(make_run: MakeRun) -> None:
    run = make_run()
    with pytest.raises(Cancelled, match="a checkpoint is written"):
        loop.train(run, tick=lambda tick: signal.raise_signal(signal.SIGTERM) if tick.step == 4 else None)
    assert (run.path / "checkpoints" / "step-00000004").exists()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_damaged_checkpoint_is_passed_over(make_run: MakeRun) -> None:
    whole = make_run("whole")
    loop.train(whole)
    run = make_run("damaged")
    for stop in (4, 8):
        with pytest.raises(Cancelled):
            loop.train(run, tick=lambda tick, at=stop: run.cancel() if tick.step == at else None)
        run.clear_cancel()
    newest = run.path / "checkpoints" / "step-00000008" / "trainable.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    loop.train(run)
    for log in ("metrics.jsonl", "row_losses.jsonl"):
        assert (run.path / log).read_bytes() == (whole.path / log).read_bytes()
    assert any(event["event"] == "damaged-checkpoint" for event in run.lines("events.jsonl"))


def test_a_loss_that_is_not_a_number_stops_with_what_to_do(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    monkeypatch.setattr("tailor.train.step.logprobs", lambda model, tree, **how: logprobs(model, tree) * torch.nan)
    with pytest.raises(TrainingError, match=r"step 1 .*\n.*optim\.learning_rate"):
        loop.train(run)


def test_training_ends_where_it_stops_helping_and_keeps_the_best(make_run: MakeRun) -> None:
    run = make_run(optim__learning_rate=0.05, optim__epochs=40, optim__average=0, train__patience=2)
    outcome = loop.train(run)
    looks = [
        (line["validation_loss"], line["step"]) for line in run.lines("metrics.jsonl") if "validation_loss" in line
    ]
    assert outcome.steps < 240
    assert outcome.best_step == min(looks)[1] == looks[-3][1]
    kept = load_file(run.path / "checkpoints" / f"step-{outcome.best_step:08d}" / "trainable.safetensors")
    saved = load_file(run.path / "model" / "model.safetensors")
    assert all(torch.equal(saved[name], kept[name]) for name in saved)


def test_early_stopping_on_a_task_metric_takes_the_highest(make_run: MakeRun) -> None:
    run = make_run()
    values = iter([0.1, 0.5, 0.3, 0.4, 0.2, 0.0])
    outcome = loop.train(run, look=lambda loaded, renderer: {"exact": next(values)})
    assert outcome.best_step == 6


def test_early_stopping_takes_the_lowest_where_lower_is_better(make_run: MakeRun) -> None:
    run = make_run()
    values = iter([0.5, 0.1, 0.3, 0.4, 0.2, 0.9])
    outcome = loop.train(run, look=lambda loaded, renderer: {"answer-nll": next(values)}, lower_is_better=True)
    assert (outcome.best_step, outcome.judged_by) == (6, "answer-nll")
    logged = [line["validation_answer-nll"] for line in run.lines("metrics.jsonl") if "validation_loss" in line]
    assert logged[:2] == [0.5, 0.1]


def test_a_full_disk_leaves_the_last_good_checkpoint(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from tailor.errors import ResourceError

    run = make_run()
    real, calls = checkpoint.save_file, []

    def failing(tensors: Any, path: Path) -> None:
        calls.append(path)
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", failing)
    with pytest.raises(ResourceError, match="the disk is full"):
        loop.train(run)
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["step-00000003"]
