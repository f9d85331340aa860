"""Memory and time of a run before it begins, and the settings by which it fits.

Each step's Trees are planted as training will plant them; what one costs was measured (`measure.py`). The token budget
and the number of checkpointed layers are chosen so that the largest fits into the memory that is free: all at once if
it can be, else whichever is fastest of smaller budgets and more checkpointed layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct

from tailor.config import TOKENS, RunConfig
from tailor.errors import ResourceError
from tailor.kernels import padded, why_not_share
from tailor.methods.base import open_method
from tailor.records import Datum
from tailor.render.pack import plant
from tailor.train import optim
from tailor.train.checkpoint import SAMPLE, pace
from tailor.train.measure import BATCH, Costs, Meter, features, measure
from tailor.train.source import Source
from tailor.train.watch import looks_every
from tailor.weights.memory import free_memory, held_memory
from tailor.weights.sketch import Sketch, sketch

SPARE = 0.9  # of the free memory: the rest is for what a forecast errs by
AMPLE = 0.5  # of it: where a forecast from small Trees stays below, nothing needs to be chosen
SMALLEST = 64  # token budget
WASTE = (0.7, 0.1)  # of what comes and goes: what allocators lose in holes, on CPU (`weights/allocation.py`) and GPU
CODE = 100_000_000  # bytes of machine code that oneDNN makes for the shapes of products, and keeps
STEPS = 48  # that are planted: the largest ones, and others evenly spread over the run
GENERATED = 256  # rows that are generated at once at most
SHARE = 0.25  # of the free memory that they may take

GB = 1e9


class Forecast(Struct, frozen=True, kw_only=True):
    """The document of `tailor plan --json`; bytes and seconds."""

    model: str
    adapter: str
    device: str
    dtype: str
    parameters: int
    trained: int
    fits: bool
    token_budget: int
    checkpoint_layers: int
    layers: int
    limit: int  # bytes that the run may hold
    peak: int
    memory: dict[str, int]  # what training holds, by parts
    moments: dict[str, int]  # most bytes that each kind of work holds; the peak is the largest
    steps: int
    trees: float  # micro-batches a step
    rows: float  # physical tokens a step
    step_seconds: float | None
    seconds: dict[str, float] | None
    price: float | None

    @property
    def settings(self) -> str:
        """What was chosen, in words."""
        again = f", {self.checkpoint_layers} of {self.layers} layers checkpointed" if self.checkpoint_layers else ""
        return f"micro-batches of up to {self.token_budget:,} tokens{again}"


@dataclass(frozen=True)
class Wanted:
    """What is generated beside training: rows at a look at the validation rows, rows in all other evaluations, and
    the longest answer in tokens."""

    look: int = 0
    after: int = 0
    max_tokens: int = 1


@dataclass
class Planner:
    """Forecasts for the rows of `source` under `config`. `memory` is what there is instead of what is free here;
    `folder` stands on the disk that checkpoints will be written to."""

    config: RunConfig
    source: Source
    folder: Path
    wanted: Wanted = Wanted()
    memory: int | None = None

    def __post_init__(self) -> None:
        config = self.config
        if config.run.threads is not None:
            torch.set_num_threads(config.run.threads)
        self.sketch: Sketch = sketch(config.model, config.adapter, device=config.run.device, seed=config.run.seed)
        loaded, place = self.sketch.loaded, self.sketch.place
        self.program = held_memory() if place.type == "cpu" else 0
        self.limit = self.memory or int(SPARE * (free_memory(place) + self.program))
        self.method = open_method(config.method)
        self.share = config.train.share_prefixes and not why_not_share(loaded.model, self.source.longest)
        self.steps = optim.plan(
            config.optim, rows=len(self.source.train), adapter=loaded.adapter, parameters=loaded.parameters,
            rate=self.method.rate, passes=self.method.passes,
        )  # fmt: skip
        self.layers, self.kind = len(self.sketch.layers), self.sketch.kind
        self.weights, self.trained = self.sketch.weight_bytes, self.sketch.trained
        self.dtype = str(loaded.dtype).removeprefix("torch.")
        self.adapter, self.parameters = loaded.adapter, loaded.parameters
        self.batches = self._batches()
        self._known: dict[int, list[np.ndarray]] = {}

    def forecast(self, *, timed: bool, price: float | None = None) -> Forecast:
        """The best settings and what they cost. Raises ResourceError where nothing fits, before anything is measured
        if weights, gradients and the optimiser's state alone do not."""
        least = self.program + self.weights + 8 * self.trained
        if least > self.limit:
            raise self._refused(least, "weights and gradients alone")
        budget = self.config.train.token_budget or TOKENS
        like = max((row for step in self._planted(budget) for row in step), key=lambda row: row[1])
        meter = Meter(self.sketch, reference=self.config.train.kernels == "reference")
        costs = measure(meter, like, self.steps, timed=timed)
        if self.sketch.place.type == "cpu":  # once more, with all that was imported meanwhile
            self.program = held_memory() - meter.account.live + CODE
        best = self._describe(costs, budget, self.config.train.checkpoint_layers or 0, price)
        if not timed and best.peak > AMPLE * self.limit:
            costs = measure(meter, like, self.steps, timed=True)
            best = self._describe(costs, budget, self.config.train.checkpoint_layers or 0, price)
        if best.fits:
            return best
        fitting = [one for one in self._others(costs, price) if one.fits]
        if not fitting:
            smallest = min(self._others(costs, price), key=lambda one: one.peak)
            raise self._refused(smallest.peak, f"even with {smallest.settings}", smallest)
        return min(fitting, key=lambda one: (one.step_seconds or 0.0, -one.token_budget))

    def _others(self, costs: Costs, price: float | None) -> list[Forecast]:
        """Smaller budgets, each with as few checkpointed layers as fit."""
        train = self.config.train
        budget, budgets = train.token_budget or TOKENS, []
        while budget >= SMALLEST:
            budgets.append(budget)
            budget //= 2
        found = []
        for budget in budgets if train.token_budget is None else budgets[:1]:
            counts = range(self.layers) if train.checkpoint_layers is None else (train.checkpoint_layers,)
            last = self._describe(costs, budget, counts[-1], price)
            if last.fits:  # the fewest that fit, by halving
                low, high = counts[0], counts[-1]
                while low < high:
                    middle = (low + high) // 2
                    fits = self._describe(costs, budget, middle, price).fits
                    low, high = (low, middle) if fits else (middle + 1, high)
                last = self._describe(costs, budget, low, price)
            found.append(last)
        return found

    # ------------------------------------------------------------------------------------------ what a step holds

    def _batches(self) -> list[list[Datum]]:
        """The steps that are planted: those spread evenly over the run, and after them those with the most tokens."""
        size, total = self.steps.batch_size, self.steps.steps
        tokens = [sum(map(len, self.source.batch(step, size))) for step in range(total)]
        spread = np.unique(np.linspace(0, total - 1, STEPS // 2).astype(int))
        self.spread = len(spread)
        largest = [step for step in np.argsort(tokens)[-STEPS // 2 :] if step not in spread]
        return [self.source.batch(int(step), size) for step in [*spread, *largest]]

    def _planted(self, budget: int) -> list[np.ndarray]:
        """The features of the Trees of each sampled step, [trees, 4]."""
        if budget not in self._known:
            self._known[budget] = [self._features(datums, budget) for datums in self.batches]
        return self._known[budget]

    def _features(self, datums: Sequence[Datum], budget: int) -> np.ndarray:
        trees = plant(datums, budget, share=self.share, whole=self.method.whole_groups)
        return np.stack([features(tree) for tree in trees]) if trees else np.zeros((1, 4))

    def _describe(self, costs: Costs, budget: int, again: int, price: float | None) -> Forecast:
        """What a run with these settings takes."""
        memory, moments = self._memory(costs, budget, again)
        steps = self._planted(budget)
        seconds = self._seconds(costs, budget, again) if costs.timed else None
        peak = max(moments.values())
        hours = sum(seconds.values()) / 3600 if seconds else 0.0
        return Forecast(
            model=self.config.model.name,
            adapter=self.adapter,
            device=str(self.sketch.place),
            dtype=self.dtype,
            parameters=self.parameters,
            trained=self.trained,
            fits=peak <= self.limit,
            token_budget=budget,
            checkpoint_layers=again,
            layers=self.layers,
            limit=self.limit,
            peak=peak,
            memory=memory,
            moments=moments,
            steps=self.steps.steps,
            trees=float(np.mean([len(step) for step in steps[: self.spread]])),
            rows=float(np.mean([step[:, 1].sum() for step in steps[: self.spread]])),
            step_seconds=seconds["training"] / self.steps.steps if seconds else None,
            seconds=seconds,
            price=round(price * hours, 2) if price is not None and seconds else None,
        )

    def _memory(self, costs: Costs, budget: int, again: int) -> tuple[dict[str, int], dict[str, int]]:
        """(parts of what training holds at most, what is held at most at each kind of work)."""
        counts, checkpointed = self._counts(self.layers), self._counts(again)
        lines = costs.layers
        inputs = sum((n * line.again for n, line in zip(checkpointed, lines)), np.zeros(4))
        plain = sum(((c - n) * line.kept for c, n, line in zip(counts, checkpointed, lines)), costs.rest.kept)
        fullest = max((line.kept for n, line in zip(checkpointed, lines) if n), key=np.sum, default=np.zeros(4))
        gradients = 4 * self.trained
        always = {
            "program": self.program,
            "frozen weights": self.weights,
            "trained weights": 4 * self.trained,
            "optimiser": costs.state * self.trained,
        }
        waste = WASTE[self.sketch.place.type == "cuda"]
        worst = (-1.0, 0.0, 0.0, 0.0, 0.0)
        for step in self._planted(budget):
            for tree in step:
                work = costs.work[0] + costs.work[1] * tree[1]
                kept = max(tree @ (inputs + plain), tree @ (inputs + fullest))  # at the end, and while one runs again
                held = gradients if len(step) > 1 else max(0.0, gradients - kept)  # grow as what is kept goes
                lost = waste * (kept + held + work)
                worst = max(worst, (kept + held + work, kept, held, work, lost))
        _, kept, held, work, lost = worst
        memory = {**always, "gradients": held, "activations": kept, "work": work, "lost between blocks": lost}
        below = sum(always.values()) + gradients
        validation = self.source.validation
        rows = max(min(budget, sum(len(d) for group in validation for d in group)), self.source.longest)
        moments = {"training": sum(memory.values())}
        copied = max(4.0, costs.state) * self.trained  # safetensors copies what it writes
        moments["checkpoints"] = below + (1 + waste) * copied
        if validation:
            moments["validation"] = below + (1 + waste) * (costs.looking[0] + costs.looking[1] * rows)
        if self.wanted.look + self.wanted.after:
            slots = self.source.longest + self.wanted.max_tokens
            cache = costs.slot * slots * min(GENERATED, max(self.wanted.look, self.wanted.after))
            moments["generation"] = below + 2 * min(cache, SHARE * max(0.0, self.limit - below))
        return {key: round(v) for key, v in memory.items()}, {key: round(v) for key, v in moments.items()}

    def _counts(self, first: int) -> list[int]:
        """How many of the first layers are of each kind."""
        return [self.kind[:first].count(number) for number in range(len(set(self.kind)))]

    def _seconds(self, costs: Costs, budget: int, again: int) -> dict[str, float]:
        """Seconds of the parts of a run."""
        counts, checkpointed = self._counts(self.layers), self._counts(again)
        forward = sum((n * line.forward for n, line in zip(counts, costs.layers)), costs.rest.forward)
        once = sum((n * line.seconds for n, line in zip(counts, costs.layers)), costs.rest.seconds)
        more = sum((n * line.forward for n, line in zip(checkpointed, costs.layers)), np.zeros(4))
        steps = [step.sum(0) for step in self._planted(budget)[: self.spread]]
        mean = np.mean(steps, axis=0)
        row = float(mean @ forward) / self.steps.batch_size
        training = self.steps.steps * (float(mean @ (once + more)) + costs.update)
        found = {"training": training + costs.making * self._row_counts(budget, padded if costs.padded else int)}
        looks = math.ceil(self.steps.steps / looks_every(self.config.train, self.steps, len(self.source.train)))
        written = (4 + costs.state) * self.trained
        if written > SAMPLE:  # a look that finds the model better keeps it, and as a rule it does
            found["checkpoints"] = looks * written * self._pace
        if self.source.validation:
            datums = sorted((datum for group in self.source.validation for datum in group), key=len)
            found["validation"] = looks * float(self._features(datums, budget).sum(0) @ forward)
        if self.method.streams:
            found["reference log-probs"] = row * (len(self.source.train) + len(self.source.validation))
        generated = looks * self.wanted.look + self.wanted.after
        if generated:
            answer = np.mean([datum.trained for group in self.source.train for datum in group])
            found["generation"] = generated * (row + costs.token / BATCH * float(answer))
        return found

    @cached_property
    def _pace(self) -> float:
        return pace(self.folder)

    def _row_counts(self, budget: int, size: Callable[[int], int]) -> int:
        """How many different numbers of rows the Trees of the run have, each padded to its `size`."""
        met = {size(int(tree[1])) for step in self._planted(budget)[: self.spread] for tree in step}
        if self.spread == self.steps.steps:
            return len(met)
        between = {size(rows) for rows in range(min(met), max(met) + 1)}
        trees = np.mean([len(step) for step in self._planted(budget)[: self.spread]])
        return min(len(between), round(float(trees) * self.steps.steps))

    def _refused(self, least: int, when: str, smallest: Forecast | None = None) -> ResourceError:
        """Why the run cannot be, and what to change."""
        fixes = []
        if self.adapter == "full":
            fixes.append("--adapter lora trains a small part of the weights")
        if self.config.model.quantise == "none":
            saved = (self.weights + 4 * self.trained * (self.adapter == "full")) * 0.7
            fixes.append(f"--adapter qlora holds the model in 4 bits ({-saved / GB:+,.1f} GB)")
        if smallest is not None:
            longest = f"data.max_length under {self.source.longest:,}, the longest row"
            fixes.append(f"a shorter {longest}, with --over-length drop, split or cut-prompt")
            if self.config.train.token_budget is not None or self.config.train.checkpoint_layers is not None:
                fixes.append("leave train.token_budget and train.checkpoint_layers to the planner")
            if self.adapter == "lora" and 16 * self.trained > 0.1 * least:
                fixes.append(f"adapter.r below {self.config.adapter.r}")
        fixes.append("a smaller --model, or a machine with more memory")
        return ResourceError(
            f"this run does not fit: it needs {least / GB:,.1f} GB ({when}), and it may hold {self.limit / GB:,.1f} GB",
            where=self.config.model.name,
            fix="; or ".join(fixes),
        )
