"""The answer is one JSON value and nothing else."""

from __future__ import annotations

from tailor.metrics._json import NotJson, parse
from tailor.metrics.base import Aggregate, Samples, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "the answer is valid JSON"
AGGREGATE: Aggregate = "proportion"
SAMPLES: Samples = (
    ('{"a": 1}', '{"b": [null, 1e3, "\\u00e4"]}', 1.0),
    ('{"a": 1}', '{"a": 1', 0.0),
    ('{"a": 1}', '```json\n{"a": 1}\n```', 0.0),
    ('{"a": 1}', '{"a": NaN}', 0.0),
    ('{"a": 1}', '{"a": 1, "a": 2}', 1.0),
)


def score(example: Example, completion: Completion) -> Score:
    """1 where the text is JSON as RFC 8259 writes it (`_json.parse` says what that leaves out).

    A key may stand twice there; the metrics that look at values count that as wrong.
    """
    try:
        parse(completion.text, unique=False)
    except NotJson as reason:
        return scored("json-valid", completion, 0.0, f"not JSON: {reason}")
    return scored("json-valid", completion, 1.0)
