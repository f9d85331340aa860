"""How a metric is read: how its scores aggregate, which way is better, and how a score is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tailor import plugins
from tailor.metrics.base import Aggregate, Asks
from tailor.records import Scored

_RIGHT = dict.fromkeys(("exact", "exact-normalised", "json-exact", "number-match"), "right") | {
    "preference": "ranked right"
}
"""What anyone calls that which these metrics call 1."""
MARGIN, REWARD_ACCURACY = "margin", "reward-accuracy"
_RANKED: dict[str, Literal["proportion", "mean"]] = {MARGIN: "mean", REWARD_ACCURACY: "proportion"}
"""What `preference.py` takes from log-probs beside its metric, and no plugin scores."""
Pairs = Sequence[tuple[str, str]]  # (wanted, given)


@dataclass(frozen=True, slots=True)
class Scale:
    """A metric without its scoring. `aggregate` is set for corpus metrics alone: pairs (wanted, given) -> score."""

    metric: str
    kind: Aggregate
    lower_is_better: bool = False
    aggregate: Callable[[Pairs], float] | None = None
    asks: Asks = "write"
    counts: str = ""  # what a score counts, such as nats a token

    @property
    def sign(self) -> int:
        """1 where a greater score is better, else -1."""
        return -1 if self.lower_is_better else 1

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
    if metric in _RANKED:
        return Scale(metric, _RANKED[metric])
    module = plugins.load("metrics", metric)
    return Scale(
        metric=metric,
        kind=module.AGGREGATE,
        lower_is_better=getattr(module, "LOWER_IS_BETTER", False),
        aggregate=module.aggregate if module.AGGREGATE == "corpus" else None,
        asks=getattr(module, "ASKS", "write"),
        counts=getattr(module, "UNIT", ""),
    )
