"""The model that `tailor check --model` hands to the rules: template and tokenizer at once, its weights when asked."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tailor import render
from tailor.config import RunConfig
from tailor.curate.model import Model, Rendering, Scores
from tailor.errors import DataError
from tailor.records import Datum, Example, Message, Progress, message
from tailor.render.cache import RowCache
from tailor.render.rows import BLOCK
from tailor.weights.locate import locate

if TYPE_CHECKING:
    from collections.abc import Callable


def model(config: RunConfig, say: Callable[[str], None]) -> Model:
    """The model of `config` for `curate.check`. Raises ModelError where there is none, or it has no usable template."""
    folder = locate(config.model.name, config.model.revision)
    renderer = _renderer(folder, config.model.thinking)
    for note in renderer.notes:
        say(note)
    limit = min(config.data.max_length or renderer.max_length, renderer.max_length)
    reader = Reader(folder, config.model.thinking, limit, config.data.system)
    return Model(config.model.name, limit, config.data.over_length, reader.read, Scorer(config, reader, say).score)


@functools.cache
def _renderer(folder: Path, thinking: bool) -> render.Renderer:
    return render.load(folder, thinking=thinking)


@dataclass(frozen=True)
class Reader:
    """Renders rows as training would; goes to other processes, each of which opens the tokenizer for itself."""

    folder: Path
    thinking: bool
    limit: int
    system: str | None

    @property
    def renderer(self) -> render.Renderer:
        """This process's own."""
        return _renderer(self.folder, self.thinking)

    def read(self, examples: Sequence[Example]) -> list[Rendering | None]:
        """The Rendering of each row; None for prompts."""
        rows = [self.as_trained(example) for example in examples]
        with self.renderer.remembering(RowCache(None, self.renderer.fingerprint)):
            for start in range(0, len(rows), BLOCK):
                self.renderer.prefetch(rows[start : start + BLOCK])
            return [self._rendering(row) if row.kind != "prompt" else None for row in rows]

    def as_trained(self, example: Example) -> Example:
        """The row with the system prompt that `data.system` puts before conversations that have none."""
        return render.with_system(example, self.system)

    def _rendering(self, example: Example) -> Rendering:
        tokenizer = self.renderer.tokenizer
        special, structural = tokenizer.marks(self.renderer.template.source)
        marks = (*special, *structural)
        try:
            datums = self._datums(example)
        except DataError as problem:
            return Rendering(fault=problem.what, remedy=problem.fix, marks=marks)
        return Rendering(
            texts=tuple(tokenizer.decode(datum.ids.tolist()) for datum in datums),
            answers=tuple(tokenizer.decode(run) for datum in datums for run in _trained(datum)),
            tokens=max(map(len, datums), default=0),
            trained=sum(datum.trained for datum in datums),
            over=max(0, *(len(datum) - self.limit for datum in datums), 0),
            lost=sum(int(np.count_nonzero(datum.weights[self.limit :])) for datum in datums),
            doubled=self._doubled(datums),
            marks=marks,
        )

    def _datums(self, example: Example) -> list[Datum]:
        if example.kind != "pair":
            return self.renderer.datums(example, 0)
        sides = (example.chosen, example.rejected)
        return [self.renderer.answer_datum(example.messages, side, example.tools, 0, example.source) for side in sides]

    def _doubled(self, datums: Sequence[Datum]) -> str:
        """The first token that begins or ends a text and follows itself."""
        tokenizer = self.renderer.tokenizer
        ends = [*tokenizer.eos_ids, *tokenizer.encode(tokenizer.special.get("bos_token", ""))]
        for datum in datums:
            twice = np.flatnonzero((datum.ids[1:] == datum.ids[:-1]) & np.isin(datum.ids[1:], ends))
            if len(twice):
                return tokenizer.token(int(datum.ids[twice[0]]))
        return ""


def _trained(datum: Datum) -> Iterator[list[int]]:
    """The ids of each run of trained tokens."""
    edges = np.flatnonzero(np.diff(datum.weights != 0, prepend=False, append=False))
    for start, end in edges.reshape(-1, 2):
        yield datum.ids[start:end].tolist()


@dataclass(frozen=True)
class Scorer:
    """Asks the weights; torch is imported here, when it is first called."""

    config: RunConfig
    reader: Reader
    say: Callable[[str], None]

    def score(self, examples: Sequence[Example], progress: Progress) -> Scores:
        """How likely the last answer of each chat is, after its prompt and after one whose question is blank."""
        asked = [self._answer(example, group, _given) for group, example in enumerate(examples)]
        blank = [self._answer(example, len(examples) + group, _blank) for group, example in enumerate(examples)]
        values = self._logprobs([datum for datum in (*asked, *blank) if datum is not None], progress)
        nan = np.full(1, np.nan)
        with_prompt = [values[datum].astype(np.float64) if datum is not None else nan for datum in asked]
        without = [values[datum].astype(np.float64) if datum is not None else nan for datum in blank]
        return Scores(
            nll=np.array([-row.mean() for row in with_prompt]),
            alone=np.array([-row.mean() for row in without]),
            least=np.array([row.min() for row in with_prompt]),
            tokens=np.array([len(row) for row in with_prompt], np.float64),
        )

    def _answer(
        self, example: Example, group: int, prompt: Callable[[Sequence[Message]], Sequence[Message]]
    ) -> Datum | None:
        """None where the template cannot write it so, or it is longer than the model reads."""
        messages = self.reader.as_trained(example).messages
        try:
            datum = self.reader.renderer.answer_datum(
                prompt(messages[:-1]), messages[-1:], example.tools, group, example.source
            )
        except DataError:
            return None
        return datum if 1 < len(datum) <= self.reader.limit and datum.trained else None

    def _logprobs(self, datums: Sequence[Datum], progress: Progress) -> dict[Datum, np.ndarray]:
        if not datums:
            return {}
        from tailor.kernels import check_model, why_not_share
        from tailor.train.logprobs import Layout, logprobs
        from tailor.weights.load import load

        config = self.config
        loaded = load(config.model, device=config.run.device, threads=config.run.threads, seed=config.run.seed)
        for note in loaded.notes:
            self.say(note)
        check_model(loaded.model)
        share = config.train.share_prefixes and not why_not_share(loaded.model, max(map(len, datums)))
        layout = Layout(config.train.budget, share, config.train.kernels == "reference")
        return logprobs(loaded, datums, layout, progress=progress, what=f"answers under {loaded.name}")


def _given(messages: Sequence[Message]) -> Sequence[Message]:
    return messages


def _blank(messages: Sequence[Message]) -> Sequence[Message]:
    """The system turns, which rows share, and a question that says nothing."""
    return [*(turn for turn in messages if turn.role == "system"), message("user", "")]
