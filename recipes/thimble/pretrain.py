"""Pretrains thimble on generated text: ``python recipes/thimble/pretrain.py`` (``--small`` for a minute-long try).

What passes through: schedule.json -> corpus.batch (ids, weights) -> Thimble.loss -> Muon and AdamW -> snapshots.
A snapshot holds weights, optimizer states and the step; kill the run and start it again, and it goes on from the last
one. ``--continue-from FOLDER`` starts from weights alone. ``--export FOLDER`` writes the bf16 model after the run.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import corpus
import numpy as np
import torch
from abilities import measure
from model import Shape, Thimble
from muon import Muon
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

HERE = Path(__file__).parent
EMBEDDED = HERE.parents[1] / "src/tailor/weights/embedded/thimble"
TINY = Shape(
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=32,
    intermediate_size=128,
)


@dataclass
class Batch:
    """One step's tensors: ids, the flat positions that carry loss, their targets and weights, the document mask."""

    ids: torch.Tensor
    rows: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    mask: torch.Tensor


def make_batch(tokenizer: Tokenizer, seed: int, step: int, phase: dict[str, Any]) -> Batch:
    """A fixed number of loss positions, drawn with probability equal to their weight: the head runs on those alone,
    the expected gradient is that of the weighted loss, and the compiled shapes never change."""
    ids, weights, owner = corpus.batch(tokenizer, seed, step, phase)
    rng = np.random.default_rng([seed, step])
    wanted = weights[:, 1:] * (owner[:, 1:] == owner[:, :-1])
    kept = np.argwhere(rng.random(wanted.shape) < wanted)
    rng.shuffle(kept)
    size = int(phase["rows"] * phase["length"] * phase.get("loss_share", 0.45))
    kept = kept[:size]
    picked = np.zeros((size, 2), np.int64)
    picked[: len(kept)] = kept
    flat = picked[:, 0] * ids.shape[1] + picked[:, 1]
    weight = (np.arange(size) < len(kept)).astype(np.float32) / len(kept)
    tensor = torch.from_numpy(ids)
    owners = torch.from_numpy(owner)
    causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    mask = (owners[:, None, :, None] == owners[:, None, None, :]) & causal
    return Batch(tensor, torch.from_numpy(flat), tensor.flatten()[flat + 1], torch.from_numpy(weight), mask)


def optimizers(model: Thimble) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between layers; AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        Muon(matrices, lr=0.02, weight_decay=0.01, momentum=0.95),
        torch.optim.AdamW(others, lr=0.004, betas=(0.9, 0.97), weight_decay=0.0),
    ]


def rate(step: int, total: int, warmup: int, decay: float) -> float:
    """Warm up, stay, then decay linearly to zero over the last ``decay`` share of the run."""
    if step < warmup:
        return (step + 1) / warmup
    return min(1.0, max(0.0, (total - step) / (decay * total)))


def phase_at(schedule: dict[str, Any], step: int) -> dict[str, Any]:
    """The phase of a step; mixes are named once and referred to."""
    for phase in schedule["phases"]:
        if step < phase["steps"]:
            return {**phase, "mix": schedule["mixes"][phase["mix"]]}
        step -= phase["steps"]
    raise IndexError("past the end of the schedule")


