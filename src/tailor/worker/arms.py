"""The middle phases: every arm answers the same held-out rows, before training and after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from tailor import render
from tailor.completers.local import LocalCompleter
from tailor.config import RunConfig
from tailor.evaluate import arms as ways
from tailor.evaluate import preference
from tailor.evaluate.prompts import choose_shots
from tailor.evaluate.scale import scale
from tailor.metrics import json_schema
from tailor.records import ArmResult, Example, Request, Sampling, Scored
from tailor.run import Run
from tailor.train.loop import train, tuned
from tailor.weights.load import Loaded, load
from tailor.worker.ranking import ranks
from tailor.worker.reading import reads
from tailor.worker.rows import Choices
from tailor.worker.screen import Screen

Ask = Callable[[Example], Request]
SHORT_ANSWER = 96  # tokens: up to here a look at the validation rows costs seconds


class Bench:
    """One model, loaded once, on which the arms of one run (or one fold) are measured and the adapter is trained.

    Rows and scores stand in the folder of `run`; what was trained stands there too, or in that of `trained`.
    """

    def __init__(
        self, run: Run, choices: Choices, renderer: render.Renderer, screen: Screen, *, trained: Run | None = None
    ) -> None:
        self.run = run
        self.trained = trained or run
        self.config = run.config
        self.choices = choices
        self.renderer = renderer
        self.screen = screen
        self._loaded: Loaded | None = None
        if self.config.eval.schema_file is not None:
            json_schema.use(self.config.eval.schema_file)

    @property
    def loaded(self) -> Loaded:
        """The model, loaded when it is first needed."""
        if self._loaded is None:
            settings = self.config.run
            self._loaded = load(self.config.model, device=settings.device, threads=settings.threads, seed=settings.seed)
        return self._loaded

    def baseline(self, arm: str, rows: str) -> None:
        """A prompted arm on the base model, unless that is done."""
        if not self.run.has(result_file(arm, rows)):
            self.measure(arm, rows, self.ask(arm), self.base_model)

    def train(self) -> None:
        """Trains, unless that is done."""
        if self.run.has("train.json"):
            return
        self.run.state("training")
        judge = judged_by(self.config, self.choices)
        train(
            self.run,
            loaded=self.loaded,
            look=self._look(judge),
            lower_is_better=judge != "loss" and scale(judge).lower_is_better,
            say=self.screen.say,
            tick=self.screen.tick,
            progress=self.screen.progress,
        )

    def tuned(self) -> None:
        """The tuned arm on the test rows."""
        if not self.run.has(result_file("tuned", "test")):
            self.measure("tuned", "test", ways.plain, self.tuned_model)

    def tuned_model(self) -> Loaded:
        """The trained model: the live one right after training, else read back from the run folder."""
        return self.loaded if self.loaded.adapted else tuned(self.trained, self.loaded)

    def base_model(self) -> Loaded:
        """The model as it was before training."""
        if self.loaded.adapted:
            self._loaded = None
        return self.loaded

    def ask(self, arm: str) -> Ask:
        """How a prompted arm asks; the shots are train rows, few enough to leave room for the question."""
        if arm == "zero-shot":
            return ways.zero_shot(self.choices.instructions)
        shots = choose_shots(
            [preference.as_chat(example) for example in self.trained.lines("data/train.jsonl", Example)],
            self.config.eval.shots,
            seed=self.config.run.seed,
            max_tokens=self.renderer.max_length // 2,
            count_tokens=lambda text: len(self.renderer.tokenizer.encode(text)),
        )
        if len(shots) < self.config.eval.shots:
            self.screen.say(f"few-shot: {len(shots)} of {self.config.eval.shots} examples fit half the model's context")
        return ways.few_shot(shots, self.choices.instructions)

    def measure(self, arm: str, rows: str, ask: Ask, model: Callable[[], Loaded]) -> ArmResult:
        """Runs an arm over the rows it has no score for yet and writes its result."""
        self.run.state("evaluating", arm=arm, rows=rows)
        how = {"write": self._answer, "read": self._answer, "rank": self._rank}[scale(self.choices.metric).asks]
        result = how(arm, rows, ask, model())
        self.run.write(result_file(arm, rows), result)
        if rows == "test":
            low, high = result.ci
            others = "".join(f", {name} {_with_interval(result, name)}" for name in result.others)
            self.screen.say(
                f"{arm}: {result.metric} {result.score:.3f} ({low:.3f} to {high:.3f}){others}, {result.n:,} rows"
            )
        return result

    def _answer(self, arm: str, rows: str, ask: Ask, loaded: Loaded) -> ArmResult:
        """The arm's own answers, or how it reads the wanted ones, scored by the run's metric."""
        metric, others = self.choices.metric, self.choices.others
        return self._collect(scores_file(arm, rows), arm, rows, ask, loaded, metric, others)[0]

    def _collect(
        self, file: str, arm: str, rows: str, ask: Ask, loaded: Loaded, metric: str, others: Sequence[str]
    ) -> tuple[ArmResult, list[Scored]]:
        """Asks for and scores what has no line in `file` yet."""
        return ways.measure(
            arm,
            self._answers(metric, loaded, self.renderer),
            list(self.run.lines(f"data/{rows}.jsonl", Example)),
            metric=metric,
            request=ask,
            others=others,
            sink=lambda scored: self.run.append(file, scored),
            done=self._scored(file),
            progress=lambda what, done, total: self.screen.progress(f"{arm} on {rows} rows", done, total),
        )

    def _rank(self, arm: str, rows: str, ask: Ask, loaded: Loaded) -> ArmResult:
        """Which answer of each pair the arm prefers, and on test rows how its own answers score beside that."""
        written: dict[int, Scored] = {}
        metric, *others = self.choices.others or ("",)
        if metric and rows == "test":
            _, lines = self._collect(written_file(arm), arm, rows, ask, loaded, metric, others)
            written = {line.row: line for line in lines}
        file = scores_file(arm, rows)
        result, _ = preference.measure(
            arm,
            ranks(loaded, self.renderer, self.config, against_base=loaded.adapted),
            list(self.run.lines(f"data/{rows}.jsonl", Example)),
            request=ask,
            written=written,
            written_metric=metric,
            sink=lambda scored: self.run.append(file, scored),
            done=self._scored(file),
            progress=lambda what, done, total: self.screen.progress(f"{arm} ranks {rows} pairs", done, total),
        )
        return result

    def _answers(self, metric: str, loaded: Loaded, renderer: render.Renderer) -> ways.Answers:
        """What `metric` scores: answers that `loaded` writes, or the wanted ones as it reads them."""
        if scale(metric).asks == "read":
            return reads(loaded, renderer, self.config)
        sampling = Sampling(max_tokens=self.choices.max_tokens, seed=self.config.run.seed)
        return ways.written(LocalCompleter(loaded, renderer), sampling)

    def _scored(self, file: str) -> dict[int, Scored]:
        """The lines that an earlier start wrote."""
        self.run.mend(file)
        return {scored.row: scored for scored in self.run.lines(file, Scored)}

    def _look(self, metric: str) -> Callable[[Loaded, render.Renderer], dict[str, float]] | None:
        """Measures the metric that steps are judged by on the validation rows; None where that is the loss."""
        if metric == "loss":
            return None
        examples = list(self.run.lines("data/validation.jsonl", Example))

        def ranked(loaded: Loaded, renderer: render.Renderer) -> dict[str, float]:
            rank = ranks(loaded, renderer, self.config)
            result, _ = preference.measure("validation", rank, examples, request=ways.plain, sink=lambda scored: None)
            return {metric: result.score}

        def look(loaded: Loaded, renderer: render.Renderer) -> dict[str, float]:
            result, _ = ways.measure(
                "validation",
                self._answers(metric, loaded, renderer),
                examples,
                metric=metric,
                request=ways.plain,
                sink=lambda scored: None,
                progress=self.screen.progress,
            )
            return {metric: result.score}

        return ranked if scale(metric).asks == "rank" else look


def _with_interval(result: ArmResult, name: str) -> str:
    low, high = result.others_ci.get(name, (None, None))
    return f"{result.others[name]:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None else "")


def judged_by(config: RunConfig, choices: Choices) -> str:
    """What steps are judged by: `loss`, or the metric that is measured on the validation rows."""
    metric = config.train.early_stop
    if metric == "auto":
        short = 0 < choices.max_tokens <= SHORT_ANSWER and choices.metric and scale(choices.metric).asks == "write"
        metric = choices.metric if short else "loss"
    return metric


def gather(run: Run, folds: Sequence[Run], metric: str) -> None:
    """Puts the folds' scores together into those of `run`: every row was held out once."""
    for arm in run.config.eval.arms:
        for rows in ("test", "validation"):
            scored = [line for fold in folds for line in fold.lines(scores_file(arm, rows), Scored)]
            scored = [msgspec.structs.replace(line, row=row) for row, line in enumerate(scored)]
            if scored:
                run.write_lines(scores_file(arm, rows), scored)
                run.write(result_file(arm, rows), ways.summarise(arm, metric, scored))


def scores_file(arm: str, rows: str) -> str:
    """Where an arm's scores stand in a run folder, a line a row."""
    return f"scores/{arm}.jsonl" if rows == "test" else f"scores/{rows}/{arm}.jsonl"


def written_file(arm: str) -> str:
    """Where the answers stand that an arm wrote itself, where it is scored by ranking given ones."""
    return f"scores/written/{arm}.jsonl"


def result_file(arm: str, rows: str) -> str:
    """Where an arm's result stands in a run folder."""
    return scores_file(arm, rows).replace(".jsonl", ".json")
