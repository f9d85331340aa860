"""A reference answer that no grader can read.

Most answers can be marked by a program, and this one cannot: it lacks the final answer that four of five others end in
(`#### 42`, `\\boxed{42}`, `The answer is 42`), or has no single number there or in the place of a plain number; or
it begins as JSON and cannot be read, has a key twice, or NaN. The grader then marks every output as wrong, whatever the
model says: in reinforcement learning the row's reward is always zero, in evaluation the score has a ceiling below one.
Providers ask that graders give the reference answer itself full marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from tailor.curate.answers import LABEL, number
from tailor.curate.drift import answered, usual
from tailor.curate.rules.base import Hit

if TYPE_CHECKING:
    from tailor.curate.corpus import Corpus
    from tailor.curate.rows import Row

CODE = "K301"
SEVERITY = "block"
COST = "every output for this row is marked as wrong, the right one too"
FIX = "write the reference as the others are written, and run the grader on it: it must give full marks"
_FINAL = re.compile(r"(?P<mark>####|\\boxed\{|(?i:(?:the )?(?:final )?answer(?: is|:)))[ \t*$]*(?P<value>[^\n]*)\s*\Z")
_NUMBER = re.compile(r"\d(?:[\d,.]*\d)?")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_WHY = {
    "none": "has no number after {mark!r}",
    "several": "has more than one number after {mark!r}",
    "empty": "has nothing after {mark!r}",
}


def collect(row: Row) -> tuple[str, str] | None:
    """(how the answer can be graded: its mark, `number`, `JSON` or nothing; what stands there)."""
    if not answered(row):
        return None
    text = row.answer.strip()
    if text[0] in "{[":
        return "JSON", _unreadable(text)
    final = _FINAL.search(text[-200:])
    if final:
        return final["mark"].casefold(), _kind(final["value"])
    return ("number", "number") if len(text) <= LABEL and number(text) is not None else ("", "")


def judge(corpus: Corpus) -> Iterator[Hit]:
    """One Hit a row."""
    rows, found = corpus.collected.get(CODE, ((), []))
    ways = [way for way, _ in found]
    wanted = usual(ways) or (ways[0] if len(set(ways)) == 1 else "")
    kind = usual([what for way, what in found if way == wanted])
    if not wanted:
        return
    for index, (way, what) in zip(rows, found):
        why = ""
        if way != wanted:
            why = f"has no {wanted!r}" if wanted not in ("JSON", "number") else f"is no {wanted}"
        elif wanted == "JSON":
            why = what and f"cannot be read as JSON: {what}"
        elif kind == "number" and what != kind:
            why = _WHY[what].format(mark=wanted)
        if why:
            row = corpus.row(index)
            share = ways.count(wanted) / len(ways)
            message = f"reference answer {why}; {share:.0%} of the others can be graded by it"
            yield Hit(message=message, rows=(row.index,), evidence=f"…{row.answer[-70:].strip()}", at=row.answer)


def _kind(value: str) -> str:
    """What stands where the final answer should: one number, several, none of them, or nothing."""
    if not value.strip(" .}$*"):
        return "empty"
    numbers = _NUMBER.findall(value)
    if not numbers:
        return "none"
    return "number" if len(numbers) == 1 and _GROUPED.fullmatch(numbers[0]) else "several"


def _unreadable(text: str) -> str:
    """Why a strict reader refuses this JSON; empty where it does not."""
    try:
        json.loads(text, parse_constant=_refused, object_pairs_hook=_once)
    except RecursionError:
        return "nested too deeply"
    except ValueError as error:
        return str(error).partition(":")[0]
    return ""


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        raise ValueError("a key stands twice")
    return keys
