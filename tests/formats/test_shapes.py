"""Each shape's rows become exactly the Examples written here, and each shape keeps the contract."""

from __future__ import annotations

from typing import Any

import pytest

from tailor import formats
from tailor.errors import DataError
from tailor.formats import alpaca, chat, completion, pairs, rated, sharegpt, table, text
from tailor.formats.base import Malformed
from tailor.records import Example, Media, Message, Reasoning, Source, Text, ToolCall, ToolResult, message
from tailor.testing.formats import FormatContract

S = Source("f", 3)
USER = {"role": "user", "content": "a"}
ASSISTANT = {"role": "assistant", "content": "b"}
A, B = message("user", "a"), message("assistant", "b")
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def chatted(*messages: Message, **others: Any) -> Example:
    return Example(kind=others.pop("kind", "chat"), source=S, messages=messages, **others)


# ------------------------------------------------------------------------------------------------------ chat


class TestChat(FormatContract):
    format = chat
    rows = (
        {"messages": [USER, ASSISTANT]},
        {"messages": [USER]},
        {"messages": [USER, ASSISTANT], "tools": [TOOL]},
        {"messages": '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]'},
    )
    broken = (
        ({"messages": []}, ("messages",)),
        ({"messages": [USER, {"role": "robot", "content": "b"}]}, ("messages", 1, "role")),
        ({"messages": [USER, ASSISTANT], "tools": [{}]}, ("tools", 0)),
        ({"id": 1}, ()),
    )


def test_chat_with_everything_openai_allows() -> None:
    row = {
        "messages": [
            {"role": "developer", "content": "be brief"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "u"}}],
            },
            {
                "role": "assistant",
                "reasoning_content": "hm",
                "content": "",
                "weight": 0,
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": [1]}'}},
                    {"id": "2", "type": "function", "function": {"name": "g", "arguments": ""}},
                ],
            },
            {"role": "tool", "tool_call_id": "2", "content": "r2"},
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "r1"}], "name": "f"},
            {"role": "assistant", "content": None, "refusal": "no", "weight": 1},
        ],
        "tools": [TOOL, {"name": "g"}],
    }
    assert chat.example(row, S) == chatted(
        message("system", "be brief"),
        Message("user", (Text("see"), Media("image", "u"))),
        Message("assistant", (Reasoning("hm"), ToolCall("f", {"x": [1]}, "1"), ToolCall("g", {}, "2")), 0.0),
        Message("tool", (ToolResult("r2", "2"),)),
        Message("tool", (ToolResult("r1", "1", "f"),)),
        Message("assistant", (Text("no"),), 1.0),
        tools=(TOOL, {"type": "function", "function": {"name": "g"}}),
    )


def test_chat_of_the_older_function_form() -> None:
    row = {
        "messages": [
            USER,
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "r"},
            ASSISTANT,
        ],
        "functions": [{"name": "f"}],
    }
    assert chat.example(row, S) == chatted(
        A,
        Message("assistant", (ToolCall("f", {}),)),
        Message("tool", (ToolResult("r", "", "f"),)),
        B,
        tools=({"type": "function", "function": {"name": "f"}},),
    )


def test_chat_whose_parts_stand_under_value() -> None:
    row = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "value": "a"}], "loss_weight": 0.0},
            {
                "role": "assistant",
                "content": [
                    {"type": "reasoning", "value": "hm"},
                    {"type": "text", "value": "b"},
                    {"type": "tool_call", "value": '[{"name": "f", "arguments": {}}, {"name": "g", "arguments": {}}]'},
                ],
                "loss_weight": 0.5,
            },
        ]
    }
    parts = (Reasoning("hm"), Text("b"), ToolCall("f", {}), ToolCall("g", {}))
    assert chat.example(row, S) == chatted(A, Message("assistant", parts, 0.5))


def test_an_empty_turn_is_kept_and_two_users_in_a_row_are_allowed() -> None:
    row = {"messages": [USER, {"role": "user", "content": ""}, {"role": "assistant", "content": ""}]}
    assert chat.example(row, S) == chatted(A, message("user", ""), message("assistant", ""))


