"""The answer is valid JSON and equals the wanted value: all fields right, none missing, none added."""

from __future__ import annotations

from tailor.metrics._json import NotJson, first_difference, parse_both, same
from tailor.metrics.base import Aggregate, Samples, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "the answer is valid JSON with every field right; key order does not matter"
AGGREGATE: Aggregate = "proportion"
BESIDE = ("field-f1", "json-valid")
SAMPLES: Samples = (
    ('{"a": 1, "b": [1, 2]}', ' {"b":[1.0,2],"a":1}\n', 1.0),
    ('{"a": 1, "b": [1, 2]}', '{"a": 1, "b": [2, 1]}', 0.0),
    ('{"a": 1}', '{"a": true}', 0.0),
    ('{"a": 1}', '{"a": "1"}', 0.0),
    ('{"a": 1}', '{"a": 1, "b": null}', 0.0),
    ('{"a": 1}', 'Sure! {"a": 1}', 0.0),
)


def score(example: Example, completion: Completion) -> Score:
    """1 where both texts are JSON and the values are the same; the detail names the first field that differs."""
    try:
        wanted, given = parse_both(example.answer, completion.text)
    except NotJson as reason:
        return scored("json-exact", completion, 0.0, str(reason))
    if same(wanted, given):
        return scored("json-exact", completion, 1.0)
    return scored("json-exact", completion, 0.0, first_difference(wanted, given))
