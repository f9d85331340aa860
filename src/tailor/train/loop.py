"""A training run from the run folder's rows to its adapter, in the order in which it happens.

One loop serves every method: methods differ in the Datums they make and in their loss (`tailor/methods/`). The run
folder must hold `config.json`, `data/train.jsonl` and `data/validation.jsonl`; it ends with `adapter/` (or `model/`)
and `train.json`. A run that was stopped goes on from its newest valid checkpoint when `train` is called again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from tailor import render
from tailor.errors import Cancelled, TrainingError
from tailor.kernels import check_model, why_not_share
from tailor.records import Progress, quiet
from tailor.run import Run
from tailor.train import checkpoint, optim
from tailor.train.source import Source, method_of
from tailor.train.step import Step, validation_loss
from tailor.train.watch import Outcome, Tick, Watch, stop_requested
from tailor.weights.adapter import attach
from tailor.weights.load import Loaded, load
from tailor.weights.save import restore, save

Look = Callable[[Loaded, render.Renderer], dict[str, float]]
"""Measures task metrics of the live model on the validation rows; handed in by the worker."""


def train(
    run: Run,
    *,
    loaded: Loaded | None = None,
    look: Look | None = None,
    say: Callable[[str], None] = lambda text: None,
    tick: Callable[[Tick], None] = lambda tick: None,
    progress: Progress = quiet,
) -> Outcome:
    """Trains what `run` describes and saves the best weights; `loaded` is a fresh copy of the model to be used.

    Raises Cancelled when it is interrupted, with a checkpoint written; TrainingError when the loss is not a number.
    """
    config = run.config
    method, settings = method_of(run)

    loaded = loaded or load(config.model, device=config.run.device, threads=config.run.threads, seed=config.run.seed)
    renderer = render.load(loaded.folder, thinking=config.model.thinking)
    source = Source.open(run, renderer, progress=progress)
    adapter = attach(loaded, config.adapter, seed=config.run.seed)
    check_model(loaded.model)
    alone = why_not_share(loaded.model, source.longest)
    for note in [*loaded.notes, *([f"prefixes are not shared: {alone}"] if alone else [])]:
        say(note)

    plan = optim.plan(config.optim, rows=len(source.train), adapter=adapter, parameters=loaded.parameters)
    parameters = loaded.trainable()
    optimizer = optim.adamw(parameters, plan)
    looks = plan.look_steps(config.train.validations_per_epoch, len(source.train)) if source.validation else ()
    share = config.train.share_prefixes and not alone
    step = Step(loaded, method, settings, parameters, config.train.token_budget, share, plan.max_grad_norm)

    torch.manual_seed(config.run.seed)
    state = checkpoint.resume(run, parameters, optimizer)
    watch = Watch(run, plan, state)
    run.event("training", step=state.step, adapter=adapter, notes=loaded.notes, not_sharing=alone, **plan.facts())

    with stop_requested(run) as stopping:
        while state.step < plan.steps and not state.finished:
            datums = source.batch(state.step, plan.batch_size)
            learning_rate = optim.set_rate(optimizer, plan, state.step)

            loss, norm = step.gradients(datums)
            if not math.isfinite(loss) or not math.isfinite(norm):
                run.event("not-a-number", step=state.step + 1, loss=str(loss), grad_norm=str(norm))
                raise TrainingError(
                    f"the loss stopped being a number at step {state.step + 1} (loss {loss}, gradient norm {norm})",
                    where=str(run.path),
                    fix=f"lower optim.learning_rate (it is {learning_rate:.2g}) or use model.dtype = 'fp32'; the best "
                    f"checkpoint before this is kept in {run.path / 'checkpoints'}",
                )
            optimizer.step()

            state.step += 1
            state.tokens += sum(datum.trained for datum in datums)
            watch.step(loss, norm, learning_rate, datums)

            if state.step in looks:
                value = validation_loss(step, source.validation, progress)
                metrics = look(loaded, renderer) if look is not None else {}
                if watch.validated(value, metrics, config.train):
                    checkpoint.save(run, state, parameters, optimizer, config.train.keep_last)
            tick(watch.tick())
            stop = stopping()
            if not source.validation:
                state.best_step = state.step  # nothing to judge steps by: the last is kept
            last = state.finished or state.step == plan.steps
            if watch.checkpoint_due(config.train.checkpoint_minutes) or stop or last:
                checkpoint.save(run, state, parameters, optimizer, config.train.keep_last)
            if stop and state.step < plan.steps:
                run.event("stopped", step=state.step)
                raise Cancelled(
                    f"stopped at step {state.step} of {plan.steps}; a checkpoint is written",
                    where=str(run.path),
                    fix=f"go on with: tailor train --resume {run.path}",
                )

    checkpoint.load_best(run, state, parameters)
    save(loaded, run.path / ("model" if adapter == "full" else "adapter"))
    return watch.finish(adapter)


def tuned(run: Run, loaded: Loaded) -> Loaded:
    """Puts the saved result of `run` into a fresh copy of its base model."""
    config = run.config
    attach(loaded, config.adapter, seed=config.run.seed)
    restore(loaded, run.path / ("model" if run.has("model") else "adapter"))
    return loaded
