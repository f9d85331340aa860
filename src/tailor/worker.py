"""The whole way of a run: read, divide, measure the prompted arms, train, measure again, decide, write the page.

The only room that knows all others. Each phase leaves its result in the run folder and is passed over where that is
there already, so a run that was stopped anywhere, also inside an evaluation, goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from tailor import formats, metrics, render, report
from tailor.advise import verdict as advice
from tailor.config import RunConfig, resolve
from tailor.curate import split as dividing
from tailor.environment import describe
from tailor.errors import ConfigError, DataError
from tailor.evaluate import arms as ways
from tailor.evaluate import compare, power
from tailor.records import (
    ArmResult,
    Completer,
    Difference,
    Example,
    Ledger,
    Message,
    Request,
    Sampling,
    Scored,
    Verdict,
    message,
)
from tailor.run import Run
from tailor.weights.locate import locate

if TYPE_CHECKING:
    from tailor.train.watch import Tick
    from tailor.weights.load import Loaded

Verb = Literal["fit", "train"]


class Screen(Protocol):
    """Where a run tells what it does."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def progress(self, what: str, done: int, total: int) -> None:
        """How far the work called `what` is."""

    def tick(self, tick: Tick) -> None:
        """How far training is."""


class Silent:
    """The Screen of a library call."""

    def say(self, text: str) -> None:
        """Says nothing."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Shows nothing."""

    def tick(self, tick: Tick) -> None:
        """Shows nothing."""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided from the training rows before the first measurement; frozen in `choices.json`."""

    metric: str
    others: tuple[str, ...]
    instructions: str
    max_tokens: int
    notes: tuple[str, ...]


def fit(
    data: str | Sequence[str], *, test: str | Sequence[str] = (), recipe: str | None = None, **settings: Any
) -> Run:
    """Takes rows to a verdict and returns the finished run: `tailor.fit("data.jsonl").verdict`.

    `settings` are RunConfig's by their dotted names, with `__` for the dot (`optim__epochs=3`) or as a dict under their
    section (`optim={"epochs": 3}`). Raises TailorError's children for anything that cannot be used.
    """
    return start("fit", _configured(data, test, recipe, settings))


def train(data: str | Sequence[str], *, recipe: str | None = None, **settings: Any) -> Run:
    """Only trains; arguments as for `fit`."""
    return start("train", _configured(data, (), recipe, settings))


def start(verb: Verb, config: RunConfig, screen: Screen | None = None) -> Run:
    """Makes a new run folder for `config` and takes it to its end."""
    model = locate(config.model.name, config.model.revision)
    files = formats.files([*config.data.train, *config.data.validation, *config.data.test])
    run = Run.create(config, Path(files[0]).stem.split(".")[0])
    with run.locked():
        run.write("environment.json", describe(verb, files, model))
        _Work(run, verb, screen or Silent()).finish()
    return run


def resume(path: str | Path, screen: Screen | None = None) -> Run:
    """Goes on with a run that was stopped, with the same data and settings."""
    run = Run.open(path)
    with run.locked():
        run.clear_cancel()
        _Work(run, run.read("environment.json")["verb"], screen or Silent()).finish()
    return run


class _Work:
    """The phases of one run, each left out where its result is there already."""

    def __init__(self, run: Run, verb: Verb, screen: Screen) -> None:
        self.run = run
        self.config = run.config
        self.verb = verb
        self.screen = screen
        folder = locate(self.config.model.name, self.config.model.revision)
        self.renderer = render.load(folder, thinking=self.config.model.thinking)
        self.loaded: Loaded | None = None

    def finish(self) -> None:
        """Everything that is still to be done."""
        self._prepare()
        folds = [Run(path) for path in sorted((self.run.path / "folds").glob("*")) if (path / "config.json").exists()]
        if self.verb == "fit":
            for run in folds or [self.run]:
                self._baselines(run)
                if "tuned" in self.config.eval.arms:
                    self._train(run)
                    self._tuned(run)
                self.loaded = None
            self._gather(folds)
        if self.verb == "train" or "tuned" in self.config.eval.arms:
            self._train(self.run)
        self._conclude()

    # ---------------------------------------------------------------------------------------------- rows

    def _prepare(self) -> None:
        """Reads, divides and renders the rows once, and decides what follows from them."""
        if self.run.has("choices.json"):
            return
        from tailor.train.source import prepare

        self.run.state("reading")
        data, ledger, notes = self.config.data, Ledger(), list(self.renderer.notes)
        rows = {name: self._read(name, getattr(data, name), ledger, notes) for name in ("train", "validation", "test")}
        if self.verb == "fit" and rows["train"] and rows["train"][0].kind == "text":
            raise DataError(
                "plain text has no answers to score",
                where=str(rows["train"][0].source),
                fix="tailor train continues pretraining on it",
            )
        splits = dividing.split(**rows, data=data, eval=self.config.eval, ledger=ledger, held_out=self.verb == "fit")
        notes += splits.notes
        self._write_rows(self.run, splits.train, splits.validation, splits.test, ledger)
        prepare(self.run, self.renderer, self.screen.progress)
        for number, fold in enumerate(splits.folds or (), 1):
            self._make_fold(number, fold)
        choices = self._choose(list(self.run.lines("data/train.jsonl", Example)), notes)
        if self.verb == "fit":
            held_out = len(splits.test) or len(splits.train)
            notes.append(power.statement(held_out))
        for note in notes:
            self.screen.say(note)
        self.run.write("choices.json", msgspec.structs.replace(choices, notes=tuple(notes)))

    def _read(self, name: str, paths: Sequence[str], ledger: Ledger, notes: list[str]) -> list[Example]:
        if not paths:
            return []
        data = self.config.data
        reading = formats.read(
            paths,
            format=data.format,
            map=data.map,
            max_bad=data.max_bad,
            group=data.group,
            seed=self.config.run.seed,
            progress=self.screen.progress,
        )
        notes.append(f"{name}: {reading.seen}")
        ledger.rows_in += reading.rows_in
        ledger.drop("malformed", (problem.where for problem in reading.bad))
        return [_with_system(example, data.system) for example in reading.examples]

    def _write_rows(
        self,
        run: Run,
        train: Sequence[Example],
        validation: Sequence[Example],
        test: Sequence[Example],
        ledger: Ledger,
    ) -> None:
        for name, examples in (("train", train), ("validation", validation), ("test", test)):
            run.write_lines(f"data/{name}.jsonl", examples)
        run.write("data/ledger.json", ledger)

    def _make_fold(self, number: int, fold: dividing.Fold) -> None:
        """A run of its own below this one, whose test rows are the ones this fold holds out."""
        from tailor.train.source import prepare

        path = self.run.path / "folds" / str(number)
        out = self.config.run.model_copy(update={"out": str(path)})
        run = Run.create(self.config.model_copy(update={"run": out}))
        ledger = Ledger(train=len(fold.train), validation=len(fold.validation), test=len(fold.test))
        ledger.rows_in = ledger.train + ledger.validation + ledger.test
        self._write_rows(run, fold.train, fold.validation, fold.test, ledger)
        prepare(run, self.renderer, self.screen.progress)

    def _choose(self, train: Sequence[Example], notes: list[str]) -> Choices:
        """Metric, instructions and length of the answers, from the training rows; the reasons go into `notes`."""
        settings = self.config.eval
        if self.verb == "train" and self.config.train.early_stop == "loss":
            return Choices(metric="", others=(), instructions="", max_tokens=1, notes=())
        metric, others = settings.metric, ()
        if metric == "auto":
            metric, reason = metrics.choose(train)
            others = tuple(metrics.companions(metric))
            notes.append(f"metric: {metric}, {reason}")
        instructions = _instructions(settings.instructions)
        if instructions is None:
            instructions, reason = ways.auto_instructions(train)
            notes.append(f"instructions of the prompted arms: {reason}")
        longest = max((len(self.renderer.tokenizer.encode(example.answer)) for example in train), default=1)
        return Choices(
            metric=metric,
            others=others,
            instructions=instructions,
            max_tokens=settings.max_tokens or int(1.25 * longest) + 8,
            notes=(),
        )

    # ---------------------------------------------------------------------------------------------- arms

    @property
    def choices(self) -> Choices:
        """What `_choose` decided."""
        return self.run.read_as("choices.json", Choices)

    def _model(self) -> Loaded:
        """A fresh copy of the base model, loaded when it is first needed."""
        from tailor.weights.load import load

        if self.loaded is None:
            settings = self.config.run
            self.loaded = load(self.config.model, device=settings.device, threads=settings.threads, seed=settings.seed)
            for note in self.loaded.notes:
                self.screen.say(note)
        return self.loaded

    def _baselines(self, run: Run) -> None:
        """The prompted arms on the base model, on validation rows (to choose among them) and on test rows."""
        for arm in self.config.eval.arms:
            if arm != "tuned":
                request = self._request(run, arm)
                for rows in ("validation", "test"):
                    if not run.has(_result(arm, rows)):
                        self._measure(run, arm, rows, request)

    def _tuned(self, run: Run) -> None:
        if not run.has(_result("tuned", "test")):
            self._measure(run, "tuned", "test", ways.plain, tuned=True)

    def _request(self, run: Run, arm: str) -> Callable[[Example], Request]:
        """How `arm` asks; the shots are train rows of `run` that fit the context beside the question."""
        if arm == "zero-shot":
            return ways.zero_shot(self.choices.instructions)
        shots = ways.choose_shots(
            list(run.lines("data/train.jsonl", Example)),
            self.config.eval.shots,
            seed=self.config.run.seed,
            max_tokens=self.renderer.max_length // 2,
            count_tokens=lambda text: len(self.renderer.tokenizer.encode(text)),
        )
        return ways.few_shot(shots, self.choices.instructions)

    def _measure(
        self, run: Run, arm: str, rows: str, request: Callable[[Example], Request], *, tuned: bool = False
    ) -> None:
        """Runs an arm over the rows it has no score for yet, and writes its result."""
        from tailor.completers.local import LocalCompleter

        run.state("evaluating", arm=arm, rows=rows)
        file = f"scores/{arm}.jsonl" if rows == "test" else f"scores/{rows}/{arm}.jsonl"
        run.mend(file)
        examples = list(run.lines(f"data/{rows}.jsonl", Example))
        completer: Completer = LocalCompleter(self._tuned_model(run) if tuned else self._model(), self.renderer)
        result, _ = ways.measure(
            arm,
            completer,
            examples,
            metric=self.choices.metric,
            request=request,
            sampling=Sampling(max_tokens=self.choices.max_tokens, seed=self.config.run.seed),
            others=self.choices.others,
            sink=lambda scored: run.append(file, scored),
            done={scored.row: scored for scored in run.lines(file, Scored)},
            progress=lambda what, done, total: self.screen.progress(f"{arm} on {rows} rows", done, total),
        )
        run.write(_result(arm, rows), result)
        if rows == "test":
            low, high = result.ci
            self.screen.say(f"{arm}: {result.metric} {result.score:.3f} ({low:.3f} to {high:.3f}), {result.n:,} rows")

    # ---------------------------------------------------------------------------------------------- training

    def _train(self, run: Run) -> None:
        if run.has("train.json"):
            return
        from tailor.train.loop import train

        run.state("training")
        metric = self.config.train.early_stop
        loaded = self._model()
        train(
            run,
            loaded=loaded,
            look=None if metric == "loss" else self._look(run, metric),
            tick=self.screen.tick,
            progress=self.screen.progress,
        )

    def _tuned_model(self, run: Run) -> Loaded:
        """The trained model: the live one right after training, else read back from the run folder."""
        from tailor.train.loop import tuned

        loaded = self._model()
        return loaded if loaded.adapted else tuned(run, loaded)

    def _look(self, run: Run, metric: str) -> Callable[[Loaded, render.Renderer], dict[str, float]]:
        """Measures `metric` on the validation rows by generation, for early stopping on it."""
        from tailor.completers.local import LocalCompleter

        examples = list(run.lines("data/validation.jsonl", Example))

        def look(loaded: Loaded, renderer: render.Renderer) -> dict[str, float]:
            result, _ = ways.measure(
                "validation",
                LocalCompleter(loaded, renderer),
                examples,
                metric=metric,
                request=ways.plain,
                sampling=Sampling(max_tokens=self.choices.max_tokens),
                sink=lambda scored: None,
                progress=self.screen.progress,
            )
            return {metric: result.score}

        return look

    # ---------------------------------------------------------------------------------------------- the end

    def _gather(self, folds: Sequence[Run]) -> None:
        """Puts the folds' scores together: every row was held out once."""
        if not folds:
            return
        for arm in self.config.eval.arms:
            for rows in ("test", "validation"):
                file = f"scores/{arm}.jsonl" if rows == "test" else f"scores/{rows}/{arm}.jsonl"
                scored = [line for fold in folds for line in fold.lines(file, Scored)]
                if scored:
                    scored = [msgspec.structs.replace(line, row=row) for row, line in enumerate(scored)]
                    self.run.write_lines(file, scored)
                    self.run.write(_result(arm, rows), ways.summarise(arm, scored, self.choices.metric))

    def _conclude(self) -> None:
        """The verdict, the summary that `--json` prints, and the page."""
        run = self.run
        results = {rows: self._results(rows) for rows in ("validation", "test")}
        difference: Difference | None = None
        verdict: Verdict | None = None
        if self.verb == "fit" and results["test"]:
            baseline = advice.best_baseline(results["validation"] or results["test"])
            if baseline is not None and "tuned" in results["test"]:
                scores = {arm: list(run.lines(f"scores/{arm}.jsonl", Scored)) for arm in ("tuned", baseline)}
                difference = compare.difference(
                    "tuned", scores["tuned"], baseline, scores[baseline], metric=self.choices.metric
                )
            verdict = advice.decide(
                results["test"],
                validation=results["validation"],
                difference=difference,
                minimum_gain=self.config.eval.minimum_gain,
            )
            run.write("verdict.json", verdict)
        run.state("done")
        run.write("summary.json", self._summary(list(results["test"].values()), difference, verdict))
        report.write(run)

    def _results(self, rows: str) -> dict[str, ArmResult]:
        return {
            arm: self.run.read_as(_result(arm, rows), ArmResult)
            for arm in self.config.eval.arms
            if self.run.has(_result(arm, rows))
        }

    def _summary(
        self, arms: Iterable[ArmResult], difference: Difference | None, verdict: Verdict | None
    ) -> Mapping[str, Any]:
        """The document of `--json`."""
        run = self.run
        outcome = run.read("train.json") if run.has("train.json") else None
        ledger = run.read("data/ledger.json")
        ledger["tokens_trained"] = outcome["tokens"] if outcome else 0
        run.write("data/ledger.json", ledger)
        return {
            "run": str(run.path),
            "report": str(run.report),
            "model": self.config.model.name,
            "method": self.config.method["type"],
            "adapter": outcome and outcome["adapter"],
            "ledger": ledger,
            "arms": list(arms),
            "difference": difference,
            "train": outcome,
            "verdict": verdict,
            "notes": list(self.choices.notes),
        }


def _result(arm: str, rows: str) -> str:
    """Where the result of an arm stands in the run folder."""
    return f"scores/{arm}.json" if rows == "test" else f"scores/{rows}/{arm}.json"


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


def _with_system(example: Example, system: str | None) -> Example:
    """`example` with the system prompt `system`, where it has none of its own."""
    if system is None or not example.messages or example.messages[0].role == "system":
        return example
    first: Message = message("system", system)
    return msgspec.structs.replace(example, messages=(first, *example.messages))


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
    return resolve(recipe, values)
