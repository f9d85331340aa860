"""Rows whose columns have names of their own: which of them is the prompt, and which the completion.

`choose` looks at the names first and at the content where they do not tell. Once the columns are renamed, the row is a
prompt and a completion like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tailor.formats import completion
from tailor.formats.base import Row
from tailor.records import Example, Source

KEYS: tuple[str, ...] = completion.KEYS
NAME = "table"

PROMPTS = (
    *completion.PROMPTS,
    "instruction",
    "text",
    "utterance",
    "sentence",
    "message",
    "ticket",
    "email",
    "body",
    "dialogue",
    "dialog",
    "conversation",
    "document",
    "article",
    "passage",
    "full_text",
    "original",
    "source_text",
    "meaning_representation",
    "mr",
    "content",
)
LABELS = ("label", "category", "class", "intent", "topic", "sentiment", "tag")
COMPLETIONS = (
    *completion.COMPLETIONS,
    *LABELS,
    "reply",
    "summary",
    "translation",
    "reference",
    "ref",
    "target_text",
    "corrected",
    "fixed",
    "masked",
    "sql",
    "highlights",
    "note",
)
_IDENTIFIERS = ("id", "uid", "uuid", "index", "idx", "url", "date", "time", "timestamp", "split", "source")
_ENOUGH = 20  # rows before their content is trusted to tell labels from free text


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column is which, as `--map` would say it, and how that was found."""

    map: dict[str, str]
    reason: str


def recognise(row: Row) -> tuple[str, ...]:
    """None by one row alone: `choose` looks at many."""
    return ()


def example(row: Row, source: Source) -> Example:
    """The renamed row: kind `chat`, or `prompt` where the completion is empty."""
    return completion.example(row, source)


def choose(rows: Sequence[Row], *, by_content: bool = True) -> Columns | None:
    """The columns of prompt and completion; None where it would be a guess.

    By names: the first of the known names that the table has, in the order given above; a label whose values hardly
    repeat is none. By content, where only the prompt is known by name: the one other column of free text. Where no name
    is known: the only two columns of text, the one whose values repeat being the completion.
    """
    columns = _columns(rows)
    names = {name.lower().replace(" ", "_").replace("-", "_"): name for name in columns}
    prompt = next((names[name] for name in PROMPTS if name in names), None)
    answers = [names[name] for name in COMPLETIONS if name in names and names[name] != prompt]
    answer = next((name for name in answers if name.lower() not in LABELS or _repeats(columns[name])), None)
    if prompt is not None and answer is not None:
        return Columns({"prompt": prompt, "completion": answer}, "by the names of the columns")
    if not by_content:
        return None
    free = [name for name in columns if name != prompt and _is_text(name, columns[name])]
    if prompt is not None:
        prose = [name for name in free if not _repeats(columns[name])]
        if len(prose) == 1:
            return Columns({"prompt": prompt, "completion": prose[0]}, "by the content of the columns")
        return None
    if len(free) == 2:
        first, second = free
        if _repeats(columns[first]) and not _repeats(columns[second]):
            first, second = second, first
        return Columns({"prompt": first, "completion": second}, "by the content of the columns")
    return None


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The values of each column that most rows have, without the empty ones."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    common = {name: values for name, values in columns.items() if 2 * len(values) > len(rows)}
    return {name: [value for value in values if value not in (None, "")] for name, values in common.items()}


def _is_text(name: str, values: Sequence[Any]) -> bool:
    """Whether a column holds words: no identifiers, numbers, lists."""
    words = name.lower().replace("-", "_").replace(" ", "_").split("_")
    if not values or any(word in _IDENTIFIERS for word in words):
        return False
    texts = [value for value in values if isinstance(value, str)]
    wordy = sum(any(char.isalpha() for char in text) for text in texts)
    return wordy > 0.8 * len(values)


def _repeats(values: Sequence[Any]) -> bool:
    """Whether values repeat as labels do; a short sample is given the benefit of the doubt."""
    if len(values) < _ENOUGH:
        return True
    return len({str(value) for value in values}) <= len(values) / 2
