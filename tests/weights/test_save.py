"""Saved weights: stock PEFT and transformers read them, and restore gives back every bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tailor.config import AdapterConfig, ModelConfig
from tailor.errors import ModelError, ResourceError
from tailor.weights.adapter import attach
from tailor.weights.load import Loaded, load
from tailor.weights.save import restore, save

from .conftest import disturb, fresh, logits, stock, with_adapter, write

VARIANTS = [
    {},
    {"use_rslora": True},
    {"use_dora": True},
    {"target_modules": ("q_proj", "v_proj"), "lora_dropout": 0.1},
]


def tuned(name: str, kind: str = "lora", dtype: str = "fp32", **settings: object) -> Loaded:
    loaded = fresh(name, dtype=dtype)
    attach(loaded, AdapterConfig.model_validate({"type": kind, "r": 4} | settings), seed=1)
    disturb(loaded)
    return loaded


@pytest.mark.parametrize("settings", VARIANTS)
def test_stock_peft_gives_the_same_logits(saved: str, tmp_path: Path, settings: dict[str, object]) -> None:
    loaded = tuned(saved, **settings)
    save(loaded, tmp_path / "adapter")
    model = with_adapter(stock(saved), tmp_path / "adapter")
    assert torch.equal(logits(model), logits(loaded.model))
    with loaded.base():
        assert not torch.allclose(logits(model), logits(loaded.model), atol=1e-2)
    merged = logits(model.merge_and_unload())
    torch.testing.assert_close(merged, logits(loaded.model), rtol=1e-4, atol=1e-4)


def test_stock_peft_gives_the_same_logits_in_bf16(saved: str, tmp_path: Path) -> None:
    loaded = tuned(saved, dtype="bf16")
    save(loaded, tmp_path / "adapter")
    model = with_adapter(stock(saved, torch.bfloat16), tmp_path / "adapter")
    assert torch.equal(logits(model), logits(loaded.model))


def test_experts_of_stock_peft_too(tmp_path: Path) -> None:
    name = write(tmp_path / "base", "moe")
    loaded = tuned(name)
    save(loaded, tmp_path / "adapter")
    model = with_adapter(stock(name), tmp_path / "adapter")
    torch.testing.assert_close(logits(model), logits(loaded.model), rtol=1e-6, atol=1e-6)


def test_what_lies_in_an_adapter_folder(saved: str, tmp_path: Path) -> None:
    save(tuned(saved), tmp_path / "adapter")
    names = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"}
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == saved
    assert config["inference_mode"] is True
    assert {path.name for path in tmp_path.iterdir()} == {"base", "adapter"}


def test_stock_transformers_reads_a_fully_tuned_model(saved: str, tmp_path: Path) -> None:
    loaded = tuned(saved, "full")
    save(loaded, tmp_path / "model")
    assert torch.equal(logits(stock(str(tmp_path / "model"))), logits(loaded.model))
    assert (tmp_path / "model" / "tokenizer.json").exists()
    again = fresh(str(tmp_path / "model"))
    assert torch.equal(logits(again.model), logits(loaded.model))


@pytest.mark.parametrize("kind", ["lora", "full"])
@pytest.mark.parametrize("shape", ["tied", "untied", "moe"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_restore_gives_back_every_bit_into_the_same_parameters(
    tmp_path: Path, kind: str, shape: str, dtype: str
) -> None:
    name = write(tmp_path / "base", shape)
    loaded = tuned(name, kind, dtype)
    wanted = {key: value.detach().clone() for key, value in loaded.trainable().items()}
    places = {key: value.data_ptr() for key, value in loaded.trainable().items()}
    save(loaded, tmp_path / "out")
    disturb(loaded, seed=9)
    restore(loaded, tmp_path / "out")
    for key, value in loaded.trainable().items():
        assert torch.equal(value, wanted[key])
        assert value.data_ptr() == places[key]
        assert value.dtype == torch.float32


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_new_tokens_are_saved_with_it(saved: str, tmp_path: Path, kind: str) -> None:
    loaded = load(ModelConfig(name=saved, dtype="fp32"), device="cpu", vocabulary=64)
    attach(loaded, AdapterConfig(type=kind, r=4), seed=1)  # type: ignore[arg-type]
    disturb(loaded)
    save(loaded, tmp_path / "out")
    if kind == "full":
        assert torch.equal(logits(stock(str(tmp_path / "out"))), logits(loaded.model))
        return
    base = stock(saved)
    base.resize_token_embeddings(64, mean_resizing=False)  # type: ignore[operator]
    assert torch.equal(logits(with_adapter(base, tmp_path / "out")), logits(loaded.model))


def test_saving_again_replaces_what_stood_there(saved: str, tmp_path: Path) -> None:
    loaded = tuned(saved)
    save(loaded, tmp_path / "adapter")
    (tmp_path / "adapter" / "left-over").touch()
    disturb(loaded)
    save(loaded, tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "left-over").exists()
    assert torch.equal(logits(with_adapter(stock(saved), tmp_path / "adapter")), logits(loaded.model))


def test_a_failed_save_leaves_the_last_one(saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = tuned(saved)
    save(loaded, tmp_path / "adapter")
    before = (tmp_path / "adapter" / "adapter_model.safetensors").read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tailor.weights.save.save_file", full)
    with pytest.raises(ResourceError, match="disk is full"):
        save(loaded, tmp_path / "adapter")
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"base", "adapter"}


def test_values_that_do_not_fit_are_refused(saved: str, tmp_path: Path) -> None:
    save(tuned(saved), tmp_path / "adapter")
    with pytest.raises(ModelError, match="do not fit this model"):
        restore(tuned(saved, r=8), tmp_path / "adapter")
    with pytest.raises(ModelError, match="missing"):
        restore(tuned(saved), tmp_path / "nowhere")
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelError, match="damaged"):
        restore(tuned(saved), tmp_path / "adapter")
