"""Bits per byte of the wanted answer: its negative log-likelihood over the bytes of its text in UTF-8.

The unit of compression (Gao et al. 2020, The Pile): it does not depend on how a tokenizer cuts the text, so it compares
models of different vocabularies. The stop token costs bits and has no bytes.
"""

from __future__ import annotations

import math

from tailor.metrics.base import Aggregate, Asks, read
from tailor.records import Completion, Example, Score

DESCRIPTION = "negative log-likelihood of the wanted answer, bits a byte of its text"
AGGREGATE: Aggregate = "mean"
ASKS: Asks = "read"
LOWER_IS_BETTER = True
UNIT = "bits a byte"
BESIDE = ("answer-nll", "perplexity")


def score(example: Example, completion: Completion) -> Score:
    """Sum of -log2 p over the bytes; it counts as often as it has bytes. Tool calls alone are text as written out."""
    text = example.text or example.answer or completion.text
    size = max(len(text.encode("utf-8", "surrogatepass")), 1)
    bits = -math.fsum(completion.logprobs) / math.log(2)
    return read("bits-per-byte", completion, bits / size, size)
