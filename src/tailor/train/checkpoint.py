"""Checkpoints that a crash cannot spoil.

A checkpoint is a folder `checkpoints/step-00000120/` with `trainable.safetensors`, `optimizer.safetensors`,
`state.json` and `manifest.json` (size and SHA-256 of each). It is written beside its place, synced, and renamed into
it, so it is there whole or not at all; the newest *valid* one wins. Nothing is ever pickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
import torch
from msgspec import Struct
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tailor.errors import RunError
from tailor.run import Run, disk_errors, to_json

NAME = re.compile(r"step-(\d{8})")
Parameters = Mapping[str, torch.nn.Parameter]


class State(Struct):
    """Where a run stands; all that is needed to go on exactly, beside the tensors."""

    step: int = 0
    tokens: int = 0
    best_step: int = 0
    best_value: float | None = None
    judged_by: str = ""
    without_better: int = 0
    finished: bool = False
    metrics_size: int = 0
    timings_size: int = 0


def save(run: Run, state: State, parameters: Parameters, optimizer: torch.optim.Optimizer, keep_last: int) -> Path:
    """Writes the checkpoint of `state.step` and removes those that are neither the best nor among the last."""
    tensors = {name: parameter.detach().contiguous().cpu() for name, parameter in parameters.items()}
    moments = _moments(parameters, optimizer)
    run.need_space(sum(t.nbytes for t in [*tensors.values(), *moments.values()]))
    state.metrics_size, state.timings_size = run.size("metrics.jsonl"), run.size("timings.jsonl")
    folder = run.path / "checkpoints"
    target = folder / f"step-{state.step:08d}"
    staged = folder / f".step-{state.step:08d}.tmp"
    with disk_errors(folder):
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        try:
            save_file(tensors, staged / "trainable.safetensors")
            save_file(moments | _random_states(), staged / "optimizer.safetensors")
            (staged / "state.json").write_bytes(to_json(state))
            (staged / "manifest.json").write_bytes(to_json(_manifest(staged)))
            for path in [*staged.iterdir(), staged]:
                _sync(path)
            shutil.rmtree(target, ignore_errors=True)
            staged.rename(target)
            _sync(folder)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    for step, path in _all(run)[: -keep_last or None]:
        if step not in (state.best_step, state.step):
            shutil.rmtree(path, ignore_errors=True)
    return target


def resume(run: Run, parameters: Parameters, optimizer: torch.optim.Optimizer) -> State:
    """Puts the newest valid checkpoint back and cuts the run's logs to it; a fresh State where there is none."""
    for _, path in reversed(_all(run)):
        if not _valid(path):
            run.event("damaged-checkpoint", path=path.name)
            continue
        state = msgspec.json.decode((path / "state.json").read_bytes(), type=State)
        _load_parameters(path, parameters)
        saved = load_file(path / "optimizer.safetensors")
        _set_random_states(saved)
        _set_moments(parameters, optimizer, saved, state.step)
        break
    else:
        state = State()
    run.cut("metrics.jsonl", state.metrics_size)
    run.cut("timings.jsonl", state.timings_size)
    return state


def load_best(run: Run, state: State, parameters: Parameters) -> None:
    """Puts the parameters of the best step back. Raises RunError where its checkpoint is gone or damaged."""
    path = run.path / "checkpoints" / f"step-{state.best_step:08d}"
    if not path.exists() or not _valid(path):
        raise RunError("the best checkpoint is gone or damaged", where=str(path), fix="train again into a new --out")
    _load_parameters(path, parameters)


def _load_parameters(path: Path, parameters: Parameters) -> None:
    saved = load_file(path / "trainable.safetensors")
    if saved.keys() != parameters.keys():
        raise RunError("the checkpoint holds other parameters than this model trains", where=str(path))
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(saved[name])


def _moments(parameters: Parameters, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """AdamW's two moments by the parameter's name."""
    return {
        f"{key}:{name}": optimizer.state[parameter][key].detach().contiguous().cpu()
        for name, parameter in parameters.items()
        if parameter in optimizer.state
        for key in ("exp_avg", "exp_avg_sq")
    }


def _set_moments(
    parameters: Parameters, optimizer: torch.optim.Optimizer, saved: Mapping[str, torch.Tensor], step: int
) -> None:
    for name, parameter in parameters.items():
        if f"exp_avg:{name}" in saved:
            optimizer.state[parameter] = {
                "step": torch.tensor(float(step), device=parameter.device),
                "exp_avg": saved[f"exp_avg:{name}"].to(parameter.device),
                "exp_avg_sq": saved[f"exp_avg_sq:{name}"].to(parameter.device),
            }


def _random_states() -> dict[str, torch.Tensor]:
    """The generators that dropout draws from."""
    states = {"rng:cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["rng:cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random_states(saved: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(saved["rng:cpu"])
    if "rng:cuda" in saved and torch.cuda.is_available():
        torch.cuda.set_rng_state(saved["rng:cuda"])


def _all(run: Run) -> list[tuple[int, Path]]:
    folder = run.path / "checkpoints"
    if not folder.exists():
        return []
    return sorted((int(found[1]), path) for path in folder.iterdir() if (found := NAME.fullmatch(path.name)))


def _manifest(folder: Path) -> dict[str, dict[str, int | str]]:
    return {
        path.name: {"size": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    }


def _valid(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "manifest.json").read_bytes()) == _manifest(folder))
    except (OSError, ValueError, SafetensorError):
        return False


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
