"""Trained weights on disk, in the formats stock PEFT and transformers read."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tailor.disk import replaced
from tailor.errors import ModelError
from tailor.weights import initial
from tailor.weights.load import Loaded, hushed

ADAPTER = "adapter_model.safetensors"
COMPANIONS = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "chat_template*")


def save(loaded: Loaded, folder: Path, template: str = "") -> None:
    """Write what was trained to `folder`, replacing what stood there; tokenizer and template files go along.

    `template` is the chat template that was trained with; it is written where the model's folder has none.

    LoRA: `adapter_config.json` and `adapter_model.safetensors` as PEFT writes them. Full tuning: the whole model as
    transformers writes it, fp32 as it was trained. The folder appears whole or not at all. Raises ResourceError.
    """
    with replaced(folder) as staged:
        _write(loaded, staged)
        add_companions(loaded.folder, staged, template)


def add_companions(source: Path, folder: Path, template: str = "") -> None:
    """Copy the tokenizer and template files of the model in `source` to `folder`; `template` where it has none."""
    for pattern in COMPANIONS:
        for path in source.glob(pattern):
            shutil.copy2(path, folder / path.name)
    if template and not (folder / "chat_template.jinja").exists():
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def restore(loaded: Loaded, folder: Path) -> None:
    """Put the values saved in `folder` back into the live parameters. Raises ModelError where they do not fit."""
    try:
        if loaded.adapter == "lora":
            _restore_adapter(loaded, folder)
        else:
            _restore_model(loaded, folder)
    except FileNotFoundError as error:
        raise ModelError(f"saved weights are missing: {error.filename or error}", where=str(folder)) from None
    except (SafetensorError, OSError) as error:
        raise ModelError(f"saved weights are damaged: {error}", where=str(folder)) from None


def _write(loaded: Loaded, folder: Path) -> None:
    model: Any = loaded.model
    if loaded.adapter != "lora":
        with hushed():
            model.save_pretrained(folder)
        return
    config = initial.doubled(model, copy.deepcopy(model.peft_config["default"]))
    config.inference_mode = True  # as PEFT itself saves it
    config.save_pretrained(folder)
    save_file(_adapter_state(loaded), folder / ADAPTER, metadata={"format": "pt"})


def _adapter_state(loaded: Loaded) -> dict[str, torch.Tensor]:
    """The adapter's tensors under PEFT's names, the trained rows of new tokens among them."""
    from peft import get_peft_model_state_dict

    state = initial.merged(loaded.model, get_peft_model_state_dict(loaded.model, save_embedding_layers=False))
    return {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}


def _restore_adapter(loaded: Loaded, folder: Path) -> None:
    from peft import set_peft_model_state_dict

    state = load_file(folder / ADAPTER)
    expected = {name: tensor.shape for name, tensor in _adapter_state(loaded).items()}
    _compare(expected, {name: tensor.shape for name, tensor in state.items()}, folder)
    with hushed():
        set_peft_model_state_dict(loaded.model, initial.parted(loaded.model, state))


def _restore_model(loaded: Loaded, folder: Path) -> None:
    """By way of transformers, which knows how each family's names on disk map to its modules."""
    from transformers import AutoModelForCausalLM

    with hushed():
        saved = dict(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).named_parameters())
    live = dict(loaded.model.named_parameters())
    _compare({n: p.shape for n, p in live.items()}, {n: p.shape for n, p in saved.items()}, folder)
    with torch.no_grad():
        for name, parameter in live.items():
            parameter.copy_(saved[name])


def _compare(expected: dict[str, torch.Size], found: dict[str, torch.Size], folder: Path) -> None:
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise ModelError(
            f"{len(wrong)} saved tensors do not fit this model ({', '.join(wrong[:3])})",
            where=str(folder),
            fix="were they saved with other adapter settings, or for another model?",
        )
