"""Kills a training run at random instants, resumes it, and compares what it leaves with a run that nobody disturbed.

    python bench/kills.py                    200 SIGKILLs, a quarter of them inside a checkpoint write; some minutes
    python bench/kills.py --kills 20 --json

Each life of a run is a process of its own, forked from one that has torch imported already, and is killed by SIGKILL
from outside. A life notes in shared memory what it is doing, so that the phase it died in is known. Lives die after a
random time, or at a random instant of a random checkpoint write: as many as it takes for a quarter of all kills to fall
there. A run is killed up to CHAIN times, then left to end; it must have the same adapter and the same metrics.jsonl,
byte for byte. The model is tiny and drops activations at random, so that the random state counts too.
Exit code 1 where one run differs.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # a fork inherits no threads; and one is faster for a model as small as this

import argparse
import hashlib
import importlib
import json
import mmap
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from tailor import disk, worker
from tailor.config import RunConfig, resolve
from tailor.train import checkpoint, loop, step, watch
from tailor.weights.load import hushed
from tailor.weights.locate import EMBEDDED
from tailor.worker import story

RESULTS = Path(__file__).with_name("results-kills.json")
COMPARED = ("adapter/adapter_model.safetensors", "metrics.jsonl", "row_losses.jsonl", "data/train.jsonl")
PHASES = (
    "reading and rendering",
    "loading the model",
    "loading a checkpoint",
    "forward and backward",
    "update and log",
    "validation",
    "checkpoint: tensors",
    "checkpoint: hashes",
    "checkpoint: sync and rename",
    "checkpoint: removing old ones",
    "saving the adapter",
    "the end: outcome and report",
)
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


@dataclass
class Board:
    """What a life shows to the process that kills it: the phase it is in, and how many checkpoints it has begun."""

    memory: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 2))

    @property
    def phase(self) -> str:
        return PHASES[self.memory[0]]

    @phase.setter
    def phase(self, name: str) -> None:
        self.memory[0] = PHASES.index(name)

    @property
    def checkpoints(self) -> int:
        return self.memory[1]

    @property
    def writing(self) -> bool:
        return self.phase.startswith("checkpoint:")

    def clear(self) -> None:
        self.memory[:] = bytes(2)


def instrument(board: Board) -> None:
    """Makes this process write to `board` where it is. Only in a life, which is forked for one run."""

    def during(owner: Any, name: str, phase: str, then: str | None = None, inside: str = "") -> None:
        """`owner.name` runs in `phase` where the one before begins with `inside`; then comes `then` or that one."""
        real: Callable[..., Any] = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            before = board.phase
            if not before.startswith(inside):
                return real(*arguments, **named)
            board.phase = phase
            try:
                return real(*arguments, **named)
            finally:
                board.phase = then or before

        setattr(owner, name, call)

    def counted(*arguments: Any, **named: Any) -> Any:
        board.memory[1] = min(255, board.memory[1] + 1)
        return save(*arguments, **named)

    save = checkpoint.save
    checkpoint.save = counted
    during(checkpoint, "save", "checkpoint: tensors", "update and log")
    during(checkpoint, "_manifest", "checkpoint: hashes", inside="checkpoint:")
    during(disk, "sync", "checkpoint: sync and rename", "checkpoint: sync and rename", inside="checkpoint:")
    during(checkpoint, "_prune", "checkpoint: removing old ones", inside="checkpoint:")
    during(checkpoint, "resume", "loading a checkpoint", "update and log")
    during(story.Bench, "train", "loading the model", "the end: outcome and report")
    during(step.Step, "gradients", "forward and backward", "update and log")
    during(watch.Watch, "look_due", "update and log", "validation")
    during(watch.Watch, "tick", "update and log", "update and log")
    during(loop, "save", "saving the adapter", "the end: outcome and report")


class Life:
    """A forked process that does `work` and ends. What it says goes to the file `log`."""

    def __init__(self, work: Callable[[], object], board: Board, log: Path) -> None:
        board.clear()
        self.log = log
        self.status: int | None = None
        self.process = os.fork()
        if self.process:
            return
        code = 1
        try:
            with open(log, "a") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            instrument(board)
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)

    @property
    def ended(self) -> bool:
        """Whether it has come to its end, of itself or not."""
        if self.status is None:
            found, status = os.waitpid(self.process, os.WNOHANG)
            self.status = status if found else None
        return self.status is not None

    def wait(self) -> None:
        """Waits until it ends of itself; a failure ends all."""
        if self.status is None:
            self.status = os.waitpid(self.process, 0)[1]
        if self.status:
            raise SystemExit(f"a process failed:\n{self.log.read_text()}")

    def kill(self) -> bool:
        """SIGKILL; whether it died of that."""
        if not self.ended:
            os.kill(self.process, signal.SIGKILL)
            self.status = os.waitpid(self.process, 0)[1]
        return os.WIFSIGNALED(int(self.status or 0))


def make_model(folder: Path) -> None:
    """A random Qwen3 of 150,000 weights with thimble's tokenizer."""
    torch.manual_seed(0)
    Qwen3ForCausalLM(Qwen3Config(**SHAPE)).save_pretrained(folder)
    for path in (EMBEDDED / "thimble").iterdir():
        if path.name.startswith(("tokenizer", "chat_template", "special")):
            shutil.copy(path, folder / path.name)


