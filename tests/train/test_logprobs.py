"""Reference log-probs: what they are, that they begin at a margin of 0, and that the cache changes nothing."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tailor import render
from tailor.config import AdapterConfig
from tailor.errors import Cancelled, ConfigError
from tailor.records import Datum
from tailor.run import Run
from tailor.train import logprobs as module
from tailor.train import loop
from tailor.train.logprobs import Layout, logprobs, predicted, streams
from tailor.train.source import Source, cache
from tailor.train.step import Step
from tailor.weights.adapter import attach
from tailor.weights.load import Loaded, load

from .conftest import pairs

MakeRun = Callable[..., Run]
WIDE = Layout(4096, True)


def opened(run: Run, adapter: str = "full") -> tuple[Loaded, list[Datum]]:
    """The model of a run made trainable, and its training Datums."""
    loaded = load(run.config.model)
    attach(loaded, AdapterConfig(type=adapter, r=4), seed=0)
    source = Source.open(run, render.load(loaded.folder))
    return loaded, [datum for group in source.train for datum in group]


def given(loaded: Loaded, datums: Sequence[Datum], layout: Layout = WIDE, folder: Path | None = None) -> list[Datum]:
    """The Datums with their reference on them."""
    found = streams(["reference"], loaded, datums, layout, cache=folder or cache("streams"))
    return [replace(datum, streams=held) for datum, held in zip(datums, found)]


def test_they_are_those_of_a_plain_transformers_model(make_run: MakeRun, tiny: Path) -> None:
    loaded, datums = opened(make_run(of=pairs))
    plain = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32, attn_implementation="eager")
    for datum in given(loaded, datums):
        with torch.no_grad():
            logits = plain(torch.tensor(datum.ids[None], dtype=torch.int64)).logits[0, :-1]
        expected = logits.log_softmax(-1)[range(len(datum) - 1), datum.ids[1:]].numpy()
        at = predicted(datum)
        np.testing.assert_allclose(datum.streams["reference"][at], expected[at - 1], atol=1e-4)
        assert not datum.streams["reference"][datum.weights == 0].any()


@pytest.mark.parametrize("adapter", ["full", "lora"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_in_the_same_layout_the_first_margin_is_exactly_zero(make_run: MakeRun, adapter: str, dtype: str) -> None:
    run = make_run(of=pairs, model__dtype=dtype)
    loaded, datums = opened(run, adapter)
    step = Step(run, loaded, loaded.trainable(), share=WIDE.share, max_grad_norm=1.0)
    losses, norm = step.gradients(given(loaded, datums))
    assert losses.statistics == {"reward_accuracy": 0.0, "reward_chosen": 0.0, "reward_margin": 0.0}
    assert losses.loss == pytest.approx(math.log(2), rel=1e-6)
    assert norm > 0


@pytest.mark.parametrize("layout", [Layout(64, True), Layout(4096, False), Layout(64, False)])
def test_another_layout_moves_no_token_by_a_thousandth_of_a_nat(make_run: MakeRun, layout: Layout) -> None:
    loaded, datums = opened(make_run(of=pairs))
    ours, others = logprobs(loaded, datums, WIDE), logprobs(loaded, datums, layout)
    assert max(float(np.abs(ours[datum] - others[datum]).max()) for datum in datums) < 1e-3
    assert sum(len(values) for values in ours.values()) == sum(datum.trained for datum in datums)


def test_they_are_computed_once_a_data_set(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = make_run(of=pairs)
    loaded, datums = opened(run)
    first = given(loaded, datums, folder=tmp_path / "streams")
    computed = []
    real = logprobs

    def counting(*args: object, **named: object) -> object:
        computed.append(1)
        return real(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "logprobs", counting)

    def times() -> int:
        computed.clear()
        again = given(loaded, datums, folder=tmp_path / "streams")
        assert all((a.streams["reference"] == b.streams["reference"]).all() for a, b in zip(first, again))
        return len(computed)

    assert times() == 0
    (file,) = (tmp_path / "streams").iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    assert times() == 1
    file.write_bytes(b"")
    assert times() == 1
    assert times() == 0


def test_the_hash_covers_all_that_they_depend_on(make_run: MakeRun, tmp_path: Path) -> None:
    loaded, datums = opened(make_run(of=pairs))

    def files(loaded: Loaded, datums: Sequence[Datum], layout: Layout = WIDE) -> int:
        given(loaded, datums, layout, tmp_path / "streams")
        return len(list((tmp_path / "streams").iterdir()))

    assert files(loaded, datums) == 1
    assert files(loaded, datums[:-1]) == 2
    assert files(loaded, datums, Layout(64, True)) == 3
    other = replace(datums[0], ids=datums[0].ids[::-1].copy())
    assert files(loaded, [other, *datums[1:]]) == 4
    lighter = replace(datums[0], weights=datums[0].weights / 2)
    assert files(loaded, [lighter, *datums[1:]]) == 4, "weights above 0 change nothing"
    next(iter(loaded.trainable().values())).data[0, 0] += 1
    assert files(loaded, datums) == 5


def test_an_adapter_begins_at_the_base_model_and_goes_on_from_where_it_stands(make_run: MakeRun, tiny: Path) -> None:
    loaded, datums = opened(make_run(of=pairs), "lora")
    fresh = given(loaded, datums)
    with loaded.base():
        base = logprobs(loaded, datums, WIDE)
    assert all((datum.streams["reference"][predicted(datum)] == base[old]).all() for datum, old in zip(fresh, datums))
    for name, parameter in loaded.trainable().items():
        if "lora_B" in name:
            parameter.data.fill_(0.3)
    moved = given(loaded, datums)
    assert any((a.streams["reference"] != b.streams["reference"]).any() for a, b in zip(fresh, moved))


def test_a_stream_that_nobody_provides_is_an_error(make_run: MakeRun) -> None:
    loaded, datums = opened(make_run(of=pairs))
    with pytest.raises(ConfigError, match="the unknown stream 'referense'"):
        streams(["referense"], loaded, datums, WIDE, cache=cache("streams"))


@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_a_stopped_run_resumes_to_the_same_bytes_with_its_cache_and_without(make_run: MakeRun, adapter: str) -> None:
    settings = {"adapter__type": adapter, "adapter__r": 4, "of": pairs}
    whole = make_run("whole", **settings)
    loop.train(whole)
    for stop_at, lost in ((7, False), (11, True)):
        stopped = make_run(f"stopped-{stop_at}", **settings)
        with pytest.raises(Cancelled):
            loop.train(stopped, tick=lambda tick, run=stopped, at=stop_at: run.cancel() if tick.step == at else None)
        stopped.clear_cancel()
        if lost:
            shutil.rmtree(cache("streams"))
        loop.train(stopped)
        for name in ("metrics.jsonl", "model/model.safetensors", "adapter/adapter_model.safetensors"):
            if whole.has(name):
                assert (stopped.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_a_run_logs_rewards_that_grow(make_run: MakeRun) -> None:
    run = make_run(of=pairs, optim__epochs=8)
    loop.train(run)
    steps = [line for line in run.lines("metrics.jsonl") if "loss" in line]
    looks = [line for line in run.lines("metrics.jsonl") if "validation_loss" in line]
    assert abs(steps[0]["reward_margin"]) < 1e-4
    assert steps[-1]["reward_margin"] > 0.1 and steps[-1]["reward_accuracy"] == 1
    assert looks[-1]["validation_reward_margin"] > looks[0]["validation_reward_margin"]
    assert run.config.method == {"type": "dpo"}
