"""How a metric is read: how its scores aggregate, which way is better, and how a score is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailor.metrics.base import Traits
from tailor.records import Scored

_RIGHT = dict.fromkeys(("exact", "exact-normalised", "json-exact", "number-match"), "right") | {
    "preference": "ranked right"
}
"""What anyone calls that which these metrics call 1."""


@dataclass(frozen=True, slots=True)
class Scale(Traits):
    """A metric without its scoring, in the words of a sentence."""

    def name(self, score: float) -> str:
        """A score with what it is a score of: `91.2% right`, `97.0% by json-valid`, `rouge-l 0.431`."""
        if self.counts:
            return f"{self.show(score)} {self.counts}"
        if self.kind != "proportion":
            return f"{self.metric} {self.show(score)}"
        return f"{self.show(score)} {_RIGHT.get(self.metric, f'by {self.metric}')}"

    def show(self, score: float) -> str:
        """A score in words: `91.2%` of yes/no scores, three decimals of others."""
        return f"{100 * score:.1f}%" if self.kind == "proportion" else f"{score:.3f}"

    def show_gain(self, gain: float, sign: str = "") -> str:
        """A difference without its unit: points of yes/no scores, three decimals of others; `sign="+"` shows a plus."""
        return format(100 * gain, f"{sign}.1f") if self.kind == "proportion" else format(gain, f"{sign}.3f")

    @property
    def unit(self) -> str:
        """What a difference is counted in, with a leading space."""
        return " points" if self.kind == "proportion" else f" {self.counts}" if self.counts else ""

    def weights(self, lines: Sequence[Scored]) -> NDArray[np.float64]:
        """How much each line counts in the mean: 1, or its tokens or bytes."""
        return np.array([line.weights.get(self.metric, 1.0) for line in lines])

    def statistic(self, lines: Sequence[Scored]) -> Callable[[NDArray[np.intp]], float] | None:
        """Score of the lines with these numbers, some of them repeated; None for a mean, which is drawn as such."""
        if self.kind == "geometric":
            logs, weights = np.log([line.score for line in lines]), self.weights(lines)
            return lambda rows: float(np.exp(np.average(logs[rows], weights=weights[rows])))
        if self.aggregate is None:
            return None
        aggregate, pairs = self.aggregate, [(line.wanted, line.given) for line in lines]
        return lambda rows: aggregate([pairs[row] for row in rows])


def scale(metric: str) -> Scale:
    """The Scale of a metric, from its plugin. Raises ConfigError where there is no such metric."""
    return Scale.of(metric)
