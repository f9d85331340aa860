"""Messages as templates take them, and the marks that keep a user's words from becoming special tokens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailor.records import Media, Message, Reasoning, Text, ToolCall, ToolResult, message
from tailor.render.conversation import NONCHARACTERS, Conversation, Guard, Unrenderable, free_mark

TOKENS = ["<|a|>", "<|a|>b", "|>b", "<|<|a|>"]


def test_the_form_of_messages() -> None:
    messages = (
        message("system", "s"),
        Message("user", (Text("a"), Text("b"))),
        Message("assistant", (Reasoning("why"), Text("t"), ToolCall("f", {"x": 1}, "id"), ToolCall("g", {}))),
        Message("tool", (ToolResult("one", "id", "f"), ToolResult("two"))),
        Message("user", (ToolResult("three"), Text("and now?"))),
    )
    found = Conversation.of(messages)
    calls: list[dict[str, Any]] = [
        {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}, "id": "id"},
        {"type": "function", "function": {"name": "g", "arguments": {}}},
    ]
    assert found.wire == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": "t", "reasoning_content": "why", "thinking": "why", "tool_calls": calls},
        {"role": "tool", "content": "one", "tool_call_id": "id", "name": "f"},
        {"role": "tool", "content": "two"},
        {"role": "tool", "content": "three"},
        {"role": "user", "content": "and now?"},
    ]
    assert found.ends == [0, 1, 2, 3, 5, 7]
    text = Conversation.of(messages, arguments_as_text=True).wire[2]["tool_calls"][0]["function"]["arguments"]
    assert text == '{"x": 1}'


def test_media_are_refused() -> None:
    with pytest.raises(Unrenderable, match="cannot be rendered yet"):
        Conversation.of((Message("user", (Text("see"), Media("image", "cat.png"))),))


@given(st.lists(st.sampled_from([*TOKENS, "<|", "|>", "a", "b", " ", NONCHARACTERS[0]]), max_size=12).map("".join))
def test_no_token_survives_marking_and_nothing_else_changes(text: str) -> None:
    guard = Guard(TOKENS[:2], TOKENS[2:])
    wire = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    tools = [{"name": text, "keys": {text: [text, 1, None]}}]
    assert guard.suspicious(wire, tools) == any(token in text for token in TOKENS)
    marked, marked_tools, mark = guard.mark(wire, tools, structural=True)
    assert not any(token in marked[0]["content"] for token in TOKENS)
    assert not any(token in marked[1]["content"] for token in TOKENS[:2])
    assert mark not in text
    assert [entry["content"].replace(mark, "") for entry in marked] == [text, text]
    safe = marked[0]["content"]
    assert marked_tools == [{"name": safe, "keys": {safe: [safe, 1, None]}}]


def test_a_text_with_all_noncharacters_has_no_mark() -> None:
    with pytest.raises(Unrenderable, match=r"U\+FDD0"):
        free_mark("".join(NONCHARACTERS))
