"""The middle phases: every arm answers the same held-out rows, before training and after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from tailor import render
from tailor.completers.local import LocalCompleter
from tailor.evaluate import arms as ways
from tailor.evaluate.prompts import choose_shots
from tailor.evaluate.scale import scale
from tailor.metrics import json_schema
from tailor.records import ArmResult, Completer, Example, Request, Sampling, Scored
from tailor.run import Run
from tailor.train.loop import train, tuned
from tailor.weights.load import Loaded, load
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
            self.measure(arm, rows, self.ask(arm), lambda: LocalCompleter(self.base_model(), self.renderer))

    def train(self) -> None:
        """Trains, unless that is done."""
        if self.run.has("train.json"):
            return
        self.run.state("training")
        train(
            self.run,
            loaded=self.loaded,
            look=self._look(),
            say=self.screen.say,
            tick=self.screen.tick,
            progress=self.screen.progress,
        )

    def tuned(self) -> None:
        """The tuned arm on the test rows."""
        if not self.run.has(result_file("tuned", "test")):
            self.measure("tuned", "test", ways.plain, lambda: LocalCompleter(self.tuned_model(), self.renderer))

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
            list(self.trained.lines("data/train.jsonl", Example)),
            self.config.eval.shots,
            seed=self.config.run.seed,
            max_tokens=self.renderer.max_length // 2,
            count_tokens=lambda text: len(self.renderer.tokenizer.encode(text)),
        )
        if len(shots) < self.config.eval.shots:
            self.screen.say(f"few-shot: {len(shots)} of {self.config.eval.shots} examples fit half the model's context")
        return ways.few_shot(shots, self.choices.instructions)

    def measure(self, arm: str, rows: str, ask: Ask, voice: Callable[[], Completer]) -> ArmResult:
        """Runs an arm over the rows it has no score for yet and writes its result; `voice` makes the completer."""
        self.run.state("evaluating", arm=arm, rows=rows)
        file = scores_file(arm, rows)
        self.run.mend(file)
        result, _ = ways.measure(
            arm,
            voice(),
            list(self.run.lines(f"data/{rows}.jsonl", Example)),
            metric=self.choices.metric,
            request=ask,
            sampling=Sampling(max_tokens=self.choices.max_tokens, seed=self.config.run.seed),
            others=self.choices.others,
            sink=lambda scored: self.run.append(file, scored),
            done={scored.row: scored for scored in self.run.lines(file, Scored)},
            progress=lambda what, done, total: self.screen.progress(f"{arm} on {rows} rows", done, total),
        )
        self.run.write(result_file(arm, rows), result)
        if rows == "test":
            low, high = result.ci
            self.screen.say(f"{arm}: {result.metric} {result.score:.3f} ({low:.3f} to {high:.3f}), {result.n:,} rows")
        return result

    def _look(self) -> Callable[[Loaded, render.Renderer], dict[str, float]] | None:
        """Measures the metric that steps are judged by on the validation rows; None where that is the loss."""
        metric = self.config.train.early_stop
        if metric == "auto":
            metric = self.choices.metric if 0 < self.choices.max_tokens <= SHORT_ANSWER else "loss"
        if metric in ("", "loss"):
            return None
        sign = scale(metric).sign
        examples = list(self.run.lines("data/validation.jsonl", Example))

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
            return {metric: sign * result.score}

        return look


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


def result_file(arm: str, rows: str) -> str:
    """Where an arm's result stands in a run folder."""
    return scores_file(arm, rows).replace(".jsonl", ".json")
