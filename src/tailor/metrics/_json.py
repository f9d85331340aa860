"""Reading JSON that nobody vouches for, and comparing it."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from tailor.metrics.base import clean, shown

MAX_DEPTH = 64  # deeper than any form; keeps every walk over a value far from Python's own limit
MAX_LENGTH = 1_000_000


class NotJson(Exception):
    """The text is no JSON that can be worked with; its message says why."""


def parse(text: str, *, unique: bool = True) -> Any:
    """The value of strict JSON (RFC 8259) that means the same to every reader.

    Raises NotJson for text around the value, NaN and Infinity, numbers that no double holds, more than 4,300 digits,
    lists in lists deeper than MAX_DEPTH, more than MAX_LENGTH characters, and, if keys must be `unique`, one given
    twice: the RFC allows that, but readers differ in which of the two they take.
    """
    text = text.strip(" \t\r\n")
    if not text:
        raise NotJson("empty")
    if len(text) > MAX_LENGTH:
        raise NotJson(f"longer than {MAX_LENGTH:,} characters")
    try:
        hook = _unique if unique else None
        value = json.loads(text, object_pairs_hook=hook, parse_constant=_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        fence = ", in a code fence" if text.startswith("```") else ""
        raise NotJson(f"{error.msg} at line {error.lineno} column {error.colno}{fence}") from None
    except RecursionError:
        raise NotJson(f"nested deeper than {MAX_DEPTH}") from None
    except ValueError:  # Python refuses to read integers of more than 4,300 digits
        raise NotJson("a number of more than 4,300 digits") from None
    if _deeper(value, MAX_DEPTH):
        raise NotJson(f"nested deeper than {MAX_DEPTH}")
    return value


def same(a: Any, b: Any) -> bool:
    """Equal as JSON: key order is nothing, 1 and 1.0 are one number, true is not 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b)


def first_difference(wanted: Any, given: Any, path: str = "$") -> str:
    """Where two values that are not the `same` part first, and what stands there."""
    if isinstance(wanted, dict) and isinstance(given, dict):
        for key in sorted(wanted.keys() | given.keys()):
            place = f"{path}.{key}"
            if key not in given:
                return f"{clean(place)} is missing"
            if key not in wanted:
                return f"{clean(place)} was not wanted"
            if not same(wanted[key], given[key]):
                return first_difference(wanted[key], given[key], place)
    if isinstance(wanted, list) and isinstance(given, list):
        for number, (one, other) in enumerate(zip(wanted, given)):
            if not same(one, other):
                return first_difference(one, other, f"{path}[{number}]")
        return f"{clean(path)} has {len(given)} items, wanted {len(wanted)}"
    return f"{clean(path)}: wanted {_brief(wanted)}, given {_brief(given)}"


def _brief(value: Any) -> str:
    return clean(json.dumps(value, ensure_ascii=False), 60)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise NotJson(f"the key {shown(key)} stands twice")
        found[key] = value
    return found


def _constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotJson(f"the number {shown(text, 30)} is too large")
    return number


def _deeper(value: Any, limit: int) -> bool:
    """Whether a value holds more than `limit` levels of lists and objects."""
    level = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return any(isinstance(item, dict | list) for item in level)


def parse_both(wanted: str, given: str) -> tuple[Any, Any]:
    """(wanted, given) as values. Raises NotJson that says which of the two is none, and why."""
    try:
        expected = parse(wanted)
    except NotJson as reason:
        raise NotJson(f"the wanted answer is not JSON: {reason}") from None
    try:
        return expected, parse(given)
    except NotJson as reason:
        raise NotJson(f"not JSON: {reason}") from None