def test_sound_in_the_row_itself() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    example = chat.example({"messages": [{"role": "user", "content": [part]}]}, S)
    assert example.messages[0].parts == (Media("audio", "data:audio/wav;base64,AAAA"),)


# -------------------------------------------------------------------------------------------------- sharegpt


class TestShareGPT(FormatContract):
    format = sharegpt
    rows = (
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
        {"conversations": [{"from": "user", "value": "a"}], "system": "s", "tools": "[]"},
        {"conversation": [USER, ASSISTANT]},
    )
    broken = (
        ({"conversations": [{"from": "human", "value": 3}]}, ("conversations", 0, "value")),
        ({"conversations": [{"from": "observation", "value": "a"}], "system": "s"}, ("conversations", 0)),
        ({"conversations": [{"from": "human", "value": "a"}], "system": 1}, ("system",)),
    )


def test_sharegpt_with_calls_and_observations() -> None:
    row = {
        "system": "s",
        "tools": '[{"name": "f", "parameters": {"type": "object"}}]',
        "conversations": [
            {"from": "human", "value": "a"},
            {"from": "function_call", "value": '{"name": "f", "arguments": "{\\"x\\": 1}"}'},
            {"from": "observation", "value": "r"},
            {"from": "gpt", "value": "b", "weight": 1},
        ],
    }
    assert sharegpt.example(row, S) == chatted(
        message("system", "s"),
        A,
        Message("assistant", (ToolCall("f", {"x": 1}),)),
        Message("tool", (ToolResult("r"),)),
        message("assistant", "b", 1.0),
        tools=(TOOL,),
    )


# ------------------------------------------------------------------------------------------------ completion


class TestCompletion(FormatContract):
    format = completion
    rows = (
        {"prompt": "a", "completion": "b"},
        {"question": "a", "answer": "b", "system": "s"},
        {"input": "a", "output": "b"},
        {"prompt": [USER], "completion": [ASSISTANT]},
        {"prompt": "a"},
    )
    broken = (
        ({"prompt": "a", "completion": {"x": 1}}, ("completion",)),
        ({"prompt": "a", "completion": [USER]}, ("completion", 0)),
        ({"prompt": [USER, ASSISTANT], "completion": "b"}, ("completion",)),
        ({"question": [[USER], [USER]]}, ("question",)),
    )


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "completion": "b"},
        {"question": "a", "answer": "b"},
        {"query": "a", "response": "b"},
        {"input": "a", "target": "b"},
        {"prompt": [USER], "completion": [ASSISTANT]},
        {"prompt": "a", "completion": [ASSISTANT]},
        {"prompt": [USER], "completion": "b"},
        {"prompt": [[USER]], "completion": "b", "tools": []},
    ],
)
def test_every_spelling_of_prompt_and_completion(row: dict[str, Any]) -> None:
    assert completion.example(row, S) == chatted(A, B)


def test_labels_that_are_numbers_are_written_as_json_writes_them() -> None:
    rows = [{"prompt": 1, "completion": 2.5}, {"prompt": "a", "completion": True}]
    assert [completion.example(row, S).answer for row in rows] == ["2.5", "true"]


def test_question_lists_are_prompts_with_tools() -> None:
    row = {"id": "simple_0", "question": [[USER]], "function": [{"name": "f"}]}
    tools = ({"type": "function", "function": {"name": "f"}},)
    assert completion.example(row, S) == chatted(A, kind="prompt", tools=tools)


def test_a_prompt_and_its_completion_that_are_lists_keep_their_tool_turns() -> None:
    calls = [{"id": "1", "function": {"name": "f", "arguments": {}}}]
    row = {
        "prompt": [{"role": "system", "content": "s"}, USER],
        "completion": [
            {"role": "assistant", "tool_calls": calls},
            {"role": "tool", "tool_call_id": "1", "content": "r"},
            ASSISTANT,
        ],
    }
    call, result = Message("assistant", (ToolCall("f", {}, "1"),)), Message("tool", (ToolResult("r", "1"),))
    assert completion.example(row, S) == chatted(message("system", "s"), A, call, result, B)


