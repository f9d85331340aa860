"""Perplexity of the wanted answer: e to the power of its negative log-likelihood a token, as `answer-nll` counts it.

The geometric mean over tokens of 1 / p (Jelinek et al. 1977): as many tokens as a guess this good hesitates between.
"""

from __future__ import annotations

import math

from tailor.metrics.base import Aggregate, Asks, nats_a_token, read
from tailor.records import Completion, Example, Score

DESCRIPTION = "perplexity of the wanted answer, a token"
AGGREGATE: Aggregate = "geometric"
ASKS: Asks = "read"
LOWER_IS_BETTER = True
BESIDE = ("answer-nll", "bits-per-byte")
MOST = 700.0  # nats a token: e to more than that is no finite number, which JSON could not hold


def score(example: Example, completion: Completion) -> Score:
    """e to the mean of -log p over the answer's tokens; it counts as often as it has tokens."""
    value = math.exp(min(nats_a_token(completion), MOST))
    return read("perplexity", completion, value, len(completion.logprobs))
