"""4-bit bases: what is quantised, that it computes with bitsandbytes' own values, and that all else rides on it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch.nn.functional import linear
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from tailor.config import AdapterConfig, ModelConfig
from tailor.errors import ConfigError, ModelError, ResourceError
from tailor.kernels import check_model
from tailor.weights import quantise
from tailor.weights.adapter import attach
from tailor.weights.load import Loaded, hushed, load
from tailor.weights.quantise import dequantise, quantised
from tailor.weights.save import restore, save

from .conftest import IDS, disturb, fresh, logits, stock, with_adapter, write

DTYPES = ["fp32", "bf16"]
CPU = torch.device("cpu")


@pytest.fixture
def saved(tmp_path: Path) -> str:
    return write(tmp_path / "base", "wide")


def qlora(name: str, dtype: str = "fp32", seed: int = 1, **settings: object) -> Loaded:
    loaded = fresh(name, dtype=dtype, quantise="nf4")
    attach(loaded, AdapterConfig.model_validate({"type": "qlora", "r": 4} | settings), seed=seed)
    return loaded


def stock_4bit(name: str, dtype: torch.dtype, settle: bool = True) -> torch.nn.Module:
    """As the documentation of transformers reads a model for QLoRA."""
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    with hushed():
        model = AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype, quantization_config=config, device_map={"": "cpu"}
        )
    if settle:
        quantise.settle(model, CPU)
    return model.eval()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_layer_computes_with_the_values_that_bitsandbytes_unpacks(saved: str, dtype: str) -> None:
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    loaded = fresh(saved, dtype=dtype, quantise="nf4")
    layers, originals = quantised(loaded.model), stock(saved, loaded.dtype)
    assert len(layers) == 14
    for name, layer in layers.items():
        original = originals.get_submodule(name).weight.data
        packed, state = quantize_4bit(original, blocksize=64, quant_type="nf4", compress_statistics=True)
        assert torch.equal(layer.weight.data, packed)
        weight = dequantize_4bit(packed, state)
        rows = torch.randn(5, weight.shape[1], dtype=loaded.dtype)
        assert torch.equal(layer(rows), linear(rows, weight))
        largest = original.float().reshape(-1, 64).abs().amax(1, keepdim=True)
        error = (weight - original).float().reshape(-1, 64).abs() / largest
        assert 0.1 < error.max() < 0.17  # the widest gap between two values of NF4 is 0.30, scales are 8-bit


def test_embeddings_head_and_norms_stay_and_the_notes_say_what_is_saved(saved: str) -> None:
    plain, loaded = fresh(saved), fresh(saved, quantise="nf4")
    layers = quantised(loaded.model)
    others = {k: value for k, value in loaded.model.named_parameters() if k.removesuffix(".weight") not in layers}
    assert {"lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"} <= others.keys()
    assert all(torch.equal(value, dict(plain.model.named_parameters())[key]) for key, value in others.items())
    assert loaded.quantised and not plain.quantised
    assert loaded.parameters == plain.parameters
    # Two layers of 36,864 weights in seven matrices: 4 bytes a weight become half a byte, one byte a 64 weights, and a
    # float a matrix for its scales.
    assert "nf4: 14 linear layers take 38.1 kB instead of 294.9 kB" in " ".join(loaded.notes)
    assert "everything else stays float32" in " ".join(loaded.notes)


def test_layers_that_would_be_misread_stay_as_they_are(tmp_path: Path) -> None:
    name = write(tmp_path / "base", "odd")  # down_proj has rows of 48 weights, the others of 64
    loaded = fresh(name, quantise="nf4")
    assert {key.rpartition(".")[2] for key in quantised(loaded.model)} == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj")
    }
    assert any("2 linear layers stay float32 (model.layers.0.mlp.down_proj, …)" in note for note in loaded.notes)
    with pytest.raises(ModelError, match="no linear layer of this model can be held in 4 bits"):
        fresh(write(tmp_path / "narrow"), quantise="nf4")
    theirs = stock_4bit(name, torch.float32, settle=False)
    with hushed():
        theirs.save_pretrained(tmp_path / "packed")  # type: ignore[operator]
    with pytest.raises(ModelError, match=r"cannot unpack 2 4-bit layers of this model on a CPU"):
        fresh(str(tmp_path / "packed"))


def test_a_model_saved_in_4_bits_is_known_as_such(saved: str, tmp_path: Path) -> None:
    with hushed():
        stock_4bit(saved, torch.float32).save_pretrained(tmp_path / "packed")  # type: ignore[operator]
    loaded = fresh(str(tmp_path / "packed"))
    assert loaded.quantised
    assert torch.equal(logits(loaded.model), logits(fresh(saved, quantise="nf4").model))
    assert torch.equal(logits(fresh(str(tmp_path / "packed"), quantise="nf4").model), logits(loaded.model))


@pytest.mark.parametrize("dtype", DTYPES)
def test_stock_peft_on_a_stock_4bit_base_gives_the_same_logits(saved: str, tmp_path: Path, dtype: str) -> None:
    loaded = qlora(saved, dtype)
    base = stock_4bit(saved, loaded.dtype)
    assert torch.equal(logits(loaded.model), logits(base))
    disturb(loaded)
    save(loaded, tmp_path / "adapter")
    after = logits(loaded.model)
    assert torch.equal(logits(with_adapter(stock_4bit(saved, loaded.dtype), tmp_path / "adapter")), after)
    with loaded.base():
        assert torch.equal(logits(loaded.model), logits(base))
    again = qlora(saved, dtype, seed=2)
    restore(again, tmp_path / "adapter")
    assert torch.equal(logits(again.model), after)


@pytest.mark.parametrize("dtype", DTYPES)
def test_looking_at_the_model_changes_neither_its_values_nor_its_gradients(saved: str, dtype: str) -> None:
    loaded = qlora(saved, dtype)
    disturb(loaded)

    def gradients() -> list[torch.Tensor]:
        loaded.model.train()
        for parameter in loaded.trainable().values():
            parameter.grad = None
        with loaded.autocast():
            loaded.model(IDS, labels=IDS).loss.backward()
        return [p.grad.clone() for p in loaded.trainable().values() if p.grad is not None]

    first = gradients()
    loaded.model.eval()
    with loaded.autocast(), torch.inference_mode():
        before = loaded.model(IDS).logits.clone()
        assert torch.equal(loaded.model(IDS).logits, before)
    second = gradients()
    assert len(first) == len(second) == len(loaded.trainable())
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    assert all(value.abs().max() > 0 for value in first)
    check_model(loaded.model)


def test_what_is_trained_is_an_adapter_whatever_the_size(saved: str) -> None:
    loaded = fresh(saved, quantise="nf4")
    assert attach(loaded, AdapterConfig(r=4), seed=0) == "lora"
    assert any("because the model's weights are in 4 bits" in note for note in loaded.notes)
    table = {row.module: (row.kind, row.adapted, row.parameters) for row in loaded.coverage}
    assert table["up_proj"] == ("Linear4bit", 2, 2 * 64 * 128)
    with pytest.raises(ConfigError, match="cannot be tuned in full"):
        attach(fresh(saved, quantise="nf4"), AdapterConfig(type="full"), seed=0)
    with pytest.raises(ConfigError, match="the model is not quantised"):
        attach(fresh(saved), AdapterConfig(type="qlora"), seed=0)
    with pytest.raises(ConfigError, match=r"'mlp\.up_proj' is held in 4 bits and cannot be trained whole"):
        qlora(saved, modules_to_save=("mlp.up_proj",))
    assert "lm_head" in str(qlora(saved, modules_to_save=("lm_head",)).trainable().keys())


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"init_lora_weights": "pissa"}, {"use_rslora": True}])
def test_variants_on_4_bits(saved: str, tmp_path: Path, settings: dict[str, object]) -> None:
    loaded = qlora(saved, **settings)
    torch.testing.assert_close(logits(loaded.model), logits(stock_4bit(saved, torch.float32)), rtol=0, atol=1e-4)
    disturb(loaded)
    save(loaded, tmp_path / "adapter")
    peft = with_adapter(stock_4bit(saved, torch.float32), tmp_path / "adapter")
    torch.testing.assert_close(logits(peft), logits(loaded.model), rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dequantised_it_is_a_plain_model_of_the_same_logits(saved: str, tmp_path: Path, dtype: str) -> None:
    loaded = fresh(saved, dtype=dtype, quantise="nf4")
    before = logits(loaded.model)
    plain = dequantise(loaded.model)
    assert not quantised(plain)
    assert torch.equal(logits(plain), before)
    assert {parameter.dtype for parameter in plain.parameters()} == {loaded.dtype}
    with hushed():
        plain.save_pretrained(tmp_path / "plain")  # type: ignore[operator]
    assert torch.equal(logits(stock(str(tmp_path / "plain"), loaded.dtype)), before)
    assert dequantise(plain) is plain


def test_an_adapter_merges_into_the_dequantised_model(saved: str, tmp_path: Path) -> None:
    loaded = qlora(saved)
    disturb(loaded)
    save(loaded, tmp_path / "adapter")
    base = fresh(saved, quantise="nf4")
    dequantise(base.model)
    merged = with_adapter(base.model, tmp_path / "adapter").merge_and_unload()
    torch.testing.assert_close(logits(merged), logits(loaded.model), rtol=0, atol=1e-4)


def test_fresh_weights_in_4_bits_are_those_of_the_seed(saved: str) -> None:
    plain, packed = (fresh(saved, random_weights=True, quantise=how) for how in ("none", "nf4"))
    for name, layer in quantised(packed.model).items():
        weight = plain.model.get_submodule(name).weight
        close = torch.nn.functional.cosine_similarity(_unpacked(layer).flatten(), weight.flatten(), dim=0)
        assert close > 0.98
    assert len(quantised(packed.model)) == 14
    assert torch.equal(packed.model.get_input_embeddings().weight, plain.model.get_input_embeddings().weight)


def test_layers_beside_experts_are_left_out_aloud(tmp_path: Path) -> None:
    name = write(tmp_path / "base", "wide-deepseek")
    loaded = qlora(name)
    table = {row.module: (row.adapted, row.total) for row in loaded.coverage}
    assert (table["gate_proj"], table["experts.down_proj"], table["o_proj"]) == ((0, 2), (1, 1), (2, 2))
    assert table["q_b_proj"] == (2, 2)
    assert any("the fused weights of experts (49.2 kB) stay float32" in note for note in loaded.notes)
    assert any("not adapted: down_proj, gate_proj, up_proj" in note for note in loaded.notes)
    with pytest.raises(ConfigError, match="PEFT cannot adapt the 4-bit layers gate_proj"):
        qlora(name, target_modules=("gate_proj", "o_proj"))


def test_new_tokens_on_4_bits(saved: str, tmp_path: Path) -> None:
    loaded = load(ModelConfig(name=saved, dtype="fp32", quantise="nf4"), device="cpu", vocabulary=64)
    attach(loaded, AdapterConfig(type="qlora", r=4), seed=1)
    disturb(loaded)
    save(loaded, tmp_path / "adapter")
    base = stock_4bit(saved, torch.float32)
    with hushed():
        base.resize_token_embeddings(64, mean_resizing=False)  # type: ignore[operator]
    assert torch.equal(logits(with_adapter(base, tmp_path / "adapter")), logits(loaded.model))


def test_without_the_package_the_extra_is_named(saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ResourceError, match="need the package bitsandbytes") as caught:
        fresh(saved, quantise="nf4")
    assert caught.value.fix == "pip install 'tailor[qlora]'"


def test_nothing_is_printed(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    qlora(saved)
    assert capfd.readouterr() == ("", "")


def _unpacked(layer: torch.nn.Module) -> torch.Tensor:
    from bitsandbytes.functional import dequantize_4bit

    weight: torch.Tensor = dequantize_4bit(layer.weight.data, layer.weight.quant_state)  # type: ignore[union-attr]
    return weight
