"""Loading: number types and devices, fresh weights, foreign code, new tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Gemma2Config

from tailor.config import ModelConfig
from tailor.errors import ConfigError, ModelError, ResourceError
from tailor.weights import load as room
from tailor.weights.load import choose_device, choose_dtype, load

from .conftest import IDS, fresh, logits, write

CPU = torch.device("cpu")


def test_values_are_those_on_disk_and_nothing_is_trained(saved: str) -> None:
    loaded = fresh(saved)
    on_disk = load_file(Path(saved) / "model.safetensors")
    named = dict(loaded.model.named_parameters())
    assert all(torch.equal(named[name], value) for name, value in on_disk.items())
    assert loaded.trainable() == {}
    assert not loaded.adapted
    assert not loaded.model.training
    assert loaded.parameters == sum(value.numel() for value in on_disk.values())


def test_fresh_weights_follow_the_seed_alone(saved: str) -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    one, two = fresh(saved, random_weights=True), fresh(saved, random_weights=True)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(logits(one.model), logits(two.model))
    other = load(ModelConfig(name=saved, dtype="fp32", random_weights=True), device="cpu", seed=4)
    assert not torch.equal(logits(one.model), logits(other.model))
    assert not torch.equal(logits(one.model), logits(fresh(saved).model))
    assert any("drawn afresh with seed 3" in note for note in one.notes)


@pytest.mark.parametrize(
    ("flags", "wanted", "word"),
    [
        ("fpu avx2", torch.float32, "no bf16 instructions"),
        ("avx2 avx512_bf16", torch.bfloat16, "avx512_bf16"),
        ("avx512_bf16 amx_bf16 amx_tile", torch.bfloat16, "amx_bf16"),
        ("fp asimd bf16", torch.bfloat16, "bf16"),
    ],
)
def test_the_cpu_decides_the_number_type(
    monkeypatch: pytest.MonkeyPatch, flags: str, wanted: torch.dtype, word: str
) -> None:
    monkeypatch.setattr(room, "_cpu_flags", lambda: set(flags.split()))
    dtype, reason = choose_dtype("auto", CPU)
    assert dtype == wanted
    assert word in reason
    assert choose_dtype("fp32", CPU)[0] == torch.float32
    asked, reason = choose_dtype("bf16", CPU)
    assert asked == torch.bfloat16
    assert ("fp32 would be faster" in reason) == (wanted == torch.float32)


def test_the_number_type_is_that_of_the_model(saved: str) -> None:
    loaded = fresh(saved, dtype="bf16")
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.bfloat16}
    assert any("bf16 as asked" in note for note in loaded.notes)


@pytest.mark.parametrize("name", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there(name: str) -> None:
    with pytest.raises(ResourceError, match=name):
        choose_device(name)


def test_foreign_code_needs_the_name_of_the_very_model(saved: str) -> None:
    with pytest.raises(ConfigError, match="trust_remote_code names 'someone/else'"):
        fresh(saved, trust_remote_code="someone/else")


def test_a_model_with_its_own_code_is_refused_and_the_message_names_the_setting(saved: str) -> None:
    config = Path(saved) / "config.json"
    text = config.read_text().replace('"model_type": "qwen3"', '"model_type": "own"')
    config.write_text(text.replace("{", '{"auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"},', 1))
    (Path(saved) / "own.py").write_text("raise SystemExit('this must not run')")
    with pytest.raises(ModelError, match="code of its own repository") as caught:
        fresh(saved)
    assert "model.trust_remote_code" in caught.value.fix


def test_a_config_that_means_nothing(saved: str) -> None:
    (Path(saved) / "config.json").write_text('{"model_type": "never-heard-of"}')
    with pytest.raises(ModelError, match="never-heard-of"):
        fresh(saved)


def test_damaged_weights(saved: str) -> None:
    path = Path(saved) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        fresh(saved)


def test_missing_tensors_are_not_drawn_at_random(saved: str) -> None:
    path = Path(saved) / "model.safetensors"
    state = load_file(path)
    state.pop("model.layers.1.mlp.up_proj.weight")
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 of the model's tensors \(model.layers.1.mlp.up_proj.weight"):
        fresh(saved)


@pytest.mark.parametrize("kind", ["tied", "untied"])
def test_new_tokens_start_at_the_mean(tmp_path: Path, kind: str) -> None:
    name = write(tmp_path / "base", kind)
    before = fresh(name)
    grown = load(ModelConfig(name=name, dtype="fp32"), device="cpu", vocabulary=64)
    old, new = before.model.get_input_embeddings().weight, grown.model.get_input_embeddings().weight
    assert new.shape[0] == 64
    assert torch.equal(new[:61], old)
    torch.testing.assert_close(new[61:], old.mean(0).expand(3, -1))
    torch.testing.assert_close(logits(grown.model)[..., :61], logits(before.model), rtol=0, atol=1e-5)
    assert (grown.model.get_output_embeddings().weight is new) == (kind == "tied")
    assert any("3 new tokens" in note for note in grown.notes)


def test_an_embedding_larger_than_the_vocabulary_stays(saved: str) -> None:
    loaded = load(ModelConfig(name=saved, dtype="fp32"), device="cpu", vocabulary=50)
    assert loaded.model(IDS).logits.shape[-1] == 61
    assert loaded.grown == 0


def test_nothing_is_printed(saved: str, capfd: pytest.CaptureFixture[str]) -> None:
    fresh(saved)
    assert capfd.readouterr() == ("", "")


def test_attention_scores_are_capped_whatever_transformers_would_choose(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = Gemma2Config(vocab_size=61, num_hidden_layers=2, head_dim=8, attn_logit_softcapping=0.5, **shape)
    oracle = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in oracle.parameters():
            parameter.normal_(0, 0.3)
    oracle.save_pretrained(tmp_path)
    loaded = load(ModelConfig(name=str(tmp_path), dtype="fp32"))
    ids = torch.arange(12)[None]
    with torch.no_grad():
        wanted, found = oracle(ids).logits, loaded.model(ids).logits
        uncapped = AutoModelForCausalLM.from_pretrained(tmp_path, attn_logit_softcapping=None)(ids).logits
    assert torch.equal(found, wanted)
    assert (uncapped - wanted).abs().max() > 0.01
