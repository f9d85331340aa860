"""What a run reports while it trains: metrics without timings, timings beside them, the best step, the pace."""

from __future__ import annotations

import contextlib
import math
import resource
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import msgspec
import torch

from tailor.config import TrainConfig
from tailor.errors import RunError
from tailor.records import Datum
from tailor.run import Run
from tailor.train.checkpoint import ROW_LOSSES, State
from tailor.train.optim import Plan

MOST_LOOKS = 16  # more do not find a better step, and each costs time


@dataclass(frozen=True, slots=True)
class Tick:
    """What a progress bar shows after a step; times in seconds, memory in bytes."""

    step: int
    steps: int
    loss: float
    validation_loss: float | None
    tokens_per_second: float
    eta: float
    memory: int
    checkpoint_age: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training came to; `tokens` counts logical trained tokens over all epochs."""

    adapter: str
    steps: int
    epochs: float
    tokens: int
    seconds: float
    tokens_per_second: float
    peak_memory_bytes: int
    best_step: int
    judged_by: str  # what made it the best: loss, or a metric; empty where there were no validation rows


class Watch:
    """Keeps the log of a run and knows which step was the best."""

    def __init__(self, run: Run, plan: Plan, state: State, *, judged: bool, lower_is_better: bool = False) -> None:
        self.run = run
        self.config = run.config.train
        self.plan = plan
        self.state = state
        self.sign = 1 if lower_is_better else -1  # a metric's value by this is lower for the better of two steps
        self.judged = judged  # there are validation rows to judge steps by; else the last step is the best
        self.first_step = state.step
        self.started = self.last = self.saved = time.perf_counter()
        self.recent: deque[tuple[float, int]] = deque(maxlen=50)
        self.loss = float("nan")
        self.validation_loss: float | None = None
        self._keep_plan()

    def _keep_plan(self) -> None:
        """A run is finished by the plan that it was begun with, or its schedule would have a break nobody sees."""
        facts = msgspec.json.decode(msgspec.json.encode(self.plan.facts()))
        changed = [f"{key} {was} -> {facts.get(key)}" for key, was in self.state.plan.items() if was != facts.get(key)]
        if changed:
            raise RunError(
                f"this run was begun by another plan ({', '.join(changed)})",
                where=str(self.run.path),
                fix="finish it with the version of tailor that began it (environment.json names it), or train again",
            )
        self.state.plan = facts

    @property
    def done(self) -> bool:
        """Whether no step is left to be taken."""
        return self.state.finished or self.state.step >= self.plan.steps

    def stepped(
        self,
        loss: float,
        norm: float,
        rate: float,
        datums: Sequence[Datum],
        named: Mapping[str, float],
        rows: Mapping[int, tuple[float, int, float]],
    ) -> None:
        """Counts and records a finished step; `named` is what is logged beside the loss, `rows` what each one cost."""
        self.state.step += 1
        self.state.tokens += sum(datum.trained for datum in datums)
        if not self.judged:
            self.state.best_step = self.state.step
        self.loss = loss
        self.run.append("metrics.jsonl", {**self._position(), "loss": loss, **named, "grad_norm": norm, "lr": rate})
        if rows:
            self.run.append(ROW_LOSSES, _by_row(self.state.step, rows))
        now = time.perf_counter()
        tokens = sum(len(datum) for datum in datums)
        self.recent.append((now - self.last, tokens))
        self.run.append(
            "timings.jsonl",
            {"step": self.state.step, "seconds": now - self.last, "tokens": tokens, "memory": peak_memory()},
        )
        self.last = now

    def look_due(self, rows: int) -> bool:
        """Whether the validation rows are looked at after this step; at most MOST_LOOKS times a run."""
        every = looks_every(self.config, self.plan, rows)
        return self.judged and (self.state.step % every == 0 or self.state.step == self.plan.steps)

    def validated(self, loss: float, metrics: Mapping[str, float], beside: Mapping[str, float]) -> bool:
        """Records a look at the validation rows; True where none was better so far.

        Judged by the one metric in `metrics` where there is one, else by the loss; what stands `beside` the loss is
        only recorded.
        """
        self.validation_loss = loss
        named = {f"validation_{name}": value for name, value in {**beside, **metrics}.items()}
        self.run.append("metrics.jsonl", {**self._position(), "validation_loss": loss, **named})
        self.state.judged_by, value = next(
            ((name, self.sign * score) for name, score in metrics.items()), ("loss", loss)
        )
        better = self.state.best_value is None or value <= self.state.best_value  # of equals the one trained longer
        if better:
            self.state.best_value, self.state.best_step, self.state.without_better = value, self.state.step, 0
        else:
            self.state.without_better += 1
            self.state.finished = self.state.without_better >= self.config.patience
            if self.state.finished:
                self.run.event("early-stop", step=self.state.step, best_step=self.state.best_step)
        return better

    def checkpoint_due(self) -> bool:
        """Whether a checkpoint is due by the clock or because this step is the last."""
        return self.done or time.perf_counter() - self.saved > 60 * self.config.checkpoint_minutes

    def checkpointed(self) -> None:
        """Starts the clock of checkpoints anew."""
        self.saved = time.perf_counter()

    def tick(self) -> Tick:
        """The state of things for a progress bar."""
        now = time.perf_counter()
        done = self.state.step - self.first_step
        busy = sum(seconds for seconds, _ in self.recent)
        return Tick(
            step=self.state.step,
            steps=self.plan.steps,
            loss=self.loss,
            validation_loss=self.validation_loss,
            tokens_per_second=sum(tokens for _, tokens in self.recent) / busy if busy else 0.0,
            eta=(now - self.started) / max(1, done) * (self.plan.steps - self.state.step),
            memory=peak_memory(),
            checkpoint_age=now - self.saved,
        )

    def finish(self, adapter: str) -> Outcome:
        """Writes and returns the outcome."""
        timings = list(self.run.lines("timings.jsonl"))
        seconds = sum(line["seconds"] for line in timings)
        outcome = Outcome(
            adapter=adapter,
            steps=self.state.step,
            epochs=round(self._position()["epoch"], 3),
            tokens=self.state.tokens,
            seconds=round(seconds, 3),
            tokens_per_second=round(sum(line["tokens"] for line in timings) / seconds, 1) if seconds else 0.0,
            peak_memory_bytes=peak_memory(),
            best_step=self.state.best_step,
            judged_by=self.state.judged_by,
        )
        self.run.write("train.json", outcome)
        return outcome

    def _position(self) -> dict[str, Any]:
        epoch = self.state.step * self.plan.epochs / self.plan.steps
        return {"step": self.state.step, "epoch": round(epoch, 4), "tokens": self.state.tokens}


def _by_row(step: int, rows: Mapping[int, tuple[float, int, float]]) -> dict[str, Any]:
    """Mean -log p of a token and the lowest log p of each row, before the step was taken; in nats."""
    return {
        "step": step,
        "rows": list(rows),
        "loss": [round(nll / count, 4) for nll, count, _ in rows.values()],
        "least": [round(least, 4) for _, _, least in rows.values()],
    }


def looks_every(config: TrainConfig, plan: Plan, rows: int) -> int:
    """Steps between two looks at the validation rows."""
    by_epoch = round(rows / plan.batch_size / config.validations_per_epoch)
    return max(1, by_epoch, math.ceil(plan.steps / MOST_LOOKS))


def peak_memory() -> int:
    """Most bytes this process has held: on the GPU where there is one in use, else resident memory."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextlib.contextmanager
def stop_requested(run: Run) -> Iterator[Callable[[], bool]]:
    """Yields a function that is true once Ctrl-C, SIGTERM or the run's cancel mark asks to stop.

    The step in hand is finished first; a second signal stops at once. Signals reach the main thread only.
    """
    asked = False
    previous: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is threading.main_thread():
        previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked or run.cancelled
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
