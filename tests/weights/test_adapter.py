"""What is trained: LoRA as PEFT makes it, or everything."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from tailor.config import AdapterConfig
from tailor.errors import ConfigError
from tailor.weights import adapter as room
from tailor.weights.adapter import attach
from tailor.weights.load import hushed

from .conftest import disturb, fresh, logits, write

LORA = AdapterConfig(type="lora", r=4, lora_alpha=8)


@pytest.mark.parametrize(("limit", "choice"), [(10**9, "full"), (10, "lora")])
def test_auto_takes_full_tuning_for_small_models_and_says_so(
    saved: str, monkeypatch: pytest.MonkeyPatch, limit: int, choice: str
) -> None:
    monkeypatch.setattr(room, "FULL_BELOW", limit)
    loaded = fresh(saved)
    assert attach(loaded, AdapterConfig(r=4), seed=0) == choice == loaded.adapter
    assert any(note.startswith(f"adapter: {choice}, because the model has") for note in loaded.notes)
    assert loaded.adapted


def test_an_adapter_starts_as_pefts_own_and_changes_nothing(saved: str) -> None:
    loaded = fresh(saved)
    before = logits(loaded.model)
    attach(loaded, LORA, seed=11)
    assert torch.equal(logits(loaded.model), before)
    torch.manual_seed(11)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    with hushed():
        theirs = dict(get_peft_model(fresh(saved).model, config).named_parameters())
    ours = loaded.trainable()
    assert ours.keys() == {name for name, parameter in theirs.items() if parameter.requires_grad}
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_the_seed_draws_the_adapter_and_leaves_the_world_alone(saved: str) -> None:
    state = torch.random.get_rng_state()
    first, same, other = (fresh(saved) for _ in range(3))
    for loaded, seed in ((first, 1), (same, 1), (other, 2)):
        attach(loaded, LORA, seed=seed)
    assert torch.equal(torch.random.get_rng_state(), state)
    pairs = zip(first.trainable().values(), same.trainable().values())
    assert all(torch.equal(a, b) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in zip(first.trainable().values(), other.trainable().values()))


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_what_is_trained_is_fp32_and_the_arithmetic_is_not(saved: str, kind: str) -> None:
    loaded = fresh(saved, dtype="bf16")
    attach(loaded, AdapterConfig(type=kind, r=4), seed=0)  # type: ignore[arg-type]
    assert {parameter.dtype for parameter in loaded.trainable().values()} == {torch.float32}
    seen: list[torch.dtype] = []
    layer = loaded.model.get_decoder().layers[0].mlp.down_proj
    layer.register_forward_hook(lambda module, args, out: seen.append(out.dtype))
    with loaded.autocast():
        logits(loaded.model)
    assert seen == [torch.bfloat16]


def test_an_update_below_the_eighth_bit_is_kept(saved: str) -> None:
    loaded = fresh(saved, dtype="bf16")
    attach(loaded, AdapterConfig(type="full"), seed=0)
    weight = loaded.trainable()["model.layers.0.mlp.up_proj.weight"]
    start = weight.detach().clone()
    with torch.no_grad():
        for _ in range(100):
            weight.mul_(1 + 1e-4)  # in bf16 every single one of these would be rounded away
    torch.testing.assert_close(weight, start * 1.01, rtol=1e-3, atol=0)


def test_full_tuning_trains_every_weight(saved: str) -> None:
    loaded = fresh(saved)
    attach(loaded, AdapterConfig(type="full"), seed=0)
    assert loaded.trainable().keys() == dict(loaded.model.named_parameters()).keys()


@pytest.mark.parametrize("kind", ["lora", "full"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_base_can_be_asked_through_the_trained_model(saved: str, kind: str, dtype: str) -> None:
    loaded = fresh(saved, dtype=dtype)
    with loaded.base():
        before = logits(loaded.model)
    attach(loaded, AdapterConfig(type=kind, r=4), seed=0)  # type: ignore[arg-type]
    disturb(loaded)
    trained = logits(loaded.model)
    with pytest.raises(KeyError), loaded.base():  # also when something fails inside
        tolerance = 1e-6 if dtype == "fp32" or kind == "lora" else 0.1  # full tuning computes in fp32 from here on
        torch.testing.assert_close(logits(loaded.model), before, rtol=0, atol=tolerance, check_dtype=False)
        raise KeyError
    assert not torch.allclose(trained.float(), before.float(), atol=1e-2)
    assert torch.equal(logits(loaded.model), trained)


def test_the_table_counts_what_is_covered(saved: str) -> None:
    loaded = fresh(saved)
    attach(loaded, LORA.model_copy(update={"target_modules": ("q_proj", "v_proj")}), seed=0)
    table = {row.module: (row.kind, row.adapted, row.total) for row in loaded.coverage}
    assert table["q_proj"] == ("Linear", 2, 2)
    assert table["k_proj"] == ("Linear", 0, 2)
    assert table["embed_tokens"] == ("Embedding", 0, 1)
    assert sum(row.parameters for row in loaded.coverage) >= loaded.parameters  # a tied head is listed beside its twin
    assert any(note.startswith("q_proj (Linear): 2 of 2 adapted") for note in loaded.notes)


def test_experts_are_in_the_table(tmp_path: Path) -> None:
    loaded = fresh(write(tmp_path / "base", "moe"))
    attach(loaded, LORA.model_copy(update={"target_modules": ("q_proj",)}), seed=0)
    table = {row.module: (row.adapted, row.total) for row in loaded.coverage}
    assert table["experts"] == (0, 2)


@pytest.mark.parametrize(
    ("targets", "what", "fix"),
    [
        (("q_proj", "v_prj"), "no module of this model is called 'v_prj'", "did you mean 'v_proj'"),
        ((".*proj",), "no module of this model is called '.*proj'", "did you mean"),
        ("nothing.*", "no module of this model is called 'nothing.*'", "known:"),
        ("(", "no regular expression", ""),
    ],
)
def test_a_target_that_matches_nothing_is_an_error(saved: str, targets: object, what: str, fix: str) -> None:
    loaded = fresh(saved)
    with pytest.raises(ConfigError) as caught:
        attach(loaded, AdapterConfig(type="lora", target_modules=targets), seed=0)  # type: ignore[arg-type]
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_targets_as_an_expression(saved: str) -> None:
    loaded = fresh(saved)
    attach(loaded, LORA.model_copy(update={"target_modules": r".*layers\.1\..*(q|k)_proj"}), seed=0)
    table = {row.module: (row.adapted, row.total) for row in loaded.coverage}
    assert (table["q_proj"], table["k_proj"], table["v_proj"]) == ((1, 2), (1, 2), (0, 2))
