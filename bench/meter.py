"""Watches a training process from outside, in the same way whoever trains in it.

Two global hooks of PyTorch tell everything: each optimiser step is a moment in time, and every token has to pass an
embedding. Nothing of the system under test is touched.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook

MODULES = {"ms-swift": "swift", "liger-kernel": "liger_kernel"}  # the others are called as their packages
PACKAGES = ("tailor", "trl", *MODULES, "torch", "transformers", "peft", "accelerate", "bitsandbytes")
PROBE = 64  # tokens: a shorter pass before the first step is a system's look at the model, not reference log-probs


class Meter:
    """Counts from its making on. `job` is what the runner asked for; `pad` the id that is no token."""

    def __init__(self, job: dict[str, Any], pad: int = 0) -> None:
        self.job, self.pad = job, pad
        self.moments: list[float] = []  # ends of the optimiser's steps
        self.cpu: list[float] = []  # processor seconds of all threads so far, at the same moments
        self.tokens: list[int] = []  # that went through the model with gradients, step by step
        self.places: list[int] = []  # the same with the padding
        self.reference: list[int] = []  # that went through it without gradients
        self._counts = [0, 0, 0]
        self._before: list[
            tuple[float, int]
        ] = []  # (moment, tokens) of what runs without gradients before the first step
        self._first_training = 0.0
        self.started = time.perf_counter()
        register_module_forward_pre_hook(self._embedding)
        register_optimizer_step_post_hook(self._stepped)

    def _embedding(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if not isinstance(module, nn.Embedding) or not inputs:
            return
        real = int((inputs[0] != self.pad).sum())
        if torch.is_grad_enabled():
            self._first_training = self._first_training or time.perf_counter()
            self._counts[0] += real
            self._counts[1] += inputs[0].numel()
        else:
            self._counts[2] += real
            if not self._first_training and real > PROBE:
                self._before.append((time.perf_counter(), real))

    def _stepped(self, *_: Any) -> None:
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        self.moments.append(time.perf_counter())
        self.cpu.append(time.process_time())
        for column, count in zip((self.tokens, self.places, self.reference), self._counts):
            column.append(count)
        self._counts = [0, 0, 0]

    def finish(self, losses: list[float], **facts: Any) -> None:
        """Writes what was seen to the job's `result` file; `losses` are the system's own, one a step."""
        warmup, steps = self.job["warmup"], self.job["warmup"] + self.job["timed"]
        if len(self.moments) != steps:
            raise SystemExit(f"{len(self.moments)} steps were taken, {steps} were asked for")
        measured = slice(warmup, steps)
        result = {
            "seconds": self.moments[-1] - self.moments[warmup - 1],
            "cpu_seconds": self.cpu[-1] - self.cpu[warmup - 1],
            "step_seconds": [b - a for a, b in zip(self.moments, self.moments[1:])],
            "tokens": sum(self.tokens[measured]),
            "places": sum(self.places[measured]),
            "reference_tokens": sum(self.reference[measured]),
            # Reference log-probs that were all taken before the first step.
            "cached_tokens": 0 if any(self.reference[1:]) else self.reference[0],
            "cached_seconds": 0.0 if any(self.reference[1:]) else self._cached_seconds(),
            "setup_seconds": self.moments[0] - self.started,
            "peak_memory_bytes": peak_memory(),
            "losses": losses[:steps],
            "versions": versions(),
            "device": device(),
            **facts,
        }
        Path(self.job["result"]).write_text(json.dumps(result))

    def _cached_seconds(self) -> float:
        """How long the passes before the first step took. The end of the last cannot be seen from here; it is taken to
        be as fast as those before it."""
        if len(self._before) < 2:
            return self._first_training - self._before[0][0] if self._before else 0.0
        seconds = self._before[-1][0] - self._before[0][0]
        return seconds * sum(tokens for _, tokens in self._before) / sum(tokens for _, tokens in self._before[:-1])


def peak_memory() -> int:
    """Most bytes the process held: of the card where one is used, else resident."""
    if torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Of the packages that matter and that this process uses."""
    return {package: metadata.version(package) for package in PACKAGES if MODULES.get(package, package) in sys.modules}


def device() -> str:
    """The card, or the processor with the number of threads that PyTorch uses."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = "CPU"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {torch.get_num_threads()} threads"


def read_job() -> dict[str, Any]:
    """The job that the runner named on the command line."""
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return job
