"""JSON text -> values, strictly, and what is wrong with it where it is not JSON.

msgspec decodes; only a text that it refuses, or that may hold a key twice, is read a second time by the slower standard
library to say where the fault is. What JSON lets pass and training must not (a key given twice, NaN, half a surrogate
pair, numbers no float holds) is refused as well.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

import msgspec

from tailor.formats.base import Malformed, Path

_decode = msgspec.json.Decoder().decode
_scan = json.JSONDecoder().raw_decode
_KEY = re.compile(rb'"\s*:')
_STRING = r'"(?:[^"\\]|\\.)*"'
_NOT_A_NUMBER = re.compile(rf"{_STRING}|(-?Infinity|NaN)", re.DOTALL)
_NUMBER = re.compile(rf"{_STRING}|(-?\d[\d.eE+-]*)", re.DOTALL)
_SURROGATE = re.compile(r"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)")
_SPACE = re.compile(r"[ \t\r\n]*")
_BRACKETS = re.compile(rf"{_STRING}|([{{\[])|([}}\]])", re.DOTALL)
DEEPEST = 100  # levels; what reads a row after us recurses into it


class Broken(Malformed):
    """A text that is no JSON; `offset` counts characters from its start."""

    def __init__(self, what: str, offset: int, fix: str = "", kind: str = "syntax") -> None:
        super().__init__(what, (), fix, kind)
        self.offset = offset


class NotUtf8(Broken):
    """A text that is not UTF-8: `byte` is the first that cannot be read, `start` how many bytes stand before it."""

    def __init__(self, raw: bytes, start: int) -> None:
        super().__init__("this is not UTF-8", len(raw[:start].decode()), kind="encoding")
        self.byte = raw[start]
        self.start = start


def decode(raw: bytes) -> Any:
    """The value of a JSON text. Raises Broken."""
    try:
        value = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _explain(raw) from None
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _depth(value) > DEEPEST:
        raise _too_deep(raw.decode())
    # Every key is followed by a colon, so as many colons as keys means that none was given twice. Colons after quotes
    # within texts only make the slow look happen for nothing.
    if b'\\"' in raw:
        colons = len(_KEY.findall(raw.replace(b"\\\\", b"").replace(b'\\"', b"")))
    else:
        colons = len(_KEY.findall(raw))
    if colons != _count_keys(value):
        _refuse_repeated_keys(raw)
    return value


def _count_keys(value: Any) -> int:
    """Number of keys in all objects of a value."""
    count = 0
    todo = [value]
    while todo:
        value = todo.pop()
        if type(value) is dict:
            count += len(value)
            todo += [item for item in value.values() if type(item) is dict or type(item) is list]
        elif type(value) is list:
            todo += [item for item in value if type(item) is dict or type(item) is list]
    return count


def _refuse_repeated_keys(raw: bytes) -> None:
    """Raises Broken at the second of two equal keys of one object."""
    text = raw.decode()
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items) and not repeated:
            keys = [key for key, _ in items]
            repeated.append(next(key for index, key in enumerate(keys) if key in keys[:index]))
        return found

    try:
        json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return  # the standard library refuses what msgspec took; then it was well formed
    if repeated:
        raise Broken(
            f"the key {repeated[0]!r} is given twice in one object",
            _second_key(text, repeated[0]),
            "keep one of the two: readers differ in which they take",
            "repeated-key",
        )


def _second_key(text: str, key: str) -> int:
    """Offset of the key that some object gives for the second time; 0 where the walk does not find it."""
    seen: list[set[str]] = []
    index = 0
    while index < len(text):
        char = text[index]
        if char == '"':
            start = index
            word, index = scanstring(text, index + 1, True)
            after = _SPACE.match(text, index)
            is_key = seen and after is not None and text[after.end() : after.end() + 1] == ":"
            if is_key and word == key and word in seen[-1]:
                return start
            if is_key:
                seen[-1].add(word)
            continue
        if char == "{":
            seen.append(set())
        elif char == "}":
            seen.pop()
        index += 1
    return 0


# --------------------------------------------------------------------------------------------- explanations


def _explain(raw: bytes) -> Broken:
    """Why a text is refused, and where."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return NotUtf8(raw, error.start)
    try:
        json.loads(text, parse_constant=_found_constant)
    except json.JSONDecodeError as error:
        return _syntax(text, error)
    except _Constant:
        found = next(match for match in _NOT_A_NUMBER.finditer(text) if match[1])
        return Broken(f"{found[1]} is no JSON value", found.start(), "use null, or leave the key out")
    except RecursionError:
        return _too_deep(text)
    except ValueError:  # an integer of thousands of digits
        pass
    for match in _SURROGATE.finditer(text):
        if match[1]:
            fix = "the text was cut inside an emoji or encoded twice: write the character itself"
            return Broken(f"{match[1]} is half of a surrogate pair, no character", match.start(), fix)
    for match in _NUMBER.finditer(text):
        if match[1] and _too_large(match[1]):
            shown = match[1] if len(match[1]) <= 24 else f"{match[1][:20]}... ({len(match[1]):,} digits)"
            return Broken(f"the number {shown} is larger than any number type holds", match.start(), "write it as text")
    return Broken("this is not JSON", 0)


