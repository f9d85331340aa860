"""Messages in the form that chat templates are written for, and literal special tokens in them kept apart.

A user who writes `<|im_end|>` in a message must not end the turn by it. The template's own special tokens and the
user's words arrive in one text, so the words are marked before rendering: behind the first character of every literal
special token stands a character that Unicode reserves for such private use (a noncharacter, U+FDD0 and following). The
text is later cut there and the pieces are tokenised one by one, so the token never forms; without the mark the text is
byte for byte what the stock template gives, which is checked for every row that holds such a literal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tailor.records import Media, Message, Reasoning, ToolCall, ToolResult

NONCHARACTERS = tuple(chr(code) for code in range(0xFDD0, 0xFDF0))


class Unrenderable(Exception):
    """These messages cannot be written in this template; the text says why, `fix` what to do."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.fix = fix


@dataclass(frozen=True)
class Conversation:
    """`wire` is the conversation as templates take it; the first n messages are its first `ends[n]` entries."""

    wire: list[dict[str, Any]]
    ends: list[int]

    @classmethod
    def of(cls, messages: Sequence[Message], *, arguments_as_text: bool = False) -> Conversation:
        """`arguments_as_text` writes a call's arguments as a JSON string. Raises Unrenderable for media."""
        wire: list[dict[str, Any]] = []
        ends = [0]
        for message in messages:
            wire += _entries(message, arguments_as_text)
            ends.append(len(wire))
        return cls(wire, ends)


def _entries(message: Message, arguments_as_text: bool) -> list[dict[str, Any]]:
    """One entry, or one for each tool result and one for what else the turn says."""
    if any(isinstance(part, Media) for part in message.parts):
        raise Unrenderable("images, sound and video cannot be rendered yet", "remove them from the row")
    results: list[dict[str, Any]] = [
        {"role": "tool", "content": part.content}
        | ({"tool_call_id": part.id} if part.id else {})
        | ({"name": part.name} if part.name else {})
        for part in message.parts
        if isinstance(part, ToolResult)
    ]
    if results and len(results) == len(message.parts):
        return results
    entry: dict[str, Any] = {"role": message.role, "content": message.text}
    reasoning = reasoning_text(message)
    if reasoning:
        entry |= {"reasoning_content": reasoning, "thinking": reasoning}  # gpt-oss reads the second name
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    if calls:
        entry["tool_calls"] = [_call(call, arguments_as_text) for call in calls]
    return [*results, entry]


def reasoning_text(message: Message) -> str:
    """The reasoning parts of a turn, joined."""
    return "".join(part.text for part in message.parts if isinstance(part, Reasoning))


def _call(call: ToolCall, arguments_as_text: bool) -> dict[str, Any]:
    arguments = json.dumps(call.arguments, ensure_ascii=False) if arguments_as_text else call.arguments
    entry: dict[str, Any] = {"type": "function", "function": {"name": call.name, "arguments": arguments}}
    return entry | ({"id": call.id} if call.id else {})


class Guard:
    """Finds literal special tokens in what people wrote and marks them."""

    def __init__(self, special: Sequence[str], structural: Sequence[str]) -> None:
        """`special` tokens are guarded everywhere, `structural` ones (of the template's own making, but not flagged as
        special: `<think>`, `<｜User｜>`) everywhere but in assistant turns, where the model itself may write them."""
        self._special = _pattern(special)
        self._all = _pattern([*special, *structural])

    def suspicious(self, wire: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> bool:
        """Whether any string holds a literal special token; this is asked of every row, so it only searches."""
        return any(_holds(entry, self._pattern_of(entry)) for entry in wire) or _holds(list(tools), self._all)

    def mark(
        self, wire: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], *, structural: bool
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
        """The same conversation with marks, and the mark: a noncharacter that stands nowhere in it."""
        mark = free_mark(json.dumps([list(wire), list(tools)], ensure_ascii=False))
        broad = self._all if structural else self._special
        marked = [_marked(e, self._pattern_of(e) if structural else self._special, mark) for e in wire]
        return marked, [_marked(tool, broad, mark) for tool in tools], mark

    def mark_text(self, text: str) -> tuple[str, str]:
        """A plain text with its special tokens marked, and the mark (empty where there is nothing to mark)."""
        if not self._special.search(text):
            return text, ""
        mark = free_mark(text)
        return _break(text, self._special, mark), mark

    def _pattern_of(self, entry: Mapping[str, Any]) -> re.Pattern[str]:
        return self._special if entry["role"] == "assistant" else self._all


def free_mark(text: str) -> str:
    """A noncharacter that `text` does not hold. Raises Unrenderable where it holds all of them."""
    for mark in NONCHARACTERS:
        if mark not in text:
            return mark
    raise Unrenderable("the text holds every noncharacter from U+FDD0 to U+FDEF", "remove them: they stand for no text")


def _pattern(tokens: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(set(tokens), key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _holds(value: Any, pattern: re.Pattern[str]) -> bool:
    if isinstance(value, str):
        return pattern.search(value) is not None
    if isinstance(value, dict):
        return any(_holds(key, pattern) or _holds(item, pattern) for key, item in value.items())
    return isinstance(value, list) and any(_holds(item, pattern) for item in value)


def _marked(value: Any, pattern: re.Pattern[str], mark: str) -> Any:
    if isinstance(value, str):
        return _break(value, pattern, mark)
    if isinstance(value, dict):
        return {_break(key, pattern, mark): _marked(item, pattern, mark) for key, item in value.items()}
    return [_marked(item, pattern, mark) for item in value] if isinstance(value, list) else value


def _break(text: str, pattern: re.Pattern[str], mark: str) -> str:
    """Until no token is left: breaking one may uncover another that overlapped it."""
    while pattern.search(text):
        text = pattern.sub(lambda match: match[0][0] + mark + match[0][1:], text)
    return text
