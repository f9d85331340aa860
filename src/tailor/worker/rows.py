"""The first phase: rows are read, divided and rendered once, and what follows from them is decided and frozen."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from tailor import formats, metrics, render
from tailor.config import RunConfig
from tailor.curate import split as dividing
from tailor.errors import ConfigError, DataError
from tailor.evaluate import preference
from tailor.evaluate.power import foresight
from tailor.evaluate.prompts import auto_instructions
from tailor.evaluate.scale import scale
from tailor.records import Example, Ledger
from tailor.run import Run
from tailor.train.source import prepare as render_once
from tailor.worker.screen import Screen

Verb = Literal["fit", "train"]
READ = "answer-nll"  # the metric of what has no text to compare: plain text, tool calls


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided from the training rows before the first measurement; frozen in `choices.json`.

    `notes` are the lines in which everything assumed was said aloud. `metric` is empty where rows have no answers.
    """

    metric: str
    others: tuple[str, ...]
    instructions: str
    max_tokens: int
    notes: tuple[str, ...]


def prepare(run: Run, verb: Verb, renderer: render.Renderer, screen: Screen) -> Choices:
    """Fills `data/` of the run (and of its folds) and returns its choices; does nothing where that is done.

    Raises DataError for rows that cannot be used, before any model is loaded.
    """
    if run.has("choices.json"):
        return run.read_as("choices.json", Choices)
    run.state("reading")
    config = run.config
    ledger = Ledger()
    notes: list[str] = []
    train, validation, test = (
        read(getattr(config.data, name), name, config, ledger, notes, screen)
        for name in ("train", "validation", "test")
    )
    if train and train[0].kind == "text":
        _settle_arms(run, notes if verb == "fit" else [])
    splits = dividing.split(
        train, validation, test, data=config.data, eval=config.eval, ledger=ledger, held_out=verb == "fit"
    )
    notes += splits.notes
    _write(run, splits.train, splits.validation, splits.test, ledger)
    render_once(run, renderer, screen.progress)
    if config.method != run.config.method:
        notes.append(f"method: {run.config.method['type']}, for rows of kind {splits.train[0].kind}")
    shutil.rmtree(run.path / "folds", ignore_errors=True)  # left by a run that was stopped here
    for number, fold in enumerate(splits.folds or (), 1):
        _make_fold(run, number, fold, renderer, screen)
    notes += renderer.notes  # rendering adds what it had to do
    choices = choose(config, splits.train, renderer, notes)
    if verb == "fit" and choices.metric and scale(choices.metric).asks != "read":
        notes.append(foresight(len(splits.test) or len(splits.train)))
    for note in notes:
        screen.say(note)
    choices = msgspec.structs.replace(choices, notes=tuple(notes))
    run.write("choices.json", choices)
    return choices


def read(
    paths: Sequence[str],
    name: str,
    config: RunConfig,
    ledger: Ledger,
    notes: list[str],
    screen: Screen,
    *,
    grouped: bool = True,
) -> list[Example]:
    """The rows of `paths` as the run's settings say; counts them in the ledger and notes what was recognised.

    Rows that came later may lack the key of their group: with `grouped` False they are then read without it.
    """
    if not paths:
        return []
    data = config.data

    def reading_by(group: str | None) -> formats.Reading:
        return formats.read(
            paths,
            format=data.format,
            map=data.map,
            max_bad=data.max_bad,
            group=group,
            seed=config.run.seed,
            progress=screen.progress,
        )

    try:
        reading = reading_by(data.group)
    except (ConfigError, DataError):
        if grouped or data.group is None:
            raise
        reading = reading_by(None)
        notes.append(f"{name}: without {data.group!r}, so the intervals take every row as independent of the others")
    notes.append(f"{name}: {reading.seen}")
    ledger.rows_in += reading.rows_in
    ledger.drop("malformed", (problem.where for problem in reading.bad))
    alike = [row for row in reading.examples if row.kind == "pair" and row.chosen == row.rejected]
    kept = [row for row in reading.examples if row.kind != "pair" or row.chosen != row.rejected]
    if alike:
        ledger.drop("chosen and rejected are the same", (example.source for example in alike))
        notes.append(f"{name}: {len(alike):,} pairs left out, whose chosen and rejected answers are the same")
    return [render.with_system(row, data.system) for row in kept]


