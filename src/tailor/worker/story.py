"""A run from its start to its end.

Each phase leaves its result in the run folder and is passed over where that is there already, so a run that was
stopped anywhere, also inside an evaluation, goes on where it was.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tailor import plugins, render, report
from tailor.advise import verdict as advice
from tailor.config import RunConfig, resolve
from tailor.environment import describe
from tailor.errors import Cancelled
from tailor.evaluate import compare
from tailor.formats import inputs
from tailor.records import ArmResult, Difference, Scored, Verdict
from tailor.run import Run
from tailor.weights.load import choose_device
from tailor.weights.locate import locate
from tailor.worker.arms import Bench, gather, result_file, scores_file
from tailor.worker.onward import continued, require_same_base
from tailor.worker.planning import settle
from tailor.worker.rows import Choices, Verb, prepare
from tailor.worker.screen import Screen, Silent


def fit(
    data: str | Sequence[str], *, test: str | Sequence[str] = (), recipe: str | None = None, **settings: Any
) -> Run:
    """Takes rows to a verdict and returns the finished run: `tailor.fit("data.jsonl").verdict`.

    `settings` are RunConfig's sections as dicts (`optim={"epochs": 3}`) or single values by their dotted name with `__`
    for the dot (`optim__epochs=3`). Raises TailorError's children for anything that cannot be used.
    """
    return start("fit", _configured(data, test, recipe, settings))


def train(data: str | Sequence[str], *, recipe: str | None = None, **settings: Any) -> Run:
    """Only trains; arguments as for `fit`."""
    return start("train", _configured(data, (), recipe, settings))


def start(verb: Verb, config: RunConfig, screen: Screen | None = None) -> Run:
    """Makes a new run folder for `config` and takes it to its end."""
    config = continued(verb, config)
    choose_device(config.run.device)
    plugins.load("train.optimisers", config.optim.optimizer)
    files = _files(config)
    environment = _environment(verb, config)
    run = Run.create(config, _name(files[0]))
    with run.locked():
        run.write("environment.json", environment)
        _go_on(run, screen or Silent())
    return run


def resume(path: str | Path, screen: Screen | None = None, verb: Verb = "fit") -> Run:
    """Goes on with a run that was stopped, with the same data and settings.

    `verb` is what it was begun by, should it have been killed before that was written.
    """
    run = Run.open(path)
    with run.locked():
        run.clear_cancel()
        if not run.has("environment.json"):
            run.write("environment.json", _environment(verb, run.config))
        _go_on(run, screen or Silent())
    return run


def _environment(verb: Verb, config: RunConfig) -> dict[str, Any]:
    """What the run stands on. Raises ModelError where it continues from one that stood on another model."""
    environment = describe(verb, _files(config), locate(config.model.name, config.model.revision))
    require_same_base(config, environment["model"])
    return environment


def _files(config: RunConfig) -> list[Path]:
    data = config.data
    return [file.path for file in inputs([*data.train, *data.validation, *data.test])]


def _go_on(run: Run, screen: Screen) -> None:
    verb: Verb = run.read("environment.json")["verb"]
    screen.say(f"run: {run.path}")
    try:
        with _terminable():
            _finish(run, verb, screen)
    except KeyboardInterrupt:
        raise Cancelled(
            "stopped; what was done is kept", where=str(run.path), fix=f"go on with: tailor {verb} --resume {run.path}"
        ) from None


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM stops as Ctrl-C does; training has its own way to take both. Signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _name(file: Path) -> str:
    """What a run is called: the data file, or its folder where the file only says which part it is."""
    stem = file.name.split(".")[0]
    return file.absolute().parent.name if stem in ("train", "data") else stem


def _finish(run: Run, verb: Verb, screen: Screen) -> None:
    """All that is still to be done of a run."""
    model = run.config.model
    renderer = render.load(locate(model.name, model.revision), thinking=model.thinking)
    choices = prepare(run, verb, renderer, screen)
    config = run.config  # with the method and the arms that suit the rows
    tuning = verb == "train" or "tuned" in config.eval.arms
    if tuning:
        settle(run, verb, renderer, choices, screen)

    folds = [Run(path) for path in sorted((run.path / "folds").glob("*")) if (path / "config.json").exists()]
    if verb == "fit":
        for number, part in enumerate(folds or [run], 1):
            if folds:
                screen.say(f"fold {number} of {len(folds)}")
            bench = Bench(part, choices, renderer, screen)
            for arm in (arm for arm in config.eval.arms if arm != "tuned"):
                bench.baseline(arm, "validation")  # to choose among them
                bench.baseline(arm, "test")
            if tuning:
                bench.train()
                bench.tuned()
        gather(run, folds, choices.metric)
    if tuning:
        Bench(run, choices, renderer, screen).train()  # after folds: on all rows, as what is kept; else already done

    _conclude(run, verb, choices)


def _conclude(run: Run, verb: Verb, choices: Choices) -> None:
    """The verdict, the summary that `--json` prints, and the page."""
    test, difference, verdict = _results(run, "test"), None, None
    if verb == "fit":
        difference = compare_arms(run, test, _results(run, "validation"), choices.metric)
        verdict = advice.decide(test, difference, minimum_gain=run.config.eval.minimum_gain)
        run.write("verdict.json", verdict)
    run.write("summary.json", _summary(run, test, difference, verdict, choices))
    run.state("done")
    report.write(run)


def compare_arms(
    run: Run, test: Sequence[ArmResult], validation: Sequence[ArmResult], metric: str
) -> Difference | None:
    """The paired difference on the test rows that decides: tuned against the best baseline, chosen on validation rows.

    Without a tuned arm, few-shot against zero-shot; None where fewer than two arms were measured.
    """
    names = [arm.name for arm in test]
    baseline = advice.best_baseline(validation or test)
    pair = (advice.TUNED, baseline) if advice.TUNED in names else ("few-shot", "zero-shot")
    if not set(pair) <= set(names):
        return None
    scores = [list(run.lines(scores_file(str(arm), "test"), Scored)) for arm in pair]
    return compare.difference(scores[0], scores[1], metric, arm=str(pair[0]), against=str(pair[1]))


def _results(run: Run, rows: str) -> list[ArmResult]:
    names = [arm for arm in run.config.eval.arms if run.has(result_file(arm, rows))]
    return [run.read_as(result_file(arm, rows), ArmResult) for arm in names]


def _summary(
    run: Run, arms: Sequence[ArmResult], difference: Difference | None, verdict: Verdict | None, choices: Choices
) -> Mapping[str, Any]:
    """The document of `--json`."""
    outcome = run.read("train.json") if run.has("train.json") else None
    ledger = run.read("data/ledger.json")
    ledger["tokens_trained"] = outcome["tokens"] if outcome else 0
    run.write("data/ledger.json", ledger)
    return {
        "run": str(run.path),
        "report": str(run.report),
        "model": run.config.model.name,
        "method": run.config.method["type"],
        "ledger": ledger,
        "arms": arms,
        "difference": difference,
        "train": outcome,
        "verdict": verdict,
        "notes": list(choices.notes),
    }


def _configured(
    data: str | Sequence[str], test: str | Sequence[str], recipe: str | None, settings: Mapping[str, Any]
) -> RunConfig:
    values: dict[str, Any] = {
        "data.train": [data] if isinstance(data, str) else list(data),
        "data.test": [test] if isinstance(test, str) else list(test),
    }
    for name, value in settings.items():
        if isinstance(value, Mapping):
            values |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            values[name.replace("__", ".")] = value
    return resolve(recipe, {name: value for name, value in values.items() if value not in (None, [])})