def settings(folder: Path, name: str) -> RunConfig:
    """A short run that writes a checkpoint after every step."""
    return resolve(
        None,
        {
            "data.train": [str(folder / "rows.csv")],
            "model.name": str(folder / "model"),
            "model.dtype": "fp32",
            "adapter.type": "lora",
            "adapter.r": 4,
            "adapter.lora_dropout": 0.1,
            "optim.epochs": 2,
            "optim.batch_size": 4,
            "optim.learning_rate": 1e-3,
            "train.early_stop": "loss",
            "train.checkpoint_minutes": 1e-6,
            "train.patience": 100,
            "run.out": str(folder / name),
            "run.device": "cpu",
            "run.threads": 1,
        },
    )


def begin_or_resume(config: RunConfig) -> None:
    """What a person does after a crash: go on with the run if there is one, else begin again."""
    path = Path(str(config.run.out))
    if (path / "config.json").exists():
        worker.resume(path, verb="train")
    else:
        worker.start("train", config)


def fingerprint(run: Path) -> dict[str, str]:
    return {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in COMPARED}


@dataclass
class Matrix:
    """The kills and what came of them."""

    folder: Path
    wanted: int
    chain: int
    dice: random.Random
    board: Board = field(default_factory=Board)
    seconds: float = 0.0  # of an undisturbed life
    checkpoints: int = 0  # that it writes
    write: float = 0.0  # seconds that each of them takes
    expected: dict[str, str] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def inside(self) -> int:
        return sum(count for phase, count in self.kills.items() if phase.startswith("checkpoint:"))

    def go(self) -> None:
        """The undisturbed run, then kills until there are as many as wanted."""
        log = self.folder / "log"
        with hushed():
            importlib.import_module("peft")  # so that no life spends its time on it
        Life(lambda: make_model(self.folder / "model"), self.board, log).wait()
        lines = [f"item {n} of lot {n % 7} {'again ' * (n % 5)},code {n % 3}" for n in range(24)]
        (self.folder / "rows.csv").write_text("text,category\n" + "\n".join(lines) + "\n")
        for _ in range(2):  # the second one finds the tokens in the cache, as all that follow do
            shutil.rmtree(self.folder / "whole", ignore_errors=True)
            life = Life(lambda: begin_or_resume(settings(self.folder, "whole")), self.board, log)
            looks, writing, began = 0, 0, time.perf_counter()
            while not life.ended:
                looks += 1
                writing += self.board.writing
                time.sleep(0.0005)
            life.wait()
            self.seconds = time.perf_counter() - began
        self.checkpoints = self.board.checkpoints
        self.write = self.seconds * writing / looks / self.checkpoints
        self.expected = fingerprint(self.folder / "whole")
        while sum(self.kills.values()) < self.wanted:
            self._run(log)

    def _run(self, log: Path) -> None:
        """One run: killed some times, then left to end and compared."""
        config = settings(self.folder, f"run-{self.runs}")
        self.runs += 1
        left = min(self.dice.randint(1, self.chain), self.wanted - sum(self.kills.values()))
        died: list[str] = []
        written = 0
        while True:
            life = Life(lambda: begin_or_resume(config), self.board, log)
            phase = self._kill(life, self.checkpoints - written) if len(died) < left else None
            if phase is None:
                life.wait()
                break
            written += self.board.checkpoints
            died.append(phase)
            self.kills[phase] += 1
        path = Path(str(config.run.out))
        found = fingerprint(path)
        differing = [name for name in COMPARED if found[name] != self.expected[name]]
        if differing:
            self.faults.append(f"{path.name}: {', '.join(differing)} differ after kills in {', '.join(died)}")
        else:
            self.same.update(died)
            shutil.rmtree(path)

    def _kill(self, life: Life, checkpoints: int) -> str | None:
        """Kills a life, which will write up to so many checkpoints, at a random instant; returns the phase it died in,
        None where it did not come to that."""
        lacking = self.wanted / 4 - self.inside
        # half of those that are aimed at one miss it
        if self.dice.random() < 2 * lacking / (self.wanted - sum(self.kills.values())):
            at = self.dice.randint(1, max(1, checkpoints))
            while not (self.board.checkpoints == at and self.board.writing):
                if self.board.checkpoints > at or life.ended:
                    return None
                time.sleep(0.0002)
            time.sleep(self.dice.uniform(0, self.write))
        else:
            time.sleep(self.dice.uniform(0, self.seconds))
        return self.board.phase if life.kill() else None

    def document(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "date": time.strftime("%Y-%m-%d"),
            "kills": sum(self.kills.values()),
            "identical": sum(self.same.values()),
            "inside_a_checkpoint_write": self.inside,
            "runs": self.runs,
            "phases": {phase: [self.kills[phase], self.same[phase]] for phase in PHASES if self.kills[phase]},
            "faults": self.faults,
            "versions": {name: metadata.version(name) for name in ("tailor", "torch", "transformers", "peft")},
        }


