"""What all metrics share. A metric is a file with

    DESCRIPTION            one line for the table of metrics
    AGGREGATE              how scores become one number: "proportion" (each 0 or 1), "mean", or "corpus"
    score(example, completion) -> Score      between 0 (worst) and 1 (as wanted)
    aggregate(pairs) -> float                corpus metrics only: (wanted, given) of all rows -> one number in 0..1
    SAMPLES                (wanted, given, score) that the contract suite checks

What a model says is untrusted: a score is given for it whatever it holds, in time that its length bounds. Texts are
compared without the blanks around them. A refused completion scores 0, also where nothing was wanted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

from tailor.records import Completion, Score

Aggregate = Literal["proportion", "mean", "corpus"]
Pairs = Sequence[tuple[str, str]]
Samples = tuple[tuple[str, str, float], ...]
REFUSED = "refused: the prompt is empty or fills the model's context"


def scored(metric: str, completion: Completion, value: float, detail: str = "") -> Score:
    """A score between 0 and 1; `detail` is kept where it is not 1."""
    if completion.finish_reason == "refused":
        return Score(metric=metric, value=0.0, detail=REFUSED)
    return Score(metric=metric, value=float(value), detail="" if value == 1 else detail)


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
