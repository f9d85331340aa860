"""Kinds of adapters through the whole loop: stopped, resumed, read back, and asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from tailor import render
from tailor.completers.base import gather
from tailor.completers.local import LocalCompleter
from tailor.config import RunConfig, resolve
from tailor.errors import Cancelled, ConfigError
from tailor.records import Request, Sampling, message
from tailor.run import Run
from tailor.train import loop
from tailor.weights.load import Loaded, hushed, load

from ..conftest import SHAPE

MakeRun = Callable[..., Run]
IDS = torch.arange(300, 330)[None]
WAYS: list[dict[str, Any]] = [
    {"adapter__type": "qlora", "adapter__r": 4},
    {"adapter__type": "lora", "adapter__r": 4, "adapter__init_lora_weights": "pissa", "optim__optimizer": "adafactor"},
    {"adapter__type": "lora", "adapter__modules_to_save": ("lm_head",), "optim__lora_plus_ratio": 4.0},
    {"adapter__type": "full", "optim__optimizer": "muon"},
]


@pytest.fixture(scope="module")
def wide(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with rows of 64 weights, which 4 bits can hold."""
    folder = tmp_path_factory.mktemp("models") / "wide"
    shutil.copytree(tiny, folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "head_dim": 16}
    with hushed():
        Qwen3ForCausalLM(Qwen3Config(**SHAPE | shape)).save_pretrained(folder)
    return folder


def logits(loaded: Loaded) -> torch.Tensor:
    loaded.model.eval()
    with torch.no_grad(), loaded.autocast():
        out: torch.Tensor = loaded.model(IDS).logits
    return out


def fresh(run: Run) -> Loaded:
    return load(run.config.model, device="cpu", seed=run.config.run.seed)


@pytest.mark.parametrize("settings", WAYS, ids=["qlora", "pissa", "modules_to_save", "muon"])
def test_stopped_and_resumed_it_is_the_same_and_it_is_what_is_read_back(
    make_run: MakeRun, wide: Path, settings: dict[str, Any]
) -> None:
    settings = {"model__name": str(wide), "optim__epochs": 1, **settings}
    whole, stopped = (make_run(name, **settings) for name in ("whole", "stopped"))
    loaded = fresh(whole)
    before = logits(loaded)
    loop.train(whole, loaded=loaded)
    with pytest.raises(Cancelled):
        loop.train(stopped, tick=lambda tick: stopped.cancel() if tick.step == 4 else None)
    stopped.clear_cancel()
    loop.train(stopped)
    assert (stopped.path / "metrics.jsonl").read_bytes() == (whole.path / "metrics.jsonl").read_bytes()
    kept = "model/model.safetensors" if loaded.adapter == "full" else "adapter/adapter_model.safetensors"
    assert (stopped.path / kept).read_bytes() == (whole.path / kept).read_bytes()

    after = logits(loaded)
    assert torch.equal(logits(loop.tuned(whole, fresh(whole))), after)
    assert not torch.equal(after, before)
    with loaded.base():
        torch.testing.assert_close(logits(loaded), before, rtol=0, atol=1e-6)


def test_a_4_bit_model_answers_with_and_without_its_adapter(make_run: MakeRun, wide: Path) -> None:
    run = make_run(model__name=str(wide), adapter__type="qlora", adapter__r=4, optim__epochs=1)
    loaded = fresh(run)
    renderer = render.load(loaded.folder)

    def answer(**how: bool) -> tuple[int, ...]:
        request = Request(messages=(message("user", "Say hello."),))
        return gather(LocalCompleter(loaded, renderer, **how), [request], Sampling(max_tokens=5))[0][0].ids

    plain = answer()
    loop.train(run, loaded=loaded)
    assert len(answer()) > 0
    assert answer() == answer()
    assert answer(adapter=False) == plain


def test_qlora_as_a_user_types_it(tmp_path: Path) -> None:
    assert RunConfig().model.quantise == "none"
    config = resolve(None, {"adapter.type": "qlora", "model.name": "thimble"})
    assert (config.adapter.type, config.model.quantise) == ("qlora", "nf4")
    assert RunConfig.model_validate({"adapter": config.adapter}).model.quantise == "nf4"
    with pytest.raises(ConfigError, match="4-bit weights cannot be changed"):
        resolve(None, {"adapter.type": "full", "model.quantise": "nf4"})
    with pytest.raises(ConfigError, match=r"model\.quantise is 'none'"):
        resolve(None, {"adapter.type": "qlora", "model.quantise": "none"})
