"""A training run from the run folder's rows to its adapter, in the order in which it happens.

One loop serves every method: methods differ in the Datums they make and in their loss (`tailor/methods/`). The run
folder must hold `config.json`, `data/train.jsonl` and `data/validation.jsonl`; it ends with `adapter/` (or `model/`)
and `train.json`. A run that was stopped goes on from its newest valid checkpoint when `train` is called again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from tailor import render
from tailor.errors import Cancelled, TrainingError
from tailor.kernels import check_model, why_not_compiled, why_not_fast, why_not_share
from tailor.methods.base import Method
from tailor.records import Datum, Progress, quiet
from tailor.run import Run
from tailor.train import checkpoint, optim
from tailor.train.average import Average
from tailor.train.logprobs import Layout, streams
from tailor.train.source import Source, cache, method_of
from tailor.train.step import Step
from tailor.train.watch import Outcome, Tick, Watch, stop_requested
from tailor.weights.adapter import attach
from tailor.weights.load import Loaded, load
from tailor.weights.memory import out_of_memory
from tailor.weights.save import restore, save

T = TypeVar("T")
Look = Callable[[Loaded, render.Renderer], dict[str, float]]
"""Measures one task metric of the live model on the validation rows; the worker hands it in, and `lower_is_better`."""


def train(
    run: Run,
    *,
    loaded: Loaded | None = None,
    look: Look | None = None,
    lower_is_better: bool = False,
    say: Callable[[str], None] = lambda text: None,
    tick: Callable[[Tick], None] = lambda tick: None,
    progress: Progress = quiet,
) -> Outcome:
    """Trains what `run` describes and saves the best weights; `loaded` is a fresh copy of the model to be used.

    Raises Cancelled when it is interrupted, with a checkpoint written; TrainingError when the loss is not a number.
    """
    config = run.config
    loaded = loaded or load(config.model, device=config.run.device, threads=config.run.threads, seed=config.run.seed)
    renderer = render.load(loaded.folder, thinking=config.model.thinking)
    source = Source.open(run, renderer, progress=progress)
    adapter = _attach(run, loaded)
    parameters = loaded.trainable()
    share = _share(run, loaded, source, say)
    method = method_of(run)
    source = _streamed(run, source, loaded, method, share, progress)
    plan = _plan(run, source, loaded, method)
    optimizer = optim.make(loaded, plan)
    average = Average(optimizer, plan.average)

    torch.manual_seed(config.run.seed)
    state = checkpoint.resume(run, parameters, optimizer, say)
    step = Step(run, loaded, parameters, state.token_budget, share=share, max_grad_norm=plan.max_grad_norm)
    watch = Watch(run, plan, state, judged=bool(source.validation), lower_is_better=lower_is_better)
    judges = [datum for group in source.validation for datum in group]
    judge = partial(_judged, step, partial(look, loaded, renderer) if look is not None else dict, progress)
    keep = partial(checkpoint.save, run, state, parameters, optimizer, config.train.keep_last)
    run.event("training", step=state.step, adapter=adapter, notes=loaded.notes, **plan.facts())

    with stop_requested(run) as stopping:
        while not watch.done:
            datums = source.batch(state.step, plan.batch_size)
            rate = optim.set_rate(optimizer, plan, state.step)
            losses, norm = _fitting(run, step, state, say, step.gradients, datums, keep)
            _require_numbers(run, state.step + 1, losses.loss, norm, rate)
            optimizer.step()
            watch.stepped(losses.loss, norm, rate, datums, losses.named, losses.rows)
            average.update(state.step)
            better = False
            if watch.look_due(len(source.train)):
                with average.in_place():
                    better = watch.validated(*_fitting(run, step, state, say, judge, judges))
            tick(watch.tick())
            stop = stopping()
            if better or stop or watch.checkpoint_due():
                keep()
                watch.checkpointed()
            if stop and not watch.done:
                raise _stopped(run, state.step, plan.steps)

    checkpoint.load_best(run, state, parameters, averaged=plan.average > 0)
    save(loaded, run.path / ("model" if adapter == "full" else "adapter"), renderer.template.source)
    return watch.finish(adapter)


def tuned(run: Run, loaded: Loaded) -> Loaded:
    """Puts the saved result of `run` into a fresh copy of its base model."""
    attach(loaded, run.config.adapter, seed=run.config.run.seed)
    restore(loaded, trained(run))
    return loaded


def trained(run: Run) -> Path:
    """The folder with what was trained: an adapter, or a whole model."""
    return run.path / ("model" if run.has("model") else "adapter")


def _attach(run: Run, loaded: Loaded) -> str:
    """Makes `loaded` trainable: afresh, or where the run that this one continues from has ended."""
    adapter = attach(loaded, run.config.adapter, seed=run.config.run.seed)
    if run.config.run.continue_from is not None:
        restore(loaded, trained(Run(run.config.run.continue_from)))
    return adapter


def _plan(run: Run, source: Source, loaded: Loaded, method: Method) -> optim.Plan:
    """The plan of the steps, with the method's own wishes where the user has none."""
    return optim.plan(
        run.config.optim,
        rows=len(source.train),
        adapter=loaded.adapter,
        parameters=loaded.parameters,
        rate=method.rate,
        passes=method.passes,
    )