def show(document: dict[str, Any]) -> None:
    """The table for people."""
    print(f"{'killed while':34}{'kills':>6}{'identical after resuming':>26}")
    for phase, (kills, same) in document["phases"].items():
        print(f"{phase:34}{kills:6}{same:26}")
    print(f"{'all':34}{document['kills']:6}{document['identical']:26}")
    print(f"{document['runs']} runs; {document['inside_a_checkpoint_write']} kills inside a checkpoint write")
    for fault in document["faults"]:
        print(fault)


def main() -> int:
    parser = argparse.ArgumentParser(description="kills a training run at random instants and compares what it leaves")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--chain", type=int, default=4, help="most kills of one run")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the dice; where a kill falls depends on the machine, too"
    )
    parser.add_argument("--keep", action="store_true", help="add the result to results-kills.json")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        os.environ["TAILOR_CACHE"] = str(Path(folder) / "cache")
        matrix = Matrix(Path(folder), arguments.kills, arguments.chain, random.Random(arguments.seed))
        began = time.perf_counter()
        matrix.go()
    document = {**matrix.document(), "seconds": round(time.perf_counter() - began)}
    if arguments.keep:
        before = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
        RESULTS.write_text(json.dumps([*before, document], indent=2) + "\n")
    if arguments.json:
        print(json.dumps(document))
    else:
        show(document)
    return 0 if not document["faults"] and document["identical"] == document["kills"] else 1


if __name__ == "__main__":
    sys.exit(main())
