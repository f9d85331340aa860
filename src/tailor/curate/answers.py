"""What an answer is (a number, JSON, a label, prose), and whether two say the same, each kind by its own measure."""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from tailor.curate.rows import Row, json_value

Form = Literal["none", "json", "number", "line", "prose"]

LABEL = 64  # characters: what is longer is no label
SAME_PROSE = 0.5  # F1 of words from which two texts that name the same are taken as one answer in other words
_NUMBER = re.compile(r"[$€£¥]?\s*([+-]?\d[\d,]*(?:\.\d+)?|[+-]?\.\d+)\s*(%?)\.?")
_GIVEN = re.compile(r"####\s*([+-]?[\d,]*\.?\d+)\s*$")
_WORD = re.compile(r"\w+")
_KEY = re.compile(r'"[^"]*"\s*:')
_NAME = re.compile(r"(?<=[a-z,;] )([A-Z][a-z]{2,})")


def form(answer: str) -> Form:
    """What kind of answer this is: `line` is one short line that is neither JSON nor a number, perhaps a label."""
    text = answer.strip()
    if not text:
        return "none"
    if text[0] in "{[" and json_value(text) is not None:
        return "json"
    if len(text) <= LABEL and "\n" not in text:
        return "number" if number(text) is not None else "line"
    return "prose"


def number(answer: str) -> float | None:
    """The number that an answer is or ends in after `####`, however it is written; None where there is none."""
    match = _GIVEN.search(answer) or _NUMBER.fullmatch(answer.strip())
    if match is None:
        return None
    digits = match[1].replace(",", "")
    if len(digits) > 300:
        return None
    return float(digits) / (100 if match.lastindex == 2 and match[2] else 1)


def agree(a: str, b: str, *, labels: bool = False) -> bool:
    """Whether two answers say the same. `labels`: they name classes, so any other word is another answer."""
    forms = {form(a), form(b)}
    if forms == {"json"}:
        return bool(json_value(a) == json_value(b))
    numbers = number(a), number(b)
    if None not in numbers:
        return numbers[0] == numbers[1]
    if labels or forms & {"json", "number", "none"}:
        return a.split() == b.split()
    return overlap(a, b) >= SAME_PROSE and not (_names(a) - _names(b) and _names(b) - _names(a))


def _names(text: str) -> set[str]:
    """Capitalised words within a sentence, in lower case: who and what a text speaks of."""
    return {match[1].casefold() for match in _NAME.finditer(text)}


def follows(a: Row, b: Row) -> bool:
    """Whether two answers differ as their questions do: each word of one answer alone, names of JSON keys aside, stands
    in its question, and one of them in its question alone."""
    asked, given = ([set(_WORD.findall(text)) for text in texts] for texts in zip(*map(_plain, (a, b))))
    here, there = given[0] - given[1], given[1] - given[0]
    return here <= asked[0] and there <= asked[1] and bool(here - asked[1] or there - asked[0])


def _plain(row: Row) -> tuple[str, str]:
    return row.plain_prompt, _KEY.sub(" ", row.plain_answer)


def side_by_side(here: Row, there: Row) -> str:
    """Two rows as evidence: what was asked and what was answered, the question once where it is the same."""
    asked = [f"asked  {here.asked()}"]
    if here.plain_prompt != there.plain_prompt:
        asked.append(f"and    {there.asked()}")
    return "\n".join([*asked, f"here   {here.given()}", f"there  {there.given()}"])


def parting(here: Row, there: Row, room: int = 66) -> str:
    """Two nearly equal rows as evidence: each from shortly before the place where they part, case aside."""
    texts = [" ".join(f"{row.prompt} → {row.answer}".split()) for row in (here, there)]
    apart = (at for at, (one, other) in enumerate(zip(*map(str.lower, texts))) if one != other)
    start = next(apart, min(map(len, texts))) - room // 3
    start = 0 if start <= 0 else texts[0].rfind(" ", 0, start) + 1
    shown = [f"{'…' * bool(start)}{text[start : start + room]}{'…' * (len(text) > start + room)}" for text in texts]
    return f"here   {shown[0]}\nthere  {shown[1]}"


def overlap(a: str, b: str) -> float:
    """F1 of the words of two texts, case aside; 1 where neither has any."""
    left, right = Counter(_WORD.findall(a.lower())), Counter(_WORD.findall(b.lower()))
    common = (left & right).total()
    size = left.total() + right.total()
    return 2 * common / size if size else 1.0