def choose(config: RunConfig, train: Sequence[Example], renderer: render.Renderer, notes: list[str]) -> Choices:
    """Metric, instructions and length of the answers, from training rows; the reasons go into `notes`."""
    if all(example.kind == "text" for example in train):
        return _choose_for_text(config, notes)
    answers = [example for example in train if example.answer]
    pairs = all(example.kind == "pair" for example in train)
    if not answers and not pairs and all(example.kind == "prompt" for example in train):
        return Choices(metric="", others=(), instructions="", max_tokens=1, notes=())
    metric, others = _metric(config.eval.metric, answers, pairs, notes)
    instructions = _instructions(config.eval.instructions)
    if instructions is None:
        instructions, reason = auto_instructions(answers)
        notes.append(f"instructions of the prompted arms: {reason}")
    longest = max((len(renderer.tokenizer.encode(example.answer)) for example in answers), default=0)
    return Choices(
        metric=metric,
        others=others,
        instructions=instructions,
        max_tokens=config.eval.max_tokens or int(1.25 * longest) + 8,
        notes=(),
    )


def _choose_for_text(config: RunConfig, notes: list[str]) -> Choices:
    """For plain text, which has nothing to be asked by: arms read it."""
    metric = READ if config.eval.metric == "auto" else config.eval.metric
    if scale(metric).asks != "read":
        raise ConfigError(
            f"eval.metric = {metric!r} scores answers, and plain text has none",
            fix=f"leave it out: plain text is scored by {READ}",
        )
    if config.eval.instructions not in ("auto", ""):
        raise ConfigError("plain text has no prompt that instructions could stand in", fix="leave --instructions out")
    notes.append(f"metric: {metric}, over every token of the held-out texts: plain text has no answers")
    return Choices(metric=metric, others=metrics.companions(metric), instructions="", max_tokens=1, notes=())


def _settle_arms(run: Run, notes: list[str]) -> None:
    """Leaves the arm out that plain text cannot have."""
    arms = tuple(arm for arm in run.config.eval.arms if arm != "few-shot")
    if not arms:
        raise ConfigError("plain text has no prompt that examples could stand before", fix="leave eval.arms out")
    if arms != run.config.eval.arms:
        run.configure(run.config.model_copy(update={"eval": run.config.eval.model_copy(update={"arms": arms})}))
        notes.append("few-shot: left out, as plain text has no prompt that examples could stand before")


def _metric(wanted: str, answers: Sequence[Example], pairs: bool, notes: list[str]) -> tuple[str, tuple[str, ...]]:
    """(the metric, those beside it) for training rows with these answers; what was chosen goes into `notes`."""
    if wanted != "auto" and scale(wanted).asks == "rank" and not pairs:
        raise ConfigError(
            f"eval.metric = {wanted!r} ranks the answers of preference pairs, and these rows are none",
            fix="leave eval.metric out",
        )
    ranked = pairs and wanted in ("auto", preference.METRIC)
    metric = wanted
    if wanted == "auto" or ranked:
        metric, reason = _chosen(answers, pairs)
        if not ranked:
            notes.append(f"metric: {metric}, {reason}")
    beside = (metric, *metrics.companions(metric)) if metric else ()
    if not ranked:
        return metric, beside[1:]
    notes.append(
        "metric: preference, the share of pairs whose chosen answer an arm gives the higher log-prob a token"
        + (f"; the answers it writes itself are scored by {metric} beside that" if metric else "")
    )
    return preference.METRIC, tuple(name for name in beside if scale(name).kind != "corpus")  # a mean over rows


def _chosen(answers: Sequence[Example], pairs: bool) -> tuple[str, str]:
    """(the metric that suits the answers, why); none for pairs without text, which are only ranked."""
    if answers:
        return metrics.choose(answers)
    return ("", "") if pairs else (READ, "the answers hold tool calls and no text to compare")


def _write(
    run: Run, train: Sequence[Example], validation: Sequence[Example], test: Sequence[Example], ledger: Ledger
) -> None:
    for name, examples in (("train", train), ("validation", validation), ("test", test)):
        run.write_lines(f"data/{name}.jsonl", examples)
    run.write("data/ledger.json", ledger)


def _make_fold(run: Run, number: int, fold: dividing.Fold, renderer: render.Renderer, screen: Screen) -> None:
    """A run of its own below `run`, whose test rows are the ones that this fold holds out."""
    config = run.config
    out = config.run.model_copy(update={"out": str(run.path / "folds" / str(number))})
    below = Run.create(config.model_copy(update={"run": out}))
    ledger = Ledger(train=len(fold.train), validation=len(fold.validation), test=len(fold.test))
    ledger.rows_in = ledger.train + ledger.validation + ledger.test
    _write(below, fold.train, fold.validation, fold.test, ledger)
    render_once(below, renderer, screen.progress)


def _instructions(setting: str) -> str | None:
    """The text of `eval.instructions`; None for auto."""
    if setting == "auto":
        return None
    if not setting.startswith("@"):
        return setting
    try:
        return Path(setting[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the instructions cannot be read: {error}", where=setting[1:]) from None
