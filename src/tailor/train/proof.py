"""What `tailor verify` asks of this engine: gradients of a step under some layout, and logits of the live model.

Everything is written to files, so that it can be laid beside what another process wrote.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from tailor.kernels import why_not_share
from tailor.records import Datum
from tailor.run import Run
from tailor.train.step import Step
from tailor.weights.load import Loaded, choose_device, hushed, load
from tailor.weights.memory import free_memory
from tailor.weights.quantise import dequantise


def write_gradients(run: Run, loaded: Loaded, datums: Sequence[Datum], path: Path) -> bool:
    """The gradient of one step over `datums` as `run` is set, by parameter; whether prefixes were shared."""
    with _without_dropout(loaded.model):
        share = run.config.train.share_prefixes and not why_not_share(loaded.model, max(map(len, datums)))
        parameters = loaded.trainable()
        Step(run, loaded, parameters, share=share, max_grad_norm=math.inf).gradients(datums)
    _write({name: p.grad for name, p in parameters.items() if p.grad is not None}, path)
    return share


@torch.no_grad()
def write_logits(loaded: Loaded, datums: Mapping[int, Datum], path: Path) -> None:
    """Logits of each row by itself through the live model, by the row's number."""
    loaded.model.eval()
    found = {}
    for number, datum in datums.items():
        ids = torch.as_tensor(datum.ids, dtype=torch.int64, device=loaded.device)[None]
        with loaded.autocast():
            found[str(number)] = loaded.model(input_ids=ids, use_cache=False).logits[0]
    _write(found, path)


def write_trained(loaded: Loaded, path: Path) -> None:
    """The trained parameters as they stand."""
    _write(dict(loaded.trainable()), path)


def fits_fp32(folder: Path, device: str) -> bool:
    """Whether the model in `folder` fits as fp32, three times over, into the memory that is free."""
    needed = 12 * sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 2
    return needed < free_memory(choose_device(device))


def write_base(run: Run, folder: Path) -> None:
    """The base model of a 4-bit run as an ordinary one, with the very values that its layers multiply by."""
    config = run.config
    loaded = load(config.model, device=config.run.device, threads=config.run.threads, seed=config.run.seed)
    model: Any = dequantise(loaded.model)
    with hushed():
        model.save_pretrained(folder)


@contextlib.contextmanager
def _without_dropout(model: nn.Module) -> Iterator[None]:
    """The other side of the comparison would draw other units."""
    rates = {module: module.p for module in model.modules() if isinstance(module, nn.Dropout)}
    for module in rates:
        module.p = 0.0
    try:
        yield
    finally:
        for module, rate in rates.items():
            module.p = rate


def _write(tensors: dict[str, torch.Tensor], path: Path) -> None:
    save_file({name: t.detach().float().cpu().contiguous().clone() for name, t in tensors.items()}, path)