# ---------------------------------------------------------------------------------------------------- alpaca


class TestAlpaca(FormatContract):
    format = alpaca
    rows = (
        {"instruction": "a", "input": "", "output": "b"},
        {"instruction": "a", "context": "c", "response": "b"},
        {"instruction": "a", "output": "b", "system": "s", "history": [["q", "r"]]},
        {"instruction": "a"},
    )
    broken = (
        ({"instruction": ["a"], "output": "b"}, ("instruction",)),
        ({"instruction": "a", "output": "b", "history": [["q", "r"], ["q", {}]]}, ("history", 1, 1)),
    )


def test_alpaca_joins_instruction_and_input_and_puts_history_before() -> None:
    row = {"instruction": "Add", "input": "1 and 2", "output": "3", "system": "s", "history": [["a", "b"]]}
    asked, given = message("user", "Add\n1 and 2"), message("assistant", "3")
    assert alpaca.example(row, S) == chatted(message("system", "s"), A, B, asked, given)


# ----------------------------------------------------------------------------------------------------- pairs

C, R = message("assistant", "c"), message("assistant", "r")
CHOSEN = {"role": "assistant", "content": "c"}
REJECTED = {"role": "assistant", "content": "r"}
SHARE = {"from": "gpt", "value": "c"}, {"from": "gpt", "value": "r"}


class TestPairs(FormatContract):
    format = pairs
    rows = (
        {"prompt": "a", "chosen": "c", "rejected": "r"},
        {"input": {"messages": [USER]}, "preferred_output": [CHOSEN], "non_preferred_output": [REJECTED]},
        {"instruction": "a", "input": "", "output": "c", "chosen": "c", "rejected": "r"},
        {"conversations": [{"from": "human", "value": "a"}], "chosen": SHARE[0], "rejected": SHARE[1]},
        {"chosen": [USER, CHOSEN], "rejected": [USER, REJECTED]},
    )
    broken = (
        ({"chosen": "c", "rejected": "r"}, ("chosen",)),
        ({"prompt": "a", "chosen": "c", "rejected": 3}, ("rejected",)),
        ({"prompt": "a", "chosen": [CHOSEN], "rejected": [CHOSEN, USER]}, ("rejected", 1)),
        ({"prompt": "z", "chosen": [USER, CHOSEN], "rejected": [USER, REJECTED]}, ("chosen", 0)),
        ({"messages": [USER, ASSISTANT], "chosen": "c", "rejected": "r"}, ("messages", 1)),
    )


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "chosen": "c", "rejected": "r"},
        {"question": "a", "chosen": "c", "rejected": "r"},
        {"prompt": [USER], "chosen": [CHOSEN], "rejected": [REJECTED]},
        {"prompt": "a", "chosen": [USER, CHOSEN], "rejected": [USER, REJECTED]},
        {"chosen": [USER, CHOSEN], "rejected": [USER, REJECTED]},
        {"chosen_messages": [USER, CHOSEN], "rejected_messages": [USER, REJECTED]},
        {"messages": [USER], "chosen": CHOSEN, "rejected": REJECTED},
        {"conversations": [{"from": "human", "value": "a"}], "chosen": SHARE[0], "rejected": SHARE[1]},
        {"instruction": "a", "input": "", "output": "c", "chosen": "c", "rejected": "r"},
        {"input": {"messages": [USER]}, "preferred_output": [CHOSEN], "non_preferred_output": [REJECTED]},
        {"input": {"messages": [USER]}, "preferred_completion": [CHOSEN], "non_preferred_completion": [REJECTED]},
    ],
)
def test_every_form_of_a_preference_pair(row: dict[str, Any]) -> None:
    assert pairs.example(row, S) == Example(kind="pair", source=S, messages=(A,), chosen=(C,), rejected=(R,))


