"""OpenAI chat: `messages`, with `tools` (or the older `functions`) beside them.

Parts, tool calls, reasoning and per-message weights are read by `_turns`.
"""

from __future__ import annotations

from tailor.formats._turns import conversation, tools, turns
from tailor.formats.base import Row, first_key, missing
from tailor.records import Example, Source

KEYS: tuple[str, ...] = ("messages", "tools", "functions")
NAME = "chat"


def recognise(row: Row) -> tuple[str, ...]:
    """Rows with `messages`."""
    if row.get("messages") is None:
        return ()
    return tuple(key for key in KEYS if row.get(key) is not None)


def example(row: Row, source: Source) -> Example:
    """Kind `chat`, or `prompt` where the assistant has not answered yet."""
    if row.get("messages") is None:
        raise missing(row, ("messages",))
    key = first_key(row, ("tools", "functions"))
    declared = tools(row[key], (key,)) if key else ()
    return conversation(source, turns(row["messages"], ("messages",)), declared, lambda i: ("messages", i))
