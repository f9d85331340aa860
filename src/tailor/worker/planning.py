"""What a run will take, told before any work: for `tailor plan`, and to settle what `fit` and `train` leave open."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tailor import plugins, render
from tailor.config import RunConfig
from tailor.disk import standing
from tailor.evaluate.scale import scale
from tailor.records import Example
from tailor.run import Run
from tailor.train.plan import Forecast, Planner, Wanted
from tailor.train.source import Source
from tailor.weights.load import choose_device
from tailor.weights.locate import locate
from tailor.worker.arms import judged_by
from tailor.worker.onward import continued
from tailor.worker.rows import Choices, Verb, prepare
from tailor.worker.screen import Screen, Silent

PLAN = "plan.json"


def plan(
    config: RunConfig, screen: Screen | None = None, *, memory: int | None = None, price: float | None = None
) -> Forecast:
    """What training on these rows takes, on this machine or on one that has `memory` bytes for it; `price` is an
    hour's. No run is left behind.

    Raises ResourceError where no settings make it fit, and what `train` would raise for rows and settings.
    """
    screen = screen or Silent()
    config = continued("train", config)
    choose_device(config.run.device)
    plugins.load("train.optimisers", config.optim.optimizer)
    with tempfile.TemporaryDirectory(prefix="plan-") as folder:
        out = config.run.model_copy(update={"out": str(Path(folder) / "run")})
        run = Run.create(config.model_copy(update={"run": out}))
        renderer = _renderer(run)
        choices = prepare(run, "train", renderer, screen)
        planner = _planner(run, "train", renderer, choices, screen, standing(Path(config.run.out or ".")), memory)
        screen.say("measuring what a step costs")
        return planner.forecast(timed=True, price=price)


def settle(run: Run, verb: Verb, renderer: render.Renderer, choices: Choices, screen: Screen) -> None:
    """Chooses token budget and checkpointed layers of `run` and of its folds, and writes them into their settings.

    Does nothing where that is done, or where both were given: they are then the user's own decision. Raises
    ResourceError where the run cannot fit.
    """
    given = None not in (run.config.train.token_budget, run.config.train.checkpoint_layers)
    if given or run.has(PLAN) or run.has("train.json") or run.has("checkpoints"):
        return
    run.state("planning")
    forecast = _planner(run, verb, renderer, choices, screen, run.path).forecast(timed=False)
    if (forecast.token_budget, forecast.checkpoint_layers) != (run.config.train.budget, 0):
        held = f"{forecast.peak / 1e9:.1f} of {forecast.limit / 1e9:.1f} GB"
        screen.say(f"plan: {held}, {forecast.settings}")
    chosen = {"token_budget": forecast.token_budget, "checkpoint_layers": forecast.checkpoint_layers}
    folds = [Run(path.parent) for path in sorted((run.path / "folds").glob("*/config.json"))]
    for part in (*folds, run):
        config = part.config
        part.configure(config.model_copy(update={"train": config.train.model_copy(update=chosen)}))
    run.write(PLAN, forecast)


def _planner(
    run: Run,
    verb: Verb,
    renderer: render.Renderer,
    choices: Choices,
    screen: Screen,
    folder: Path,
    memory: int | None = None,
) -> Planner:
    """What is generated: answers at each look where the run is judged by them, and those of every arm in the end."""
    source = Source.open(run, renderer, screen.progress)
    judge = judged_by(run.config, choices)
    look = len(source.validation) if judge != "loss" and scale(judge).asks == "write" else 0
    read = not choices.metric or scale(choices.metric).asks == "read"
    arms = len(run.config.eval.arms) if verb == "fit" and not read else 0
    after = arms * len(list(run.lines("data/test.jsonl", Example)))
    return Planner(run.config, source, folder, Wanted(look, after, choices.max_tokens), memory)


def _renderer(run: Run) -> render.Renderer:
    config = run.config
    return render.load(locate(config.model.name, config.model.revision), thinking=config.model.thinking)
