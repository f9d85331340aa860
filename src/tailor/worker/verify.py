"""Proves the promises of a finished run on its own rows and model, against plain transformers and PEFT.

A few of the run's rows are trained on for four steps from where the run ended, in a folder that is thrown away. The
other side of each comparison is `testing/plain.py`, which knows nothing of this engine, in a process of its own; only
resuming is laid beside not having stopped, and there every byte has to be the same.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from safetensors.numpy import load_file

from tailor import render
from tailor.config import RunConfig
from tailor.errors import Cancelled, ModelError
from tailor.records import Example
from tailor.run import Run
from tailor.testing import plain
from tailor.train import proof
from tailor.train.loop import train, trained
from tailor.train.source import Source
from tailor.weights.load import Loaded, load
from tailor.weights.locate import locate
from tailor.worker.screen import Screen, Silent

STEPS, BATCH = 4, 4
WORK = 2e11  # parameters times tokens that a minute on two cores allows
LIMITS = {
    "fp32": {"gradient": 1e-5, "logits": 1e-5, "loss": 1e-5, "update": 1e-3},
    "bf16": {"gradient": 0.1, "logits": 0.05, "loss": 0.02, "update": 0.5},
}
"""What the order of sums explains: in bf16 each product is rounded to 8 bits. Adam divides each gradient by its own
size, so that those near zero turn rounding into steps: hence the wider limits of an update."""
KNOWN = {"fp32": 2e-6, "bf16": 0.02}
"""Nats to which a log-prob is known, as logits of ten or so are rounded. A gradient goes with 1 - p, about the loss: of
rows that a model knows by heart it is known to this share of their loss and no better."""

Tensors = Mapping[str, np.ndarray]


class Check(Struct, frozen=True):
    """One promise: what was compared, the largest difference found, and the largest that is allowed."""

    name: str
    compared: str
    difference: float
    limit: float
    holds: bool


class Verified(Struct, frozen=True):
    """The document of `--json`."""

    run: str
    model: str
    dtype: str
    rows: int
    tokens: int
    holds: bool
    checks: list[Check]
    notes: list[str]


def verify(path: str | Path, screen: Screen | None = None) -> Verified:
    """Proves that layout and micro-batches leave the gradient alone, that resuming is exact, and that what is saved is
    what was trained. Raises RunError where the run is not finished, ModelError where the plain side cannot run."""
    run = Run.finished(path)
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        return _Proof(run, Path(folder), screen or Silent()).done()


@dataclass
class _Proof:
    """The work in one scratch folder."""

    run: Run
    folder: Path
    screen: Screen
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def done(self) -> Verified:
        config = self.run.config
        base = locate(config.model.name, config.model.revision)
        exact = config.model.quantise == "none" and proof.fits_fp32(base, config.run.device)
        self.config = config.model_copy(
            update={"model": config.model.model_copy(update={"dtype": "fp32"})} if exact else {}
        )
        renderer = render.load(base, thinking=config.model.thinking)
        self.rows = self._choose(base, renderer)
        whole = self._scratch("whole")
        source = Source.open(whole, renderer)
        self.datums = [datum for group in source.train for datum in group]
        number = {id(datum): index for index, datum in enumerate(self.datums)}
        size = min(BATCH, len(self.rows))
        self.steps = [[number[id(datum)] for datum in source.batch(step, size)] for step in range(STEPS)]
        self._ours(whole)
        self._resumed(whole)
        self._theirs(whole, base)
        self._compare(whole)
        return Verified(
            run=str(self.run.path),
            model=config.model.name,
            dtype=self.dtype,
            rows=len(self.rows),
            tokens=sum(map(len, self.datums)),
            holds=all(check.holds for check in self.checks),
            checks=self.checks,
            notes=self.notes,
        )

    def _choose(self, base: Path, renderer: render.Renderer) -> list[Example]:
        """The longest rows with which it still takes about a minute, all of them alike in length."""
        groups = Source.open(self.run, renderer).train
        examples = list(self.run.lines("data/train.jsonl", Example))
        wanted = STEPS * BATCH
        order = sorted(range(len(groups)), key=lambda index: sum(map(len, groups[index])))
        parameters = sum(path.stat().st_size for path in base.glob("*.safetensors")) / 2
        for first in range(max(0, len(order) - wanted), -1, -1):
            chosen = order[first : first + wanted]
            if first == 0 or sum(len(d) for i in chosen for d in groups[i]) * parameters <= WORK:
                break
        return [examples[index] for index in chosen]

    def _scratch(self, name: str, **changes: Any) -> Run:
        """A run over the chosen rows that begins where the verified one ended and takes `STEPS` steps."""
        values, size = self.config.model_dump(), min(BATCH, len(self.rows))
        values["run"] |= {"out": str(self.folder / name), "continue_from": str(self.run.path.absolute())}
        steps = {"batch_size": size, "epochs": (STEPS - 0.01) * size / len(self.rows)}
        values["optim"] |= {**steps, "average": 0.0}  # what is compared are the weights of the last step
        values |= {section: values[section] | value for section, value in changes.items() if section != "method"}
        run = Run.create(RunConfig.model_validate({**values, "method": changes.get("method", values["method"])}))
        run.write_lines("data/train.jsonl", self.rows)
        run.write_lines("data/validation.jsonl", [])
        return run

    def _load(self) -> Loaded:
        settings = self.config.run
        return load(self.config.model, device=settings.device, threads=settings.threads, seed=settings.seed)

    def _ours(self, whole: Run) -> None:
        """Four steps at a stretch, then gradients and logits of the live model."""
        self.screen.say("training four steps")
        loaded = self._load()
        self.dtype = "fp32" if str(loaded.dtype) == "torch.float32" else "bf16"
        self.device = str(loaded.device)
        train(whole, loaded=loaded)
        probe = {row: self.datums[row] for row in self.steps[0]}
        proof.write_logits(loaded, probe, self.folder / "logits.live")
        proof.write_trained(loaded, self.folder / "updated.live")
        for name, budget in (("packed", 1 << 20), ("split", 64)):
            run = self._scratch(name, train={"token_budget": budget}, method={"type": "sft"})
            self.shared = proof.write_gradients(run, loaded, list(probe.values()), self.folder / f"gradients.{name}")

    def _resumed(self, whole: Run) -> None:
        """The same, stopped after two steps and gone on with in a fresh copy of the model."""
        self.screen.say("training two steps, stopping, and going on")
        run = self._scratch("stopped")
        with contextlib.suppress(Cancelled):
            train(run, loaded=self._load(), tick=lambda tick: run.cancel() if tick.step == STEPS // 2 else None)
        run.clear_cancel()
        train(run, loaded=self._load())
        files = [path.relative_to(whole.path) for path in sorted(trained(whole).glob("*.safetensors"))]
        same = all(
            (run.path / f).read_bytes() == (whole.path / f).read_bytes() for f in [*files, Path("metrics.jsonl")]
        )
        difference = 0.0 if same else max(_largest(load_file(run.path / f), load_file(whole.path / f)) for f in files)
        self.checks.append(
            Check(
                "resume",
                "weights and metrics after 2 steps, a stop and 2 more: against 4 at a stretch, byte for byte",
                difference,
                0.0,
                same,
            )
        )

    def _theirs(self, whole: Run, base: Path) -> None:
        """The plain loop, in a process of its own."""
        self.screen.say("the same in plain transformers and PEFT")
        config = self.config
        if config.model.quantise != "none":
            base = self.folder / "base"
            proof.write_base(whole, base)
        self.plainly = self._can_be_plain()
        rates = [line["lr"] for line in whole.lines("metrics.jsonl") if "lr" in line]
        job = plain.Job(
            base="" if whole.has("model") else str(base),
            start=str(trained(self.run).absolute()),
            end=str(trained(whole)),
            dtype=self.dtype,
            device=self.device,
            threads=config.run.threads or os.cpu_count() or 1,
            ids=[datum.ids.tolist() for datum in self.datums],
            weights=[datum.weights.tolist() for datum in self.datums],
            probe=self.steps[0],
            steps=self.steps if self.plainly else [],
            rates=rates,
            betas=(config.optim.beta1, config.optim.beta2),
            epsilon=config.optim.epsilon,
            weight_decay=config.optim.weight_decay,
            max_grad_norm=config.optim.max_grad_norm,
        )
        (self.folder / "job.json").write_text(json.dumps(job))
        done = subprocess.run([sys.executable, str(plain.__file__), str(self.folder)], capture_output=True, text=True)
        if done.returncode:
            raise ModelError(
                f"plain transformers and PEFT cannot run this model: {(done.stderr.splitlines() or ['?'])[-1]}",
                where=str(self.run.path),
            )

    def _can_be_plain(self) -> bool:
        """Whether the plain loop can take the run's own steps; notes why not."""
        config = self.config
        reasons = {
            f"the method {config.method['type']} has a loss of its own": config.method["type"] != "sft",
            "dropout draws other units there": config.adapter.lora_dropout > 0,
            f"the optimiser is {config.optim.optimizer}": config.optim.optimizer != "adamw",
            "LoRA+ has two rates": config.optim.lora_plus_ratio is not None,
            "its adapter starts beside a frozen one": config.adapter.init_lora_weights not in ("default", "gaussian"),
        }
        found = [reason for reason, given in reasons.items() if given]
        if found:
            self.notes.append(f"steps are not compared with the plain loop: {'; '.join(found)}")
        return not found

    def _compare(self, whole: Run) -> None:
        gradients = self._read("gradients.plain")
        losses = [line["loss"] for line in whole.lines("metrics.jsonl") if "loss" in line]
        how = "with shared prefixes" if self.shared else "each row in a segment of its own"
        for name, file, what in (
            ("packing", "packed", f"the gradient of {len(self.steps[0])} rows packed into one batch, {how}"),
            ("micro-batches", "split", "the same in micro-batches of 64 tokens, a longer row alone"),
        ):
            found = _relative(self._read(f"gradients.{file}"), gradients)
            against = "against the rows one by one in plain transformers and PEFT"
            self._add(name, f"{what}: {against}", found, "gradient", losses[0])
        live, saved = self._read("logits.live"), self._read("logits.plain")
        spread = float(np.concatenate([value.ravel() for value in saved.values()]).std())
        stock = "transformers" if whole.has("model") else "PEFT"
        what = f"logits of the live model: against what was saved, read by stock {stock}"
        self._add("saved weights", what, _largest(live, saved) / spread, "logits")
        if not self.plainly:
            return
        wanted = json.loads((self.folder / "losses.json").read_text())
        worst = max(abs(a - b) / abs(b) for a, b in zip(losses, wanted))
        self._add("losses", f"of {STEPS} steps: against a plain loop", worst, "loss", min(losses))
        start, end = self._read("start.plain"), self._read("updated.plain")
        moved = math.sqrt(sum(float(np.square(end[name] - start[name]).sum()) for name in end))
        apart = math.sqrt(sum(float(np.square(end[n] - v).sum()) for n, v in self._read("updated.live").items()))
        self._add(
            "updates",
            f"what {STEPS} steps did to the weights: against a plain loop with torch's AdamW",
            apart / moved,
            "update",
            min(losses),
        )

    def _read(self, name: str) -> Tensors:
        return load_file(self.folder / name)

    def _add(self, name: str, compared: str, difference: float, kind: str, loss: float = math.inf) -> None:
        limit = max(LIMITS[self.dtype][kind], KNOWN[self.dtype] / abs(loss))
        if limit > LIMITS[self.dtype][kind]:
            compared += f"; the limit is wider, as the loss of these rows is only {loss:.1e}"
        self.checks.append(Check(name, compared, difference, limit, bool(difference <= limit)))


def _largest(ours: Tensors, theirs: Tensors) -> float:
    """Largest difference of one number; infinite where tensors are missing."""
    if ours.keys() != theirs.keys() or any(ours[name].shape != theirs[name].shape for name in ours):
        return math.inf
    return max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)


def _relative(ours: Tensors, theirs: Tensors) -> float:
    """Largest difference of one tensor, as a share of its norm (of a thousandth of the largest norm at least).

    An adapter that starts beside a frozen one is saved as one of twice the rank: the first half is the trained one.
    """
    if ours.keys() != theirs.keys():
        return math.inf
    cut = {name: theirs[name][tuple(map(slice, ours[name].shape))] for name in ours}
    norms = {name: float(np.linalg.norm(value)) for name, value in cut.items()}
    floor = 1e-3 * max(norms.values())
    return max(float(np.linalg.norm(ours[name] - cut[name])) / max(norms[name], floor) for name in ours)