def export(model: Thimble, tokenizer: Tokenizer, folder: Path) -> None:
    """config.json, generation_config.json and bf16 weights, as transformers reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    special = {
        f"{name}_token_id": tokenizer.token_to_id(f"<|{word}|>")
        for name, word in (("bos", "bos"), ("eos", "end"), ("pad", "pad"))
    }
    weights = {name: p.detach().to(torch.bfloat16).contiguous() for name, p in model.named_parameters()}
    (folder / "config.json").write_text(json.dumps(model.shape.config(special), indent=2) + "\n")
    (folder / "generation_config.json").write_text(
        json.dumps({**special, "do_sample": False, "max_new_tokens": 256}, indent=2) + "\n"
    )
    partial = folder / "model.safetensors.partial"
    save_file(weights, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.rename(folder / "model.safetensors")


def snapshot(path: Path, model: Thimble, optims: list[torch.optim.Optimizer], state: dict[str, float]) -> None:
    """Weights, moments and counters in one safetensors file, replaced in one move."""
    tensors = {f"model/{name}": p.detach() for name, p in model.named_parameters()}
    for at, optim in enumerate(optims):
        for index, moments in optim.state_dict()["state"].items():
            tensors |= {f"optim/{at}/{index}/{key}": torch.as_tensor(value) for key, value in moments.items()}
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()},
        path.with_suffix(".partial"),
        metadata={"state": json.dumps(state)},
    )
    path.with_suffix(".partial").rename(path)


def restore(path: Path, model: Thimble, optims: list[torch.optim.Optimizer]) -> dict[str, float]:
    """The inverse of ``snapshot``; the counters come back."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        state = json.loads(file.metadata()["state"])
    tensors = load_file(path)
    model.load_state_dict({name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")})
    for at, optim in enumerate(optims):
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith(f"optim/{at}/"):
                _, _, index, key = name.split("/")
                moments.setdefault(int(index), {})[key] = tensor
        optim.load_state_dict({"state": moments, "param_groups": optim.state_dict()["param_groups"]})
    return state


def update(optims: list[torch.optim.Optimizer], model: Thimble, factor: float) -> None:
    """Clip, step at ``factor`` of the base rates, and clear the gradients."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optim in optims:
        for group in optim.param_groups:
            group["lr"] = group.setdefault("base_lr", group["lr"]) * factor
        optim.step()
        optim.zero_grad()


def start(args: argparse.Namespace, seed: int) -> tuple[Thimble, list[torch.optim.Optimizer], dict[str, float]]:
    """The model, its optimizers and the counters: from the last snapshot, from given weights, or fresh."""
    model = Thimble(TINY if args.small else Shape(), seed)
    if args.continue_from:
        weights = load_file(args.continue_from / "model.safetensors")
        model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    optims = optimizers(model)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "snapshot.safetensors"
    state = {"step": 0, "tokens": 0, "seconds": 0.0, "loss": math.nan}
    if path.exists():
        state |= restore(path, model, optims)
    return model, optims, state


def run(args: argparse.Namespace, stop_after: int | None = None) -> dict[str, float]:
    """The whole run: restore, step, measure, save. ``stop_after`` breaks it off, as a kill would."""
    schedule = json.loads(args.schedule.read_text())
    tokenizer = Tokenizer.from_file(str(EMBEDDED / "tokenizer.json"))
    model, optims, state = start(args, schedule["seed"])
    total = sum(phase["steps"] for phase in schedule["phases"])
    loss_of = model.loss if args.eager else torch.compile(model.loss, dynamic=False)
    began = time.time() - state["seconds"]
    for step in range(int(state["step"]), total):
        batch = make_batch(tokenizer, schedule["seed"], step, phase_at(schedule, step))
        loss = loss_of(batch.ids, batch.rows, batch.targets, batch.weights, batch.mask)
        loss.backward()
        update(optims, model, rate(step, total, schedule["warmup"], schedule["decay"]))
        smooth = loss.item() if math.isnan(state["loss"]) else 0.98 * state["loss"] + 0.02 * loss.item()
        tokens = state["tokens"] + batch.ids.numel()
        state = {"step": step + 1, "tokens": tokens, "seconds": time.time() - began, "loss": smooth}
        last = step + 1 == total
        if (step + 1) % 50 == 0 or last:
            print(
                f"step {step + 1}/{total}  {tokens / 1e6:.2f}M tokens  {state['seconds']:.0f} s  loss {smooth:.3f}",
                flush=True,
            )
        if (step + 1) % schedule["measure_every"] == 0 or last:
            scores = measure(model, tokenizer, schedule["measure_n"])
            print("  " + "  ".join(f"{name} {value:.2f}" for name, value in scores.items()), flush=True)
            snapshot(args.out / "snapshot.safetensors", model, optims, state)
            export(model, tokenizer, args.out / "export")
            (args.out / "run.json").write_text(json.dumps({"run": state, "scores": scores}, indent=2) + "\n")
        if step + 1 == stop_after:
            break
    if args.export:
        export(model, tokenizer, args.export)
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedule", type=Path, default=HERE / "schedule.json")
    parser.add_argument("--out", type=Path, default=HERE / "runs/main", help="where snapshots go (ignored by git)")
    parser.add_argument("--export", type=Path, help="folder that receives the finished model")
    parser.add_argument("--continue-from", type=Path, help="folder with a model.safetensors to start from")
    parser.add_argument("--eager", action="store_true", help="do not compile (no C++ compiler, or a short run)")
    parser.add_argument("--small", action="store_true", help="a tiny model for about a minute")
    args = parser.parse_args()
    if args.small:
        torch.set_num_threads(1)  # so tiny a model only waits for a second thread, for ever where other jobs run
        args.schedule, args.out, args.eager = HERE / "schedule-small.json", HERE / "runs/small", True
    run(args)


if __name__ == "__main__":
    main()
