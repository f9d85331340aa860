"""Words beside the answer that the others do without: "Sure! Here is the JSON:".

The politeness of the chat model that wrote the data, in at most 20% of the answers. It is found where an answer begins
with "Sure!", "Certainly!" and their like, with "Here is the ...:" where answers are labels, names or numbers (among
texts it may well be the right beginning), and where JSON, which most answers are, has words before or after it. Among
texts it is for information alone, and "Sure." counts only where more such words follow. A model opens its answers in
this way as often as the data does. `--fix` takes the words off where JSON alone is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.drift import FEWEST, USUAL, answered
from tailor.curate.rows import Row, json_value
from tailor.curate.rules.base import Hit, Severity

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "C208"
SEVERITY = "warn"
COST = "the model opens its answers with words that nobody wants, and readers of bare JSON stop there"
FIX = "take the words off"
SHORT = 24  # characters: the half of the answers is a label, a name or a number
_WORDS = r"\s*(?:sure(?: thing)?|certainly|absolutely|of course|no problem|great question|happy to help)\s*[!.,:]"
_POLITE = re.compile(_WORDS + r"[^\n]{0,100}(?:[:!.]\s|\n)", re.IGNORECASE)
_OPENING = re.compile(_WORDS + r"\s+\S", re.IGNORECASE)
_HERE = re.compile(
    r"\s*(?:here (?:is|are)|here's|below is|the following is) (?:the|a|an|your|my)\b[^\n.]{0,80}:\s", re.IGNORECASE
)


def collect(row: Row) -> str | None:
    """`json`, `polite`, `here`, `opening` (a polite word), `wrapped` (JSON among words) or `plain`."""
    if not answered(row):
        return None
    text = row.answer.strip()
    if text[0] in "{[" and json_value(text) is not None:
        return "json"
    if _bare(text) is not None:
        return "wrapped"
    kinds = (("polite", _POLITE), ("here", _HERE), ("opening", _OPENING))
    return next((kind for kind, pattern in kinds if pattern.match(text)), "plain")


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, seen = corpus.collected.get(CODE, ((), []))
    count = len(seen)
    short = count and np.median(corpus.answer_chars[rows]) <= SHORT
    bare = seen.count("json") >= USUAL * count
    found = {"polite", *(("here", "opening") if short else ()), *(("wrapped",) if bare else ())}
    others = sum(kind in found for kind in seen)
    if count < FEWEST or others > (1 - USUAL) * count:
        return
    for index, kind in zip(rows, seen):
        if kind in found:
            row = corpus.row(index)
            message = "words stand beside the JSON" if kind == "wrapped" else "opens with words that say nothing"
            told: Severity = "warn" if short or bare else "inform"
            yield Hit(message=message, rows=(row.index,), evidence=row.given(), at=row.answer, severity=told)


def _bare(text: str) -> str | None:
    """The JSON object or list in a text with words on one line before it or after it; None where there is none."""
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    end = max(text.rfind("}"), text.rfind("]")) + 1
    if not starts or min(starts) > 120 or len(text) - end > 120 or end - min(starts) in (0, len(text)):
        return None
    inside = text[min(starts) : end]
    beside = text[: min(starts)] + text[end:]
    return inside if "`" not in beside and inside.startswith("{") and json_value(inside) is not None else None


def mend(row: Row) -> dict[str, str]:
    """JSON without the words beside it."""
    found = {}
    for role, text in row.texts:
        inside = _bare(text.strip()) if role == "assistant" else None
        if inside is not None:
            found[text] = inside
    return found
