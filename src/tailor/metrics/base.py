"""What all metrics share. A metric is a file with

    DESCRIPTION            one line for the table of metrics
    AGGREGATE              how scores become one number: "proportion" (each 0 or 1), "mean", or "corpus"
    score(example, completion) -> Score      between 0 (worst) and 1 (as wanted)
    aggregate(pairs) -> float                corpus metrics only: pairs of (wanted, given) -> one number in 0..1
    configured(settings) -> score            optional: the score function under the run's evaluation settings

What a model says is untrusted: a score never raises for it, whatever it holds, and takes time in proportion to its
length. A text is compared without the blanks around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tailor.records import Completion, Example, Score

Aggregate = Literal["proportion", "mean", "corpus"]
Pairs = Sequence[tuple[str, str]]
REFUSED = "the prompt is longer than the model's context"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric ready to use: its file's parts, bound to the run's evaluation settings."""

    name: str
    description: str
    aggregate: Aggregate
    score_answered: Callable[[Example, Completion], Score]
    corpus: Callable[[Pairs], float] | None = None

    def score(self, example: Example, completion: Completion) -> Score:
        """The score of one completion; 0 for one that was refused, whatever was wanted."""
        if completion.finish_reason == "refused":
            return Score(metric=self.name, value=0.0, detail=REFUSED)
        return self.score_answered(example, completion)


def shown(text: str, limit: int = 80) -> str:
    """`text` cut for a detail, quoted, safe to print and to save."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return ascii(cut) if any(0xD800 <= ord(char) <= 0xDFFF for char in cut) else repr(cut)


def verdict(metric: str, right: bool, detail: str) -> Score:
    """A yes/no score; the detail is kept where it is no."""
    return Score(metric=metric, value=float(right), detail="" if right else detail)
