"""A merged model is a stock folder with the logits of the unmerged one, or it is not written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tailor.config import AdapterConfig, ModelConfig
from tailor.errors import ModelError
from tailor.weights.adapter import attach
from tailor.weights.load import hushed
from tailor.weights.merge import Merged, merge, stored_dtype
from tailor.weights.save import save

from .conftest import IDS, disturb, fresh, logits, write

ROWS = [IDS[0].tolist(), IDS[0, :9].tolist()]


def tuned(folder: Path, shape: str = "tied", dtype: torch.dtype = torch.float32, moved: float = 1.0, **how: Any) -> str:
    """A base model in `folder/base`, and an adapter for it in `folder/adapter`; returns the base's name."""
    name = write(folder / "base", shape, dtype)
    loaded = fresh(name, dtype="fp32")
    attach(loaded, AdapterConfig.model_validate({"type": "lora", "r": 4} | how), seed=1)
    disturb(loaded)
    with torch.no_grad():
        for key, value in loaded.trainable().items():
            if "lora_B" in key:
                value.mul_(moved)
    save(loaded, folder / "adapter")
    return name


def merged(folder: Path, name: str, **how: Any) -> Merged:
    return merge(ModelConfig(name=name), folder / "adapter", folder / "merged", ROWS, **how)


def stock(folder: Path) -> torch.nn.Module:
    with hushed():
        model, report = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    return model.eval()  # type: ignore[no-any-return]


def unmerged(folder: Path) -> torch.nn.Module:
    with hushed():
        return PeftModel.from_pretrained(stock(folder / "base"), folder / "adapter").eval()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ("tied", {}),
        ("untied", {"use_rslora": True}),
        ("moe", {}),
        ("tied", {"use_dora": True}),
        ("tied", {"init_lora_weights": "pissa"}),
    ],
)
def test_stock_transformers_reads_a_model_with_the_same_logits(tmp_path: Path, shape: str, how: dict[str, Any]) -> None:
    found = merged(tmp_path, tuned(tmp_path, shape, **how), template="{{ messages }}")
    torch.testing.assert_close(logits(stock(tmp_path / "merged")), logits(unmerged(tmp_path)), rtol=1e-4, atol=1e-4)
    names = {path.name for path in (tmp_path / "merged").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names
    assert not any("adapter" in name for name in names)
    assert 0 <= found.merging <= found.stored < 1e-5 and found.lost < 1e-3
    assert (found.rows, found.tokens) == (2, 36)
    assert found.bytes == sum(p.nbytes for p in stock(tmp_path / "merged").parameters())


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings")  # PEFT's, of what is tested here
def test_a_tied_head_that_is_adapted_gets_weights_of_its_own(tmp_path: Path) -> None:
    name = tuned(tmp_path, "tied", target_modules=("q_proj", "lm_head"))
    merged(tmp_path, name)
    model = stock(tmp_path / "merged")
    wanted = logits(unmerged(tmp_path))
    torch.testing.assert_close(logits(model), wanted, rtol=1e-4, atol=1e-4)
    assert json.loads((tmp_path / "merged" / "config.json").read_text())["tie_word_embeddings"] is False
    table = model.get_input_embeddings().weight  # type: ignore[operator]
    assert torch.equal(table, stock(Path(name)).get_input_embeddings().weight)  # type: ignore[operator]


def test_it_is_stored_as_the_base_was_unless_asked_otherwise(tmp_path: Path) -> None:
    name = tuned(tmp_path, dtype=torch.bfloat16)
    assert stored_dtype(Path(name)) == "bf16"
    found = merged(tmp_path, name)
    assert found.dtype == stored_dtype(tmp_path / "merged") == "bf16"
    assert 1e-4 < found.stored < found.stored_limit and 0 < found.lost < 0.1
    (tmp_path / "merged").rename(tmp_path / "before")
    assert merged(tmp_path, name, dtype="fp32").stored < 1e-5
    assert stored_dtype(tmp_path / "merged") == "fp32"


def test_what_rounding_would_take_back_is_refused(tmp_path: Path) -> None:
    name = tuned(tmp_path, dtype=torch.bfloat16, moved=0.001)
    with pytest.raises(ModelError, match=r"rounding to bf16 would take back \d+% .*\n.*--dtype fp32"):
        merged(tmp_path, name)
    assert {path.name for path in tmp_path.iterdir()} == {"base", "adapter"}
    assert merged(tmp_path, name, dtype="fp32").lost < 0.01


def forgets_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    from peft.tuners.lora import Linear

    real, calls = Linear.merge, iter(range(100))
    monkeypatch.setattr(Linear, "merge", lambda *a, **k: None if next(calls) == 3 else real(*a, **k))


def writes_a_wrong_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Qwen3ForCausalLM

    real = Qwen3ForCausalLM.save_pretrained

    def wrong(self: Any, *arguments: Any, **named: Any) -> None:
        with torch.no_grad():
            self.model.layers[0].mlp.up_proj.weight.mul_(1.1)
        real(self, *arguments, **named)

    monkeypatch.setattr(Qwen3ForCausalLM, "save_pretrained", wrong)


@pytest.mark.parametrize("mistake", [forgets_a_layer, writes_a_wrong_weight])
def test_a_model_with_other_logits_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Callable[[pytest.MonkeyPatch], None]
) -> None:
    name = tuned(tmp_path)
    mistake(monkeypatch)
    with pytest.raises(ModelError, match=r"changed the logits by .* of their spread"):
        merged(tmp_path, name)
    assert {path.name for path in tmp_path.iterdir()} == {"base", "adapter"}


def test_a_base_in_4_bits_is_dequantised_first(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    name = tuned(tmp_path, "wide")
    how = ModelConfig(name=name, quantise="nf4", dtype="fp32")
    found = merge(how, tmp_path / "adapter", tmp_path / "merged", ROWS)
    loaded = fresh(name, dtype="fp32", quantise="nf4")
    with hushed():
        model = PeftModel.from_pretrained(loaded.model, tmp_path / "adapter").eval()
    torch.testing.assert_close(logits(stock(tmp_path / "merged")), logits(model), rtol=1e-3, atol=1e-3)
    assert "quantization_config" not in json.loads((tmp_path / "merged" / "config.json").read_text())
    assert found.merging < 1e-5