def test_a_pair_with_tools_system_and_continuations_of_several_turns() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]}
    result = {"role": "tool", "tool_call_id": "1", "content": "x"}
    start = [{"role": "system", "content": "s"}, USER]
    row = {"chosen": [*start, call, result, CHOSEN], "rejected": [*start, REJECTED], "tools": [TOOL]}
    called, answered = Message("assistant", (ToolCall("f", {}, "1"),)), Message("tool", (ToolResult("x", "1"),))
    assert pairs.example(row, S) == Example(
        kind="pair",
        source=S,
        messages=(message("system", "s"), A),
        chosen=(called, answered, C),
        rejected=(R,),
        tools=(TOOL,),
    )


def test_equal_continuations_keep_the_last_turn_apart() -> None:
    example = pairs.example({"chosen": [USER, CHOSEN], "rejected": [USER, CHOSEN]}, S)
    assert (example.messages, example.chosen, example.rejected) == ((A,), (C,), (C,))


# ----------------------------------------------------------------------------------------------------- rated


class TestRated(FormatContract):
    format = rated
    rows = (
        {"messages": [USER, ASSISTANT], "label": True},
        {"prompt": "a", "completion": "b", "rating": 3},
        {"instruction": "a", "input": "", "output": "b", "kto_tag": False},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "label": "false"},
    )
    broken = (
        ({"messages": [USER, ASSISTANT], "label": "fine"}, ("label",)),
        ({"messages": [USER, ASSISTANT], "label": []}, ("label",)),
        ({"messages": [USER], "label": True}, ()),
    )


@pytest.mark.parametrize(
    ("label", "rating"), [(True, 1.0), (False, 0.0), ("true", 1.0), ("0", 0.0), (0.5, 0.5), (4, 4.0)]
)
def test_ratings(label: Any, rating: float) -> None:
    expected = chatted(A, B, kind="rated", rating=rating)
    assert rated.example({"messages": [USER, ASSISTANT], "label": label}, S) == expected
    assert rated.example({"prompt": "a", "completion": "b", "label": label}, S) == expected


# --------------------------------------------------------------------------------------------- text and table


class TestText(FormatContract):
    format = text
    rows = ({"text": "abc"}, {"content": "abc", "url": "u"})
    broken = (({"text": " \n"}, ("text",)), ({"text": 3}, ("text",)))


class TestTable(FormatContract):
    format = table
    decided_by_row = False
    rows = ({"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": 3})
    broken = (({"prompt": "a", "completion": {}}, ("completion",)),)


def columns(*names: str, rows: int = 30, **values: Any) -> list[dict[str, Any]]:
    """Rows of a table: `values` gives a column's cells by a function of the row number, others are free text."""
    words = lambda name: lambda i: f"{name} number {i} in words"  # noqa: E731
    return [{name: values.get(name, words(name))(i) for name in names} for i in range(rows)]


def few(i: int) -> str:
    return "even" if i % 2 else "odd"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (columns("text", "category", category=few), ("text", "category")),
        (columns("Category", "Text", Category=few), ("Text", "Category")),
        (columns("label", "original", "fixed"), ("original", "fixed")),  # a label that never repeats is none
        (columns("ID", "header", "note_text", "dialogue", header=few), ("dialogue", "note_text")),
        (columns("x", "y"), ("x", "y")),
        (columns("x", "y", x=few), ("y", "x")),
        (columns("id", "x", "y", "n", n=float), ("x", "y")),
        (columns("x", "y", "z"), None),
        (columns("x"), None),
        (columns("text", "url"), None),
    ],
)
def test_which_column_is_which(rows: list[dict[str, Any]], expected: tuple[str, str] | None) -> None:
    found = table.choose(rows)
    assert (found and (found.map["prompt"], found.map["completion"])) == expected


def test_malformed_is_the_only_error_of_a_shape() -> None:
    with pytest.raises(Malformed, match="no messages"):
        chat.example({}, S)
    with pytest.raises(DataError):
        formats.read(["no such file"])