def _depth(value: Any) -> int:
    """Levels of objects and lists within each other."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inner = [item for held in level for item in (held.values() if type(held) is dict else held)]
        level = [item for item in inner if type(item) is dict or type(item) is list]
    return depth


def _too_deep(text: str) -> Broken:
    """At the bracket that opens one level too many."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += bool(match[1]) - bool(match[2])
        if depth > DEEPEST:
            return Broken(f"nested more than {DEEPEST} levels deep", match.start(), "rows hold messages: flatten it")
    return Broken("this is not JSON", 0)


class _Constant(Exception):
    """NaN or an infinity was met."""


def _found_constant(word: str) -> Any:
    raise _Constant(word)


def _too_large(number: str) -> bool:
    return len(number) > 308 or abs(float(number)) == float("inf")


def _syntax(text: str, error: json.JSONDecodeError) -> Broken:
    rest = text[error.pos :].strip()
    if not rest or error.msg.startswith("Unterminated string"):
        return Broken(
            "the JSON ends in the middle", len(text.rstrip()), "the file was cut off here, or a bracket lacks"
        )
    if error.msg.startswith("Extra data"):
        return Broken("something follows the end of the JSON value", error.pos, "put each row on a line of its own")
    if rest[0] == "'":
        return Broken("single quotes are no JSON", error.pos, "use double quotes: write rows with json.dumps")
    if rest[:4] in ("True", "None") or rest[:5] == "False":
        return Broken("this is Python, not JSON", error.pos, "write rows with json.dumps")
    if error.msg.startswith("Invalid control character"):
        return Broken("a raw control character inside a text", error.pos, r"write it escaped: \n for a line end")
    if rest[0] in "}]" or error.msg.startswith("Expecting property name"):
        return Broken("a comma too many, or a key without quotes", error.pos, "JSON allows neither")
    message = error.msg[0].lower() + error.msg[1:]
    return Broken(f"not valid JSON: {message}", error.pos, "write rows with json.dumps")


# --------------------------------------------------------------------------------------------------- places


def locate(text: str, path: Path) -> int:
    """Offset in characters of the value at `path`; of what holds it where it is missing."""
    index = _skip(text, 0)
    for step in path:
        inner = _member(text, index, step) if text[index : index + 1] in ("{", "[") else None
        if inner is None:
            break
        index = inner
    return index


def _member(text: str, start: int, step: str | int) -> int | None:
    """Offset of the member `step` of the object or list that starts at `start`."""
    index, place = _skip(text, start + 1), 0
    while text[index] not in "}]":
        key: str | int = place
        if text[start] == "{":
            key, index = scanstring(text, index + 1, True)
            index = _skip(text, _skip(text, index) + 1)
        if key == step:
            return index
        index = _skip(text, _scan(text, index)[1])
        if text[index] == ",":
            index = _skip(text, index + 1)
        place += 1
    return None


def _skip(text: str, index: int) -> int:
    match = _SPACE.match(text, index)
    return match.end() if match else index
