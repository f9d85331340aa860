"""A tiny model with thimble's tokenizer, and a run folder made of a handful of rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from tailor import render
from tailor.config import resolve
from tailor.records import Example, Ledger, Source, message
from tailor.run import Run
from tailor.train.source import prepare
from tailor.weights.locate import EMBEDDED

SHAPE: dict[str, Any] = {
    "vocab_size": 4096,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: Qwen3's architecture, 150,000 random weights."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    Qwen3ForCausalLM(Qwen3Config(**SHAPE)).save_pretrained(folder)
    for path in (EMBEDDED / "thimble").iterdir():
        if path.name.startswith(("tokenizer", "chat_template", "special")):
            shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILOR_CACHE", str(tmp_path_factory.mktemp("cache")))


def rows(count: int, first: int = 0) -> list[Example]:
    """Small conversations of different lengths that share a system prompt."""
    examples = []
    for number in range(first, first + count):
        turns = [message("system", "Answer in the house style."), message("user", f"ticket {number} " * (1 + number % 4))]
        turns.append(message("assistant", f"code {number * 7 % 13} " + "done " * (number % 3)))
        if number % 3 == 0:
            turns += [message("user", "and then?"), message("assistant", f"close {number}")]
        examples.append(Example(kind="chat", messages=tuple(turns), source=Source("rows.jsonl", number + 1)))
    return examples


@pytest.fixture
def make_run(tiny: Path, tmp_path: Path) -> Callable[..., Run]:
    """Makes a prepared run of 24 train and 6 validation rows; settings by their dotted names."""

    def make(name: str = "run", **settings: Any) -> Run:
        values = {
            "model.name": str(tiny),
            "model.dtype": "fp32",
            "run.out": str(tmp_path / name),
            "optim.batch_size": 4,
            "optim.epochs": 3,
            "optim.learning_rate": 1e-3,
        } | {key.replace("__", "."): value for key, value in settings.items()}
        run = Run.create(resolve(None, values))
        run.write_lines("data/train.jsonl", rows(24))
        run.write_lines("data/validation.jsonl", rows(6, first=24))
        run.write("data/ledger.json", Ledger(rows_in=30, train=24, validation=6))
        prepare(run, render.load(tiny))
        return run

    return make
