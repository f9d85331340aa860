"""What all metrics share. A metric is a file with

    DESCRIPTION            one line for the table of metrics
    AGGREGATE              how scores become one number: "proportion" (each 0 or 1), "mean", "geometric" or "corpus"
    score(example, completion) -> Score      between 0 (worst) and 1 (as wanted)
    aggregate(pairs) -> float                corpus metrics only: (wanted, given) of all rows -> one number in 0..1
    SAMPLES                (wanted, given, score) that the contract suite checks

and, only where it needs them,

    BESIDE                 names of metrics that are shown beside it
    ASKS                   what an arm is asked to do: "write" an answer (where not given), "rank" a pair's two answers,
                           or "read" the wanted answer: the Completion is then that answer with its log-probs
    LOWER_IS_BETTER        True: a lower score is the better one
    UNIT                   what its scores count, such as "nats a token"; its name stands there where not given

What a model says is untrusted: a score is given for it whatever it holds, in time that its length bounds. Texts are
compared without the blanks around them. A refused completion scores 0, also where nothing was wanted. Metrics that read
have no upper end; their mean is one over tokens or bytes (`Score.weight`), as perplexity is defined.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from tailor import plugins
from tailor.records import Completion, Score

Aggregate = Literal["proportion", "mean", "geometric", "corpus"]
Asks = Literal["write", "rank", "read"]
Pairs = Sequence[tuple[str, str]]
Samples = tuple[tuple[str, str, float], ...]
REFUSED = "refused: the prompt is empty or fills the model's context"
MARGIN, REWARD_ACCURACY = "margin", "reward-accuracy"
_RANKED: dict[str, Aggregate] = {MARGIN: "mean", REWARD_ACCURACY: "proportion"}
"""What `evaluate/preference.py` takes from log-probs beside its metric, and no plugin scores."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What the file of a metric says of its scores, and what holds where it says nothing."""

    metric: str
    kind: Aggregate = "mean"
    lower_is_better: bool = False
    asks: Asks = "write"
    counts: str = ""  # what a score counts, such as nats a token
    aggregate: Callable[[Pairs], float] | None = None  # of corpus metrics alone

    @classmethod
    def of(cls, metric: str) -> Self:
        """From the metric's plugin. Raises ConfigError where there is no such metric."""
        if metric in _RANKED:
            return cls(metric, _RANKED[metric])
        module = plugins.load("metrics", metric)
        names = {"lower_is_better": "LOWER_IS_BETTER", "asks": "ASKS", "counts": "UNIT"}
        said = {trait: getattr(module, name) for trait, name in names.items() if hasattr(module, name)}
        aggregate = module.aggregate if module.AGGREGATE == "corpus" else None
        return cls(metric, module.AGGREGATE, aggregate=aggregate, **said)

    @property
    def sign(self) -> int:
        """1 where a greater score is better, else -1."""
        return -1 if self.lower_is_better else 1


def scored(metric: str, completion: Completion, value: float, detail: str = "") -> Score:
    """A score between 0 and 1; `detail` is kept where it is not 1."""
    if completion.finish_reason == "refused":
        return Score(metric=metric, value=0.0, detail=REFUSED)
    return Score(metric=metric, value=float(value), detail="" if value == 1 else detail)


def read(metric: str, completion: Completion, value: float, weight: float) -> Score:
    """The score of an answer that was read; it counts by `weight`, its tokens or bytes."""
    nats = -sum(completion.logprobs)
    least = -min(completion.logprobs, default=0.0)
    detail = f"{len(completion.logprobs):,} tokens, {nats:.1f} nats in all, {least:.1f} for the least likely one"
    if completion.finish_reason == "refused":
        detail = f"{REFUSED}, so each token counts as a guess among all that there are"
    return Score(metric=metric, value=value, detail=detail, weight=weight)


def nats_a_token(completion: Completion) -> float:
    """Negative log-likelihood of the tokens of an answer that was read, their mean; 0 of no token."""
    return -math.fsum(completion.logprobs) / max(len(completion.logprobs), 1)


def compared(wanted: str, given: str) -> str:
    """The detail of a comparison that failed."""
    return f"wanted {shown(wanted)}, given {shown(given)}"


def shown(text: str, limit: int = 80) -> str:
    """`text` cut and quoted, safe to print and to save."""
    return repr(_cut(text, limit))  # escapes control characters and lone surrogates


def clean(text: str, limit: int = 80) -> str:
    """`text` cut, without quotes, safe to print and to save."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in _cut(text, limit))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def normalised(text: str) -> str:
    """`text` without differences that seldom matter: Unicode form (NFKC), case, blanks, a full stop or the like at the
    end."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split()).rstrip(".!?,;: ")
