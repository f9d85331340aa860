"""How many fields of a JSON answer are right: the harmonic mean of field precision and recall.

A field is a scalar (or an empty list or object) with its path. With m fields matched, precision is m / fields given and
recall m / fields wanted. Lists are compared without order, items paired so that the most fields match (assignment
problem, Jonker-Volgenant as SciPy solves it). Numbers match at 12 significant digits and also when written as text;
texts match in their normalised Unicode form with blanks collapsed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from tailor.metrics._json import NotJson, parse_both
from tailor.metrics.base import Aggregate, Samples, scored
from tailor.records import Completion, Example, Score

DESCRIPTION = "F1 of the fields of a JSON answer, lists without order"
AGGREGATE: Aggregate = "mean"
BESIDE = ("json-exact", "json-valid")
SAMPLES: Samples = (
    ('{"a": 1, "b": "x"}', '{"b": "x", "a": "1.0"}', 1.0),
    ('{"a": 1, "b": "x"}', '{"a": 1, "b": "y"}', 0.5),
    ('{"a": 1, "b": "x"}', '{"a": 1}', 2 / 3),
    ('[{"n": "a", "v": 1}, {"n": "b", "v": 2}]', '[{"n": "b", "v": 3}, {"n": "a", "v": 1}]', 0.75),
    ('{"a": 1}', "[1", 0.0),
)
NUMBER = re.compile(r"-?(0|[1-9]\d{0,30})(\.\d{1,30})?")  # no leading zeros: 007 is a name
MAX_PAIRS = 250_000  # of list items that are tried against each other; beyond it items keep their order


def score(example: Example, completion: Completion) -> Score:
    """F1 of the fields, 0 for what is not JSON; the detail gives precision and recall."""
    try:
        wanted, given = parse_both(example.answer, completion.text)
    except NotJson as reason:
        return scored("field-f1", completion, 0.0, str(reason))
    right, in_wanted, in_given = matched(wanted, given), size(wanted), size(given)
    detail = f"{right} fields right of {in_given} given (precision {right / in_given:.0%})"
    detail += f" and {in_wanted} wanted (recall {right / in_wanted:.0%})"
    return scored("field-f1", completion, 2 * right / (in_given + in_wanted), detail)


def size(value: Any) -> int:
    """Number of fields of a JSON value."""
    if isinstance(value, dict | list) and value:
        return sum(map(size, value.values() if isinstance(value, dict) else value))
    return 1


def matched(wanted: Any, given: Any) -> int:
    """The most fields of two JSON values that can be paired off as equal."""
    if isinstance(wanted, dict) and isinstance(given, dict) and wanted and given:
        return sum(matched(value, given[key]) for key, value in wanted.items() if key in given)
    if isinstance(wanted, list) and isinstance(given, list) and wanted and given:
        return _matched_lists(wanted, given)
    if isinstance(wanted, dict | list) or isinstance(given, dict | list):
        return int(wanted == given)  # two empty ones of a kind
    return int(_key(wanted) == _key(given))


def _matched_lists(wanted: list[Any], given: list[Any]) -> int:
    scalars = [Counter(_key(item) for item in items if not _nested(item)) for items in (wanted, given)]
    right = (scalars[0] & scalars[1]).total()
    one, other = ([item for item in items if _nested(item)] for items in (wanted, given))
    if not one or not other:
        return right
    if len(one) * len(other) > MAX_PAIRS:
        return right + sum(map(matched, one, other))
    table = np.array([[matched(a, b) for b in other] for a in one])
    return right + int(table[linear_sum_assignment(table, maximize=True)].sum())


def _nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _key(value: Any) -> tuple[str, Any]:
    """Equal for scalars that count as the same."""
    if isinstance(value, str):
        text = " ".join(unicodedata.normalize("NFKC", value).split())
        if not NUMBER.fullmatch(text):
            return "text", text
        value = float(text) if "." in text else int(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        exact = isinstance(value, int) and abs(value) >= 10**12  # identifiers: every digit counts
        return "number", str(value) if exact else f"{float(value) + 0.0:.12g}"
    return "constant", value
