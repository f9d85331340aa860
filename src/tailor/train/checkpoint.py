"""Checkpoints that a crash cannot spoil.

A checkpoint is a folder `checkpoints/step-00000120/` with `trainable.safetensors`, `optimizer.safetensors` and
`optimizer.json` (the optimiser's tensors and plain values by parameter, the random states), `state.json`, and
`manifest.json` (size and SHA-256 of each). It is written beside its place, synced, and renamed into it, so it is there
whole or not at all; the newest *valid* one wins. Nothing is ever pickled.

A full disk stops the run: its last checkpoint stands, and going on would only spend hours on what cannot be kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec import Struct
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tailor.disk import need_space, replaced
from tailor.errors import ResourceError, RunError
from tailor.run import Run, to_json
from tailor.train.average import NAME as AVERAGE

NAME = re.compile(r"step-(\d{8})")
ROW_LOSSES = "row_losses.jsonl"
SAMPLE = 64 * 2**20  # bytes that are written to see how fast a disk is
LOGS = ("metrics.jsonl", "timings.jsonl", ROW_LOSSES)
Parameters = Mapping[str, torch.nn.Parameter]


class State(Struct):
    """Where a run stands; all that is needed to go on exactly, beside the tensors.

    The order of the rows needs no more than `step`: a batch is a function of the seed and the step (`train/source.py`).
    `plan` is the schedule that the steps so far were taken by; `token_budget` what memory proved to hold, if less than
    was planned.
    """

    step: int = 0
    tokens: int = 0
    best_step: int = 0
    best_value: float | None = None
    judged_by: str = ""
    without_better: int = 0
    finished: bool = False
    metrics_size: int = 0
    timings_size: int = 0
    row_losses_size: int = 0
    token_budget: int | None = None
    plan: dict[str, Any] = {}

    @property
    def log_sizes(self) -> tuple[int, ...]:
        """Bytes of each of LOGS when this was written."""
        return self.metrics_size, self.timings_size, self.row_losses_size


def save(run: Run, state: State, parameters: Parameters, optimizer: torch.optim.Optimizer, keep_last: int) -> Path:
    """Writes the checkpoint of `state.step` and removes those that are neither among the last nor the best of these.

    Raises ResourceError where the disk is full; what stood there before still stands.
    """
    tensors = {name: _plain(parameter) for name, parameter in parameters.items()}
    moments, values = _optimizer_state(parameters, optimizer)
    need_space(run.path, sum(t.nbytes for t in [*tensors.values(), *moments.values()]))
    for log in LOGS:
        run.sync(log)  # a checkpoint must not outlive the lines that it counts
    state.metrics_size, state.timings_size, state.row_losses_size = map(run.size, LOGS)
    target = _path(run, state.step)
    with replaced(target) as staged:
        save_file(tensors, staged / "trainable.safetensors")
        save_file(moments | _random_states(parameters), staged / "optimizer.safetensors")
        (staged / "optimizer.json").write_bytes(to_json(values))
        (staged / "state.json").write_bytes(to_json(state))
        (staged / "manifest.json").write_bytes(to_json(_manifest(staged)))
    _prune(run, keep_last)
    return target


def pace(folder: Path) -> float:
    """Seconds a byte that a checkpoint takes on the disk of `folder`; 0 where nothing can be written there."""
    tensors = {"sample": torch.rand(SAMPLE // 4)}
    with contextlib.suppress(OSError, ResourceError), tempfile.TemporaryDirectory(prefix=".pace-", dir=folder) as name:
        began = time.perf_counter()
        with replaced(Path(name) / "sample") as staged:
            save_file(tensors, staged / "sample.safetensors")
            _manifest(staged)
        return (time.perf_counter() - began) / SAMPLE
    return 0.0


def _prune(run: Run, keep_last: int) -> None:
    """Removes all checkpoints but the last ones and the best of each, so that any of them can be gone back to."""
    found = _all(run)
    last = {step for step, _ in found[-keep_last:]}
    best = {_state(path).best_step for step, path in found if step in last}
    for step, path in found:
        if step not in last | best:
            shutil.rmtree(path, ignore_errors=True)


def resume(
    run: Run,
    parameters: Parameters,
    optimizer: torch.optim.Optimizer,
    say: Callable[[str], None] = lambda text: None,
) -> State:
    """Puts the newest valid checkpoint back and cuts the run's logs to it; a fresh State where there is none at all.

    A damaged one is passed over, which is said aloud and recorded. Raises RunError where all are damaged.
    """
    state, passed = State(), []
    for step, path in reversed(_all(run)):
        fault = _fault(run, path)
        if fault:
            passed.append(path)
            run.event("damaged-checkpoint", path=path.name, fault=fault)
            say(f"the checkpoint of step {step:,} is passed over: {fault}")
            continue
        state = _state(path)
        _load_parameters(path, parameters)
        _load_optimizer(path, parameters, optimizer)
        break
    else:
        if passed:
            raise RunError(
                f"none of the {len(passed)} checkpoints can be used",
                where=str(run.path / "checkpoints"),
                fix=f"bring the files back, or train again: tailor train --recipe {run.path}/recipe.toml --out NEW",
            )
    for path in passed:
        shutil.rmtree(path, ignore_errors=True)
    for log, size in zip(LOGS, state.log_sizes):
        run.cut(log, size)
    return state


def load_best(run: Run, state: State, parameters: Parameters, *, averaged: bool) -> None:
    """Puts the parameters of the best step back, or their average where one was made; nothing is read where the live
    ones are they. Raises RunError where its checkpoint is gone or damaged."""
    if state.best_step == state.step and not averaged:
        return
    path = _path(run, state.best_step)
    if not _intact(path):
        raise RunError("the best checkpoint is gone or damaged", where=str(path), fix="train again into a new --out")
    _load_parameters(path, parameters)
    with safe_open(path / "optimizer.safetensors", "pt") as saved, torch.no_grad():
        for name, parameter in parameters.items():
            if f"{AVERAGE}:{name}" in saved.keys():  # noqa: SIM118  # it is no dict
                parameter.copy_(saved.get_tensor(f"{AVERAGE}:{name}"))


# ---------------------------------------------------------------------------------------------------- tensors


def _load_parameters(path: Path, parameters: Parameters) -> None:
    saved = load_file(path / "trainable.safetensors")
    if {name: t.shape for name, t in saved.items()} != {name: p.shape for name, p in parameters.items()}:
        raise RunError("the checkpoint holds other parameters than this model trains", where=str(path))
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(saved[name])


def _optimizer_state(
    parameters: Parameters, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What any optimiser keeps of each parameter, as `what:parameter`: its tensors, and its plain values."""
    order, state = _order(parameters, optimizer), optimizer.state_dict()["state"]
    kept = {f"{key}:{order[index]}": value for index, held in state.items() for key, value in held.items()}
    tensors = {name: _plain(value) for name, value in kept.items() if isinstance(value, torch.Tensor)}
    return tensors, {name: value for name, value in kept.items() if name not in tensors}


