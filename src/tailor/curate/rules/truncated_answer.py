"""An answer that breaks off.

A code fence, a bracket or JSON that is never closed; a last word that cannot be one (`and`, `the`, a comma); or no mark
at the end where 95% of answers in sentences have one. Base rate 2.4% in Alpaca. The model learns to stop in the middle
of a sentence. Lists, titles, sums, hash tags, code, labels and tables end without a mark and are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tailor.curate.rows import Row, json_value
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus

CODE = "Q103"
SEVERITY = "warn"
COST = "the model learns to stop in the middle of a sentence"
FIX = "complete the answer, or take the row out"

_WHOLE, _OPEN, _FENCE, _BRACKET, _JSON, _WORD = range(6)
_MESSAGES = {
    _OPEN: "the last sentence has no end",
    _FENCE: "a code block is never closed",
    _BRACKET: "a bracket is never closed",
    _JSON: "the JSON is never closed",
    _WORD: "the last word cannot be one",
}
_SHARE = 0.95  # of answers in sentences that end in a mark, from which one without is an exception
_END = re.compile(r"[.!?…:;)\]}>\"'”’»`*_~|。！？]\W*$|[^\x00-\u024f]\s*$")
_HANGING = re.compile(
    r"(?:[,(–—]|\b(?:and|or|but|the|an|of|to|with|from|into|because|which|their|his|its|your|our|my|is|are|was|were|be|been|"
    r"has|have|will|would|should|can|could|may|might|by|as|than|if|while|when|at|for|und|oder|der|die|das|mit|et|ou|le|la"
    r"|les|de|des|y|el|los|las))\s*$"
)
_ITEM = re.compile(r"\s*(?:[-*•+#>|]|\d+[.)]|[A-Za-z][.)] |[A-Z][\w ]{0,30}:)")
_NO_SENTENCE = re.compile(r"\d$|#\w+$|[-–—] ?[A-Z][\w. ]{2,30}$|:\s*(?:[^\s,.]+(?: [^\s,.]+){0,2}, )+[^,]{1,30}$")
_SENTENCE = re.compile(r"[.!?]\s+[\"'“(]?[A-ZÀ-Þ]")


def collect(row: Row) -> int | None:
    """How the answer ends; None for one that tells nothing."""
    answer = row.answer.rstrip()
    if row.example.kind == "text" or len(answer) < 16 or (" " not in answer and answer[0] not in "{[`"):
        return None
    if answer[:2] == "{{":
        return None  # a template
    if answer[0] in "{[" and answer[-1] not in "}]" and (answer[1:2] in '"{[' or answer[1:].lstrip()[:1] == '"'):
        return _JSON if json_value(answer) is None else _WHOLE
    if answer.count("```") % 2:
        return _FENCE
    if "```" in answer or answer[0] in "{[":
        return None
    last = answer[answer.rfind("\n") + 1 :]
    if (
        last.count("(") > last.count(")") + last.count(":(")
        and last.rfind("(") > len(last) - 200
        and not _END.search(last)
    ):
        return _BRACKET
    words = last.count(" ") + 1
    if words < 5 or _ITEM.match(last):
        return None
    if _HANGING.search(last[-16:]):
        return _WORD
    if _END.search(last[-8:]):
        return _WHOLE
    if _NO_SENTENCE.search(last) or sum(map(str.istitle, last.split())) > 0.6 * words:
        return None
    return _OPEN if "\n" not in answer or _SENTENCE.search(last) else None


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    indices, kinds = corpus.collected.get(CODE, ([], []))
    ends = np.array(kinds, np.int8)
    train = ~corpus.against[indices] if len(ends) else np.empty(0, bool)
    whole, still = int((ends[train] == _WHOLE).sum()), int((ends[train] == _OPEN).sum())
    exception = whole >= 20 and whole >= _SHARE * (whole + still)
    words = int((ends[train] == _WORD).sum())
    for index, kind in zip(np.asarray(indices)[train], ends[train]):
        if kind == _WHOLE or (kind == _OPEN and not exception):
            continue
        if kind == _WORD and words + still > whole:
            continue  # answers are phrases here
        row = corpus.row(index)
        line = row.answer.rstrip()[-100:]
        yield Hit(
            message=_MESSAGES[int(kind)], rows=(int(index),), evidence=f"…{' '.join(line.split())}", at=line[-40:]
        )
