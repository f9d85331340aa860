"""What `evaluate/preference.py` asks for: log-probs of a pair's answers under a loaded model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tailor import render
from tailor.config import RunConfig
from tailor.evaluate.preference import Likelihood, Ranks
from tailor.kernels import why_not_share
from tailor.records import Datum, Example, Request
from tailor.train.logprobs import Layout, Values, logprobs, predicted
from tailor.weights.load import Loaded


def layout(loaded: Loaded, renderer: render.Renderer, config: RunConfig) -> Layout:
    """How rows are laid out whose tokens are only read."""
    share = config.train.share_prefixes and not why_not_share(loaded.model, renderer.max_length)
    return Layout(config.train.budget, share)


def ranks(loaded: Loaded, renderer: render.Renderer, config: RunConfig, *, against_base: bool = False) -> Ranks:
    """Ranks by `loaded` as it stands; `against_base` adds what the model before training says."""
    laid_out = layout(loaded, renderer, config)

    def rank(rows: Sequence[tuple[Request, Example]]) -> list[tuple[Likelihood, Likelihood] | None]:
        pairs = [_datums(renderer, request, example, number) for number, (request, example) in enumerate(rows)]
        fitting = [datum for pair in pairs if _fits(pair, renderer) for datum in pair]
        values = logprobs(loaded, fitting, laid_out)
        base: Values = {}
        if against_base:
            with loaded.base():
                base = logprobs(loaded, fitting, laid_out)
        return [
            (_likelihood(pair[0], values, base), _likelihood(pair[1], values, base)) if _fits(pair, renderer) else None
            for pair in pairs
        ]

    return rank


def _datums(renderer: render.Renderer, request: Request, example: Example, number: int) -> tuple[Datum, Datum]:
    chosen, rejected = (
        renderer.answer_datum(request.messages, answer, request.tools, number, example.source, label)
        for label, answer in (("chosen", example.chosen), ("rejected", example.rejected))
    )
    return chosen, rejected


def _fits(pair: tuple[Datum, Datum], renderer: render.Renderer) -> bool:
    return max(map(len, pair)) <= renderer.max_length


def _likelihood(datum: Datum, values: Values, base: Values) -> Likelihood:
    weights = datum.weights[predicted(datum)]
    return Likelihood(
        logprob=float(np.dot(weights, values[datum])),
        tokens=float(weights.sum()),
        prompt_tokens=int(np.argmax(datum.weights != 0)),
        base=float(np.dot(weights, base[datum])) if base else None,
    )
