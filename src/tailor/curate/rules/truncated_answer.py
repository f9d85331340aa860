"""An answer that breaks off.

A code fence, a bracket or JSON that is never closed; a last word that cannot be one (`and`, `the`, a comma); no mark
at the end where 95% of answers in sentences have one. Where 80% have one: a last word that is the beginning of words of
this data and none itself (`restaur`), or that stands in it often and practically never ends a sentence; and where
twenty have no mark, all those whose last word rather stands elsewhere than at an end, given how many of them were cut
by all their last words. And an answer without the last line that 80% of the answers have (`#### 18`, `Answer: 18`).
Base rate 2.4% in Alpaca. The model learns to stop in the middle of a sentence. Lists, titles, sums, hash tags,
addresses, code, labels and tables end without a mark and are left alone.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left
from collections import Counter
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

_NONE, _WHOLE, _OPEN, _FENCE, _BRACKET, _JSON, _WORD, _BARE, _ITEMS = range(9)
_MESSAGES = {
    _OPEN: "the last sentence has no end",
    _FENCE: "a code block is never closed",
    _BRACKET: "a bracket is never closed",
    _JSON: "the JSON is never closed",
    _WORD: "ends in {last!r}, as no sentence does",
    _BARE: "ends without a mark in {last!r}, which elsewhere goes on",
    _ITEMS: "ends in {last!r}, which elsewhere is but the beginning of words",
    _NONE: "the last line that the others have is not there",
}
_SHARE = 0.95  # of answers in sentences that end in a mark, from which one without is an exception
_MOST = 0.8  # the same, for answers whose last word speaks against them as well
_ROWS = 4000  # that tell what words there are, and which of them end a sentence
_FEW, _PRIOR = 20, 10  # answers without a mark that are judged together; places of a word that count as any word's
_RATHER = 0.6  # how sure it must be that such an answer was cut
_OFTEN, _ENDS = 50, 0.01  # of a word that stands so often, the share that ends a sentence
_LETTERS = re.compile(r"[^\W\d_]+")
_ENDING = re.compile(r"([^\W\d_]+)[\"'”’»)\]]*(?:[.!?:;]|\s*\n|\s*$)")
_HEAD = re.compile(r"\n[ \t]*([^\w\s]{2,}(?= )|[^\W\d][\w ]{0,20}:(?= ))[^\n]*\s*\Z")
_END = re.compile(r"[.!?…:;)\]}>\"'”’»`*_~|。！？]\W*$|[^\x00-\u024f]\s*$")
_LINK = re.compile(r"(?:https?://|www\.)\S+$|\s\.\w+$")
_HANGING = re.compile(
    r"(?:[,(–—]|\b(?:and|or|but|the|an|of|to|with|from|into|because|which|their|his|its|your|our|my|is|are|was|were|be|been|"
    r"has|have|will|would|should|can|could|may|might|by|as|than|if|while|when|at|for|und|oder|der|die|das|mit|et|ou|le|la"
    r"|les|de|des|y|el|los|las))\s*$"
)
_ITEM = re.compile(r"\s*(?:[-*•+#>|]|\d+[.)]|[A-Za-z][.)] |[A-Z][\w ]{0,30}:)")
_LAST = re.compile(r"\w+|\W")
_NO_SENTENCE = re.compile(r"\d%?$|#\w+$|[-–—] ?[A-Z][\w. ]{2,30}$|:\s*(?:[^\s,.]+(?: [^\s,.]+){0,2}, )+[^,]{1,30}$")
_SENTENCE = re.compile(r"[.!?]\s+[\"'“(]?[A-ZÀ-Þ]")


def collect(row: Row) -> int | None:
    """How the answer ends, and above the lowest byte how its last line begins; None for one that tells nothing."""
    kind = _kind(row)
    head = _HEAD.search(row.answer, max(0, len(row.answer) - 200)) if "\n" in row.answer else None
    if head is None or row.example.kind == "text":
        return kind
    return (kind or _NONE) | zlib.crc32(head[1].encode()) << 8


def _kind(row: Row) -> int | None:
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
    bare = _BARE if answer[-1].islower() and answer.count(" ") > 4 else None
    if words < 5 or _ITEM.match(last):
        return _ITEMS if bare and words > 5 else None
    if _HANGING.search(last[-16:]):
        return _WORD
    if _END.search(last[-8:]) or _LINK.search(last):
        return _WHOLE
    if _NO_SENTENCE.search(last) or sum(map(str.istitle, last.split())) > 0.6 * words:
        return _ITEMS if bare else None
    return _OPEN if "\n" not in answer or _SENTENCE.search(last) else bare


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    indices, values = corpus.collected.get(CODE, ([], []))
    told = np.array(values, np.int64)
    rows = np.asarray(indices, np.int64)
    told, rows = told[~corpus.against[rows]], rows[~corpus.against[rows]]
    ends = told & 0xFF
    whole, still, words = (int((ends == kind).sum()) for kind in (_WHOLE, _OPEN, _WORD))
    found = {int(row): int(kind) for row, kind in zip(rows, ends) if kind in (_FENCE, _BRACKET, _JSON)}
    if words + still <= whole:  # else answers are phrases here
        found |= dict.fromkeys(rows[ends == _WORD].tolist(), _WORD)
    if whole >= 20 and whole >= _MOST * (whole + still):
        loose = np.isin(ends, (_OPEN, _BARE, _ITEMS))
        found |= _cut(corpus, dict(zip(rows[loose].tolist(), ends[loose].tolist())))
    if whole >= 20 and whole >= _SHARE * (whole + still):
        found |= dict.fromkeys(rows[ends == _OPEN].tolist(), _OPEN)
    found = dict.fromkeys(_headless(corpus, rows, told >> 8), _NONE) | found
    for index, kind in sorted(found.items()):
        end = corpus.row(index).answer.rstrip()[-66:]
        message = _MESSAGES[kind].format(last="".join(_LAST.findall(end)[-1:]))
        yield Hit(message=message, rows=(index,), evidence=f"…{' '.join(end.split())}", at=end[-40:])


def _headless(corpus: Corpus, rows: np.ndarray, heads: np.ndarray) -> list[int]:
    """The rows without the last line that nearly all answers of several lines have; none where there is no such."""
    answered = ~corpus.against & (corpus.answer_key != 0)
    kinds, counts = np.unique(heads[heads != 0], return_counts=True)
    if not len(kinds) or counts.max() < max(20, _MOST * answered.sum()):
        return []
    without: list[int] = np.setdiff1d(np.flatnonzero(answered), rows[heads == kinds[counts.argmax()]]).tolist()
    return without


def _cut(corpus: Corpus, ends: dict[int, int]) -> dict[int, int]:
    """Those rows whose last word is the beginning of others and none itself, or (lists aside) ends no sentence."""
    loose = np.array(sorted(ends), np.int64)
    others = np.setdiff1d(np.flatnonzero(~corpus.against & (corpus.answer_key != 0)), loose)
    known: Counter[str] = Counter()
    ending: Counter[str] = Counter()
    for index in _evenly(others):
        row = corpus.row(index)
        known.update(_LETTERS.findall(row.plain_prompt))
        known.update(_LETTERS.findall(row.plain_answer))
        ending.update(match[1].casefold() for match in _ENDING.finditer(row.answer))
    last: dict[int, str] = {}
    ways: Counter[str] = Counter()  # last words, three of each
    for index in _evenly(loose):
        found = _LETTERS.findall(corpus.row(index).plain_answer)
        known.update(found[:-1])
        last[index] = " ".join(found[-3:])
        ways[last[index]] += 1
    ordered = sorted(known)
    cut: dict[int, int] = {}
    left: dict[int, str] = {}
    for index, words in last.items():
        word = words.rpartition(" ")[2]
        if ends[index] == _OPEN and ways[words] == 1:  # nobody is cut at one place twice
            left[index] = word
        after = bisect_left(ordered, word)
        if word and word not in known and after < len(ordered) and ordered[after].startswith(word):
            cut[index] = _ITEMS
        elif ends[index] != _ITEMS and known[word] >= _OFTEN and ending[word] < _ENDS * known[word]:
            cut[index] = _BARE
    rather = _endings([known[word] for word in left.values()], [ending[word] for word in left.values()], known, ending)
    return dict.fromkeys((index for index, cuts in zip(left, rather) if cuts), _OPEN) | cut


def _endings(often: list[int], ends: list[int], known: Counter[str], ending: Counter[str]) -> list[bool]:
    """Which answers without a mark at the end break off, by how often their last words end a sentence elsewhere.

    Of an answer that was cut the last word is any one, of one whose writer leaves the mark out it can end a sentence.
    How many were cut is the share under which all the last words are likeliest (a mixture of two, by EM).
    """
    if len(often) < _FEW:
        return [False] * len(often)
    base = max(ending.total(), 1) / max(known.total(), 1)
    share = (np.array(ends) + base * _PRIOR) / (np.array(often) + _PRIOR)
    odds = share / (1 - share) * (1 - base) / base  # of an end against any other place
    cut = 0.5
    for _ in range(50):
        cut = float((cut / (cut + (1 - cut) * odds)).mean())
    found: list[bool] = (cut / (cut + (1 - cut) * odds) > _RATHER).tolist()
    return found


def _evenly(rows: np.ndarray) -> list[int]:
    taken: list[int] = rows[np.linspace(0, len(rows) - 1, min(_ROWS, len(rows))).astype(np.intp)].tolist()
    return taken