def _load_optimizer(path: Path, parameters: Parameters, optimizer: torch.optim.Optimizer) -> None:
    """Puts the optimiser's state and the random states back."""
    saved = load_file(path / "optimizer.safetensors")
    _set_random_states({key: saved.pop(key) for key in list(saved) if key.startswith("rng:")}, parameters)
    state: dict[int, dict[str, Any]] = {}
    places = {name: index for index, name in enumerate(_order(parameters, optimizer))}
    for name, value in {**saved, **msgspec.json.decode((path / "optimizer.json").read_bytes())}.items():
        key, _, parameter = name.partition(":")
        state.setdefault(places[parameter], {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _order(parameters: Parameters, optimizer: torch.optim.Optimizer) -> list[str]:
    """Names of the parameters in the order by which an optimiser's `state_dict` counts them."""
    names = {id(parameter): name for name, parameter in parameters.items()}
    return [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]


def _random_states(parameters: Parameters) -> dict[str, torch.Tensor]:
    """The generators that dropout draws from."""
    device = _device(parameters)
    gpu = {"rng:cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"rng:cpu": torch.get_rng_state(), **gpu}


def _set_random_states(saved: Mapping[str, torch.Tensor], parameters: Parameters) -> None:
    torch.set_rng_state(saved["rng:cpu"])
    device = _device(parameters)
    if "rng:cuda" in saved and device.type == "cuda":
        torch.cuda.set_rng_state(saved["rng:cuda"], device)


def _device(parameters: Parameters) -> torch.device:
    return next(iter(parameters.values())).device


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """`tensor` as safetensors takes it."""
    return tensor.detach().contiguous().cpu()


# ---------------------------------------------------------------------------------------------------- folders


def _path(run: Run, step: int) -> Path:
    return run.path / "checkpoints" / f"step-{step:08d}"


def _all(run: Run) -> list[tuple[int, Path]]:
    folder = run.path / "checkpoints"
    if not folder.exists():
        return []
    return sorted((int(found[1]), path) for path in folder.iterdir() if (found := NAME.fullmatch(path.name)))


def _state(path: Path) -> State:
    return msgspec.json.decode((path / "state.json").read_bytes(), type=State)


def _fault(run: Run, path: Path) -> str:
    """Why the run cannot go on from the checkpoint at `path`; empty where it can."""
    if not _intact(path):
        return "its files are not as they were written"
    state = _state(path)
    if any(run.size(log) < size for log, size in zip(LOGS, state.log_sizes)):
        return "the run's log is shorter than it was then"
    if state.best_step not in (0, state.step) and not _intact(_path(run, state.best_step)):
        return f"the checkpoint of step {state.best_step:,}, the best by then, is gone or damaged"
    return ""


def _manifest(folder: Path) -> dict[str, dict[str, int | str]]:
    return {
        path.name: {"size": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    }


def _intact(folder: Path) -> bool:
    """Whether the files of a checkpoint are those that its manifest names."""
    try:
        return bool(msgspec.json.decode((folder / "manifest.json").read_bytes()) == _manifest(folder))
    except (OSError, ValueError):
        return False


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
