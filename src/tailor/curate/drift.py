"""What most answers have in common, and which do not: the one question of all rules of format drift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

from tailor.curate.answers import json_value
from tailor.curate.rows import Row

T = TypeVar("T", bound=Hashable)

USUAL = 0.8  # share from which a form is what the data means; at 10% of drift it stands well above
FEWEST = 20  # rows: fewer show no habit


def usual(seen: Sequence[T]) -> T | None:
    """What at least USUAL of them are; None where there is no such thing, or nothing else beside it."""
    if len(seen) < FEWEST:
        return None
    value, count = Counter(seen).most_common(1)[0]
    return value if USUAL * len(seen) <= count < len(seen) else None


def answered(row: Row) -> bool:
    """Whether the row has a plain answer to learn: no call of a tool, no text for continued pretraining."""
    example = row.example
    return example.kind in ("chat", "pair") and not row.against and not example.tools and bool(row.answer.strip())


def json_object(row: Row) -> dict[str, Any] | None:
    """The JSON object that the answer of a row is; None where it is none."""
    if not answered(row) or not row.answer.lstrip().startswith("{"):
        return None
    value = json_value(row.answer)
    return value if isinstance(value, dict) else None
