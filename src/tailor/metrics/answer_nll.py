"""Negative log-likelihood of the wanted answer, in nats a token: what the answer costs an arm, and its validation loss.

The tokens are those that training counts, from the first one after the serving prompt to the stop token. An arm's score
is the mean over all tokens of the held-out answers, so that on the same rows it equals the loss of supervised
fine-tuning. It compares arms and runs that cut text into the same tokens; `bits-per-byte` compares all others.
"""

from __future__ import annotations

from tailor.metrics.base import Aggregate, Asks, nats_a_token, read
from tailor.records import Completion, Example, Score

DESCRIPTION = "negative log-likelihood of the wanted answer, nats a token"
AGGREGATE: Aggregate = "mean"
ASKS: Asks = "read"
LOWER_IS_BETTER = True
UNIT = "nats a token"
BESIDE = ("perplexity", "bits-per-byte")


def score(example: Example, completion: Completion) -> Score:
    """Mean of -log p over the answer's tokens; it counts as often as it has tokens."""
    return read("answer-nll", completion, nats_a_token(completion), len(completion.logprobs))
