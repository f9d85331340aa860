"""Example -> a row of OpenAI chat -> Example, for any conversation; and any bytes end in a reading or a clear error."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tailor import formats
from tailor.errors import TailorError
from tailor.records import Example, Message, Part, Reasoning, Source, Text, ToolCall, ToolResult

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(WORDS, VALUES, max_size=3)
WEIGHTS = st.sampled_from([None, 0.0, 1.0, 0.5])


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Any order of turns that makes sense: an optional system prompt, then rounds of user, tools and assistant."""
    messages = [Message("system", (Text(draw(WORDS)),))] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 3))):
        messages.append(Message("user", (Text(draw(WORDS)),)))
        names = draw(st.lists(NAMES, max_size=2))
        if names:
            calls = [ToolCall(name, draw(ARGUMENTS), f"{turn}.{index}") for index, name in enumerate(names)]
            messages.append(_assistant(draw, calls))
            results = [Message("tool", (ToolResult(draw(WORDS), call.id, call.name),)) for call in calls]
            messages += draw(st.permutations(results))
        messages.append(_assistant(draw, []))
    return tuple(messages)


def _assistant(draw: st.DrawFn, calls: list[ToolCall]) -> Message:
    thoughts = [Reasoning(draw(WORDS))] if draw(st.booleans()) else []
    texts = [] if calls else [Text(draw(WORDS))]
    parts: tuple[Part, ...] = (*thoughts, *texts, *calls)
    return Message("assistant", parts, draw(WEIGHTS))


def to_row(message: Message) -> dict[str, Any]:
    """A message as OpenAI writes it."""
    row: dict[str, Any] = {"role": message.role, "content": message.text}
    for part in message.parts:
        match part:
            case Reasoning(text):
                row["reasoning_content"] = text
            case ToolCall(name, arguments, id):
                function = {"name": name, "arguments": json.dumps(arguments)}
                row.setdefault("tool_calls", []).append({"id": id, "type": "function", "function": function})
            case ToolResult(content, id, name):
                row |= {"content": content, "tool_call_id": id, "name": name}
    return row if message.weight is None else row | {"weight": message.weight}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(conversations(), st.lists(NAMES, max_size=2)), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_any_conversation_survives_the_way_through_a_file(
    conversations: list[tuple[tuple[Message, ...], list[str]]], ascii: bool, indent: int | None
) -> None:
    rows = [
        {
            "messages": [to_row(m) for m in messages],
            "tools": [{"type": "function", "function": {"name": n}} for n in tools],
        }
        for messages, tools in conversations
    ]
    with tempfile.TemporaryDirectory() as folder:
        lines, whole = Path(folder, "a.jsonl"), Path(folder, "a.json")
        lines.write_text("\n".join(json.dumps(row, ensure_ascii=ascii) for row in rows), encoding="utf-8", newline="")
        whole.write_text(json.dumps(rows, ensure_ascii=ascii, indent=indent), encoding="utf-8", newline="")
        from_lines, from_list = formats.read([str(lines)]), formats.read([str(whole)])
    expected = [
        Example(kind="chat", source=Source("", 0), messages=messages, tools=tuple(row["tools"]))
        for (messages, _), row in zip(conversations, rows)
    ]
    assert [example.key for example in from_lines.examples] == [example.key for example in expected]
    assert [example.messages for example in from_list.examples] == [messages for messages, _ in conversations]
    assert [example.source.line for example in from_lines.examples] == list(range(1, len(rows) + 1))


SEED = b'{"messages": [{"role": "user", "content": "\xc3\xa4 \\"x\\""}, {"role": "assistant", "content": "b"}]}\n'


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.parquet", "a.xlsx", "a.jsonl.gz", "a.txt"]),
    st.binary(max_size=60)
    | st.tuples(st.integers(0, len(SEED)), st.integers(0, 3), st.binary(max_size=3)).map(
        lambda cut: SEED + SEED[: cut[0]] + cut[2] + SEED[cut[0] + cut[1] :]
    )
    | st.text('[]{}",:\\ \nab1\ufeff', max_size=40).map(str.encode),
)
def test_any_bytes_are_read_or_refused_clearly(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        try:
            reading = formats.read([str(path)])
        except TailorError as error:
            assert str(path) in str(error)
            return
        assert reading.rows_in == len(reading.examples) > 0