def _streamed(run: Run, source: Source, loaded: Loaded, method: Method, share: bool, progress: Progress) -> Source:
    """The rows with what the method wants to know of every token; asked before the first update."""
    if not method.streams:
        return source
    layout = Layout(run.config.train.budget, share, run.config.train.kernels == "reference")
    return source.streamed(
        lambda datums: streams(method.streams, loaded, datums, layout, cache=cache("streams"), progress=progress)
    )


def _judged(
    step: Step, look: Callable[[], dict[str, float]], progress: Progress, datums: Sequence[Datum]
) -> tuple[float, dict[str, float], dict[str, float]]:
    """(loss over the validation rows, the task metric, what else the method measures there)."""
    losses = step.validate(datums, progress)
    return losses.loss, look(), losses.named


def _fitting(
    run: Run,
    step: Step,
    state: checkpoint.State,
    say: Callable[[str], None],
    work: Callable[[Sequence[Datum]], T],
    datums: Sequence[Datum],
    keep: Callable[[], object] = lambda: None,
) -> T:
    """What `work` on `datums` gives. Where memory runs out, it is done again with half the token budget, which the
    gradient does not depend on; `keep` writes that down, so that a resumed run does the same."""
    while True:
        try:
            return work(datums)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        step.halve(datums)  # the error is forgotten here, and with it the tensors that its frames held
        state.token_budget = step.token_budget
        run.event("out-of-memory", step=state.step, token_budget=step.token_budget)
        say(f"memory ran out at step {state.step:,}: on with micro-batches of up to {step.token_budget:,} tokens")
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()
        keep()


def _stopped(run: Run, step: int, steps: int) -> Cancelled:
    run.event("stopped", step=step)
    return Cancelled(
        f"stopped at step {step} of {steps}; a checkpoint is written",
        where=str(run.path),
        fix=f"go on with: tailor train --resume {run.path}",
    )


def _share(run: Run, loaded: Loaded, source: Source, say: Callable[[str], None]) -> bool:
    """Whether prefixes are shared; says aloud what was decided, and why where the model cannot."""
    check_model(loaded.model)
    alone = why_not_share(loaded.model, source.longest)
    slow = why_not_fast(loaded.model) if run.config.train.kernels == "fast" else "as asked"
    plain = why_not_compiled() if loaded.device.type == "cpu" else ""
    reasons = {
        "prefixes are not shared": alone,
        "the model's own modules run": slow,
        "passes are PyTorch's own, up to four times as slow as compiled ones": plain,
    }
    for note in [*loaded.notes, *(f"{what}: {why}" for what, why in reasons.items() if why)]:
        say(note)
    return run.config.train.share_prefixes and not alone


def _require_numbers(run: Run, step: int, loss: float, norm: float, rate: float) -> None:
    if math.isfinite(loss) and math.isfinite(norm):
        return
    run.event("not-a-number", step=step, loss=str(loss), grad_norm=str(norm))
    raise TrainingError(
        f"the loss stopped being a number at step {step} (loss {loss}, gradient norm {norm})",
        where=str(run.path),
        fix=f"lower optim.learning_rate (it is {rate:.2g}) or set model.dtype = 'fp32'; the best checkpoint before is "
        f"kept in {run.path / 'checkpoints'}",
    )
