"""Wanted answers and plain texts, read by a loaded model: what arms are scored by where they write nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from tailor import render
from tailor.config import RunConfig
from tailor.errors import DataError, Problem
from tailor.evaluate.arms import Answers
from tailor.records import Completion, Datum, Example, Request
from tailor.render.shorten import windows
from tailor.train.logprobs import Values, logprobs, predicted
from tailor.weights.load import Loaded
from tailor.worker.ranking import layout

BLOCK = 64  # rows read in one go: enough to share what their prompts have in common


def reads(loaded: Loaded, renderer: render.Renderer, config: RunConfig) -> Answers:
    """Reads by `loaded` as it stands: each Completion is the wanted answer with the log-prob of every token.

    The tokens are those that training counts. A text longer than the context is read in windows, each token in one of
    them. A prompt whose answer no longer fits the context is refused: every token then counts as a guess among all that
    the model knows. Raises DataError, before anything is read, for rows that hold no token to predict.
    """
    laid_out = layout(loaded, renderer, config)
    limit = min(config.data.max_length or renderer.max_length, renderer.max_length)

    def read(rows: Sequence[tuple[Request, Example]]) -> Iterator[tuple[int, list[Completion]]]:
        pieces = [_pieces(renderer, request, example, number, limit) for number, (request, example) in enumerate(rows)]
        _require_tokens(rows, pieces)
        for start in range(0, len(rows), BLOCK):
            block = range(start, min(start + BLOCK, len(rows)))
            began = time.perf_counter()
            fitting = [datum for number in block for datum in pieces[number] if len(datum) <= renderer.max_length]
            values = logprobs(loaded, fitting, laid_out)
            seconds = (time.perf_counter() - began) / len(block)
            for number in block:
                prompt = 0 if rows[number][1].kind == "text" else int(np.argmax(pieces[number][0].weights != 0))
                yield number, [_completion(pieces[number], prompt, values, renderer, loaded, seconds)]

    return read


def _pieces(renderer: render.Renderer, request: Request, example: Example, number: int, limit: int) -> list[Datum]:
    """The Datums of a row: a prompt with its answer, or the windows of a text."""
    if example.kind == "text":
        return [window for datum in renderer.datums(example, number) for window in windows(datum, limit)]
    answer = example.chosen if example.kind == "pair" else example.messages[-1:]
    counted = tuple(msgspec.structs.replace(turn, weight=None) for turn in answer)  # also where it is not trained on
    return [renderer.answer_datum(request.messages, counted, request.tools, number, example.source)]


def _require_tokens(rows: Sequence[tuple[Request, Example]], pieces: Sequence[Sequence[Datum]]) -> None:
    empty = [
        Problem(str(example.source), "holds no token to predict")
        for (_, example), datums in zip(rows, pieces)
        if not any(len(predicted(datum)) for datum in datums)
    ]
    if empty:
        raise DataError("these held-out rows cannot be scored", problems=empty, fix="remove them")


def _completion(
    datums: Sequence[Datum], prompt: int, values: Values, renderer: render.Renderer, loaded: Loaded, seconds: float
) -> Completion:
    ids = np.concatenate([datum.ids[predicted(datum)] for datum in datums])
    refused = any(datum not in values for datum in datums)
    guess = -math.log(loaded.vocabulary)
    found = [guess] * len(ids) if refused else np.concatenate([values[datum] for datum in datums]).tolist()
    return Completion(
        text=renderer.tokenizer.decode(ids.tolist(), skip_special=True),
        ids=tuple(ids.tolist()),
        logprobs=tuple(found),
        finish_reason="refused" if refused else "stop",
        prompt_tokens=prompt,
        seconds=seconds,
    )
