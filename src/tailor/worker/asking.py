"""A finished run is asked again: on new rows, or in conversation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tailor import render
from tailor.completers.local import LocalCompleter
from tailor.errors import DataError, RunError
from tailor.evaluate.arms import wanted
from tailor.evaluate.compare import difference
from tailor.evaluate.scale import scale
from tailor.records import ArmResult, Completer, Difference, Ledger, Scored
from tailor.run import Run
from tailor.weights.locate import locate
from tailor.worker.arms import Bench, result_file, scores_file
from tailor.worker.rows import Choices, choose, read
from tailor.worker.screen import Screen, Silent
from tailor.worker.story import compare_arms


def completers(path: str | Path) -> tuple[Completer, Completer]:
    """(the tuned model, the model it was made from) of a finished run, from one loaded copy."""
    run = Run.finished(path)
    config = run.config
    renderer = render.load(locate(config.model.name, config.model.revision), thinking=config.model.thinking)
    loaded = Bench(run, run.read_as("choices.json", Choices), renderer, Silent()).tuned_model()
    return LocalCompleter(loaded, renderer), LocalCompleter(loaded, renderer, adapter=False)


def evaluate(
    path: str | Path,
    data: Sequence[str],
    *,
    arms: Sequence[str] = (),
    metric: str | None = None,
    screen: Screen | None = None,
) -> dict[str, Any]:
    """Scores arms of a finished run on new rows, into `evaluations/N/` of its folder; the document of `--json`.

    `metric` is another one than the run's own. Raises DataError where the rows have no answers to compare with.
    """
    screen = screen or Silent()
    run = Run.finished(path)
    config = run.config
    ledger = Ledger()
    notes: list[str] = []
    rows = read(data, "rows", config, ledger, notes, screen, grouped=False)
    for note in notes:
        screen.say(note)
    renderer = render.load(locate(config.model.name, config.model.revision), thinking=config.model.thinking)
    choices = run.read_as("choices.json", Choices)
    if metric or not choices.metric:
        asked = config.eval.model_copy(update={"metric": metric} if metric else {})
        other = choose(config.model_copy(update={"eval": asked}), rows, renderer, [])
        choices = msgspec.structs.replace(choices, metric=other.metric, others=other.others) if metric else other
    by_reading = bool(choices.metric) and scale(choices.metric).asks == "read"
    unanswered = [example for example in rows if example.kind == "prompt" or not (by_reading or wanted(example))]
    if unanswered:
        raise DataError("this row has no answer to score against", where=str(unanswered[0].source))

    number = 1 + sum(1 for _ in (run.path / "evaluations").glob("*"))
    out = config.run.model_copy(update={"out": str(run.path / "evaluations" / str(number))})
    below = Run.create(config.model_copy(update={"run": out}))
    below.write_lines("data/test.jsonl", rows)
    bench = Bench(below, choices, renderer, screen, trained=run)
    for arm in sorted(arms or config.eval.arms, key=lambda arm: arm == "tuned"):  # the base model before the adapter
        if arm == "tuned":
            bench.tuned()
        else:
            bench.baseline(arm, "test")
    results = [below.read_as(result_file(arm, "test"), ArmResult) for arm in arms or config.eval.arms]
    ledger.test = len(rows)
    ledger.check()
    document = {
        "run": str(run.path),
        "evaluation": str(below.path),
        "model": config.model.name,
        "ledger": ledger,
        "arms": results,
        "difference": compare_arms(below, results, (), choices.metric),
    }
    below.write("summary.json", document)
    return document


def compare(a: str | Path, b: str | Path, arm: str = "tuned") -> tuple[str, Difference]:
    """(metric, `a - b`): the paired difference of one arm of two runs on the same held-out rows.

    Raises RunError where a run has no such scores, DataError where the rows or the metrics are not the same.
    """
    runs = [Run.open(path) for path in (a, b)]
    for run in runs:
        if not run.has(result_file(arm, "test")):
            raise RunError(f"this run has no scores of the arm {arm!r}", where=str(run.path))
    metrics = {run.read_as(result_file(arm, "test"), ArmResult).metric for run in runs}
    if len(metrics) > 1:
        raise DataError(f"the runs are scored by different metrics: {' and '.join(sorted(metrics))}")
    metric = metrics.pop()
    left, right = (list(run.lines(scores_file(arm, "test"), Scored)) for run in runs)
    return metric, difference(left, right, metric, arm=str(runs[0].path), against=str(runs[1].path))
