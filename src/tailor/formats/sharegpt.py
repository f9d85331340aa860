"""ShareGPT: `conversations` of `from` and `value`, with function_call and observation turns, `system` and `tools`."""

from __future__ import annotations

from tailor.formats._turns import conversation, system_turn, tools, turns
from tailor.formats.base import Malformed, Path, Row, describe, first_key, missing
from tailor.records import Example, Message, Source

TURNS = ("conversations", "conversation")
KEYS: tuple[str, ...] = (*TURNS, "system", "tools")
NAME = "sharegpt"


def recognise(row: Row) -> tuple[str, ...]:
    """Rows with `conversations`."""
    if first_key(row, TURNS) is None:
        return ()
    return tuple(key for key in KEYS if row.get(key) is not None)


def example(row: Row, source: Source) -> Example:
    """Kind `chat`, or `prompt` where the assistant has not answered yet."""
    key = first_key(row, TURNS)
    if key is None:
        raise missing(row, TURNS)
    start = system(row, "system")
    messages = start + turns(row[key], (key,))

    def place(index: int) -> Path:
        return (key, index - len(start)) if index >= len(start) else ("system",)

    return conversation(source, messages, tools(row.get("tools"), ("tools",)), place)


def system(row: Row, key: str | None) -> tuple[Message, ...]:
    """The system prompt that stands in a key of its own; none where the key is missing or empty."""
    text = row.get(key) if key else None
    if text is None or text == "":
        return ()
    if not isinstance(text, str):
        raise Malformed(f"{key} is {describe(text)}, not text", (key or "",))
    return (system_turn(text),)
