"""Forecasts against what autograd really keeps, and what happens where memory runs out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tailor import kernels, render
from tailor.config import AdapterConfig, ModelConfig
from tailor.errors import Cancelled, ResourceError
from tailor.kernels import arena, padded
from tailor.render.pack import plant
from tailor.run import Run
from tailor.train import checkpoint, loop, plan
from tailor.train.measure import Meter, features, forest, measure
from tailor.train.plan import Planner
from tailor.train.source import Source
from tailor.train.watch import looks_every
from tailor.weights.adapter import attach
from tailor.weights.load import load
from tailor.weights.memory import Account, free_memory, out_of_memory
from tailor.weights.sketch import sketch

from .conftest import pairs

MakeRun = Callable[..., Run]
SHAPE: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "vocab_size": 512,
    "max_position_embeddings": 512,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "qwen3": {},
    "gemma3_text": {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"] * 3},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "mlp_only_layers": [0, 1]},
}


def folder(path: Path, family: str) -> Path:
    """A model folder of random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    shape = AutoConfig.for_model(family, **SHAPE, **FAMILIES[family])
    AutoModelForCausalLM.from_config(shape).save_pretrained(path)
    return path


def kept(model: torch.nn.Module, tree: Any, again: int) -> int:
    """Bytes of the different tensors that autograd saves, weights excepted."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), arena.bypassed():
        values = kernels.logprobs(model, tree, again=again)
    values.sum().backward()  # type: ignore[no-untyped-call]
    return sum(found.values())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_what_is_kept_is_foretold(tmp_path: Path, family: str, adapter: str) -> None:
    model = ModelConfig(name=str(folder(tmp_path, family)), dtype="fp32")
    how = AdapterConfig(type=adapter, r=4)  # type: ignore[arg-type]
    loaded = load(model, device="cpu")
    attach(loaded, how, seed=0)
    made = sketch(model, how, device="cpu")
    assert made.trained == sum(p.numel() for p in loaded.trainable().values())
    frozen = [p for p in loaded.model.parameters() if not p.requires_grad]
    assert made.weight_bytes == sum(p.nbytes for p in frozen)

    tree = forest(450, 50, 0.3, 512)
    steps = plan.optim.Plan(1, 1.0, 1, 1e-3, 1, "constant", 0.1, 0.0, (0.9, 0.99), 1e-8, 1.0)
    costs = measure(Meter(made, reference=False), features(tree), steps, timed=False)
    counts = [made.kind.count(number) for number in range(len(costs.layers))]
    assert sum(counts) == 5
    assert len(counts) == (1 if family == "qwen3" else 2)
    foretold = features(tree) @ (costs.rest.kept + sum(n * line.kept for n, line in zip(counts, costs.layers)))
    loaded.model.train()
    assert foretold == pytest.approx(kept(loaded.model, tree, 0), rel=0.08)
    assert costs.state == pytest.approx(8, rel=0.01)  # AdamW: two fp32 numbers a weight
    if family == "qwen3":  # the general path's checkpoints keep inputs where the hooks above cannot see them
        freed = sum(features(tree) @ (line.kept - line.again) * 3 for line in costs.layers)
        assert foretold - freed == pytest.approx(kept(loaded.model, tree, 3), rel=0.08)


def test_the_account_counts_what_is_held() -> None:
    a = torch.ones(1000)
    with Account() as account:
        b = a + 1
        view = b[10:].view(-1)
        assert account.live == 4000
        c = torch.cat([b, view])
        del b
        assert account.live == 4000 + c.nbytes
        del view
    assert account.live == c.nbytes
    assert account.peak == 4000 + c.nbytes


def planner(run: Run, memory: int | None = None) -> Planner:
    return Planner(run.config, Source.open(run, render.load(Path(run.config.model.name))), run.path, memory=memory)


def test_every_row_count_of_a_short_run_is_made_once_and_every_checkpoint_is_written(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(optim__batch_size=4, adapter__type="full")
    one = planner(run)
    monkeypatch.setattr(plan, "SAMPLE", 0)
    costs = measure(Meter(one.sketch, reference=False), one._planted(4096)[0][0], one.steps, timed=False)
    before = one._seconds(costs, 4096, 0)
    monkeypatch.setattr(plan, "pace", lambda folder: 1e-6)
    dear = planner(run)
    after = dear._seconds(dataclasses.replace(costs, making=10.0), 4096, 0)
    trees = [
        tree for step in range(one.steps.steps) for tree in plant(one.source.batch(step, 4), 4096, share=one.share)
    ]
    rows = {padded(len(tree)) for tree in trees}
    assert after["training"] - before["training"] == pytest.approx(10 * len(rows))
    looks = math.ceil(one.steps.steps / looks_every(run.config.train, one.steps, len(one.source.train)))
    assert after["checkpoints"] == pytest.approx(looks * (4 + costs.state) * one.trained * 1e-6)
    assert list(run.path.glob(".pace*")) == []


def test_the_pace_of_a_disk_is_measured_on_it_and_a_locked_one_costs_nothing(tmp_path: Path) -> None:
    assert checkpoint.pace(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []
    assert checkpoint.pace(tmp_path / "nowhere") == 0


def test_what_cannot_fit_is_refused_before_anything_is_measured(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "Meter", None)
    with pytest.raises(ResourceError, match=r"does not fit.*(?s:.*)--adapter lora"):
        planner(make_run(adapter__type="full"), memory=1_000_000).forecast(timed=False)


def test_a_tight_memory_chooses_a_smaller_budget_or_checkpointed_layers(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "held_memory", lambda: 10**9)
    run = make_run(optim__batch_size=12, adapter__type="lora")
    roomy = planner(run).forecast(timed=False)
    assert (roomy.token_budget, roomy.checkpoint_layers, roomy.fits) == (4096, 0, True)
    one = planner(run)
    one.limit = roomy.peak - int(0.4 * (roomy.memory["activations"] + roomy.memory["work"]))
    tight = one.forecast(timed=False)
    assert tight.peak <= one.limit < roomy.peak
    assert tight.token_budget < 4096 or tight.checkpoint_layers > 0
    assert tight.step_seconds is not None  # a choice is made by time


def test_one_row_too_long_for_all_memory_is_refused_with_what_to_change(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "held_memory", lambda: 10**9)
    run = make_run(adapter__type="lora")
    one = planner(run)
    one.limit = one.program + one.weights + 12 * one.trained + 50_000
    with pytest.raises(ResourceError, match=r"up to 64 tokens(?s:.*)max_length"):
        one.forecast(timed=False)


# ---------------------------------------------------------------------------------------- memory runs out anyway


def exhausted(monkeypatch: pytest.MonkeyPatch, *, rows: int, error: type[Exception] = torch.OutOfMemoryError) -> None:
    """A memory in which no Tree of more than `rows` rows has room."""
    real = kernels.logprobs

    def logprobs(model: torch.nn.Module, tree: Any, **how: Any) -> torch.Tensor:
        values = real(model, tree, **how)
        if len(tree) > rows:
            raise error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return values

    monkeypatch.setattr("tailor.train.step.logprobs", logprobs)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_out_of_memory_goes_on_as_if_begun_with_the_smaller_budget(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    small = make_run("small", train__token_budget=64)
    loop.train(small)
    exhausted(monkeypatch, rows=64, error=error)
    run, said = make_run("run"), []
    loop.train(run, say=said.append)
    assert (run.path / "metrics.jsonl").read_bytes() == (small.path / "metrics.jsonl").read_bytes()
    events = [line for line in run.lines("events.jsonl") if line["event"] == "out-of-memory"]
    assert [event["token_budget"] for event in events] == [64]
    assert any("micro-batches of up to 64 tokens" in line for line in said)


def test_the_smaller_budget_is_that_of_a_resumed_run(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, stopped = make_run("whole"), make_run("stopped")
    with monkeypatch.context() as patch:
        exhausted(patch, rows=64)
        loop.train(whole)
        with pytest.raises(Cancelled):
            loop.train(stopped, tick=lambda tick: stopped.cancel() if tick.step == 2 else None)
    stopped.clear_cancel()
    loop.train(stopped)  # there is room again, and still the layout stays
    assert (stopped.path / "metrics.jsonl").read_bytes() == (whole.path / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_a_single_row_that_does_not_fit_ends_the_run(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    exhausted(monkeypatch, rows=4)
    run = make_run(of=pairs) if method == "dpo" else make_run()
    with pytest.raises(ResourceError, match=r"single row(?s:.*)max_length"):
        loop.train(run)


def test_other_errors_are_not_taken_for_a_lack_of_memory(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> torch.Tensor:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr("tailor.train.step.logprobs", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        loop.train(make_run())
    assert not out_of_memory(ValueError("no"))


def test_checkpointed_layers_are_run_twice_with_the_same_outcome(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, again = make_run("plain"), make_run("again", train__checkpoint_layers=2)
    loop.train(plain)
    asked = []
    real = kernels.logprobs
    monkeypatch.setattr("tailor.train.step.logprobs", lambda *a, **how: asked.append(how["again"]) or real(*a, **how))
    loop.train(again)
    assert set(asked) == {2}
    assert (plain.path / "metrics.jsonl").read_bytes() == (again.path / "metrics.jsonl").read_bytes()


def test_free_memory_is_that_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("max", "1000000"), ("current", "400000"), ("stat", "anon 1\ninactive_file 100000\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr("tailor.weights.memory.CGROUP", tmp_path)
    assert free_memory(torch.device("cpu")) == 700_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(torch.device("cpu")) > 700_000


def test_measuring_twice_counts_the_casts_of_trained_weights_both_times(make_run: MakeRun) -> None:
    run = make_run(adapter__type="full", model__dtype="bf16")
    one = planner(run)
    meter = Meter(one.sketch, reference=False)
    like = features(forest(100, 20, 0.5, 4096))
    first, second = (measure(meter, like, one.steps, timed=False).layers[0] for _ in range(2))
    assert first.kept == pytest.approx(second.kept)
    matrices = 32 * (2 * 32 + 2 * 16 + 3 * 64)  # of a layer: q, o, k, v, gate, up, down; in bf16 beside fp32
    assert first.kept[0] == pytest.approx(2 * matrices, rel=0.1)
    assert first.again[0] < 0.1 * matrices
