"""Malformed inputs, each with the exact place of the fault: a § in the text marks where it has to be reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailor import formats
from tailor.errors import DataError

GOOD = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'


def chat(*messages: str) -> str:
    return '{"messages": [' + ", ".join(messages) + "]}\n"


USER = '{"role": "user", "content": "a"}'
ASSISTANT = '{"role": "assistant", "content": "b"}'
CALL = (
    '{"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {}}}]}'
)

# name -> (file, text with § at the fault, words of the message)
ROWS: dict[str, tuple[str, str, str]] = {
    "half a line": ("a.jsonl", GOOD + '{"messages": [{"role": "user", "content": "a§', "ends in the middle"),
    "no object": ("a.jsonl", GOOD + '§"just text"\n', "a row is an object, this is text"),
    "list as a row": ("a.jsonl", GOOD + "§[1, 2]\n", "a row is an object, this is a list"),
    "two values on a line": ("a.jsonl", '{"prompt": "a", "completion": "b"} §{"prompt": "a"}\n', "something follows"),
    "single quotes": ("a.jsonl", GOOD + "{§'prompt': 'a'}\n", "single quotes"),
    "Python's True": ("a.jsonl", GOOD + '{"messages": §True}\n', "Python, not JSON"),
    "trailing comma": ("a.jsonl", GOOD + '{"prompt": "a", "completion": "b",§}\n', "a comma too many"),
    "not a number": ("a.jsonl", GOOD + '{"note": "NaN", "score": §NaN}\n', "NaN is no JSON value"),
    "infinity": ("a.jsonl", GOOD + '{"score": §-Infinity}\n', "-Infinity is no JSON value"),
    "huge integer": ("a.jsonl", GOOD + '{"id": §' + "9" * 5000 + "}\n", "(5,000 digits) is larger than any number"),
    "huge float": ("a.jsonl", GOOD + '{"id": §1e999}\n', "1e999 is larger than any number"),
    "lone surrogate": ("a.jsonl", GOOD + '{"text": "\\\\ud800 ab §\\ud83d"}\n', "half of a surrogate pair"),
    "raw control character": ("a.jsonl", GOOD + '{"text": "a§\tb"}\n', "control character"),
    "key twice": (
        "a.jsonl",
        GOOD + '{"prompt": "p\\":", "completion": "c", §"prompt": "q"}\n',
        "'prompt' is given twice",
    ),
    "key twice, deep": (
        "a.jsonl",
        chat(USER, '{"role": "assistant", "content": "b", §"role": "user"}'),
        "'role' is given",
    ),
    "deep nesting": (
        "a.jsonl",
        GOOD + '{"a":' * 100 + "§" + '{"a":' * 50_000 + "1" + "}" * 50_100 + "\n",
        "nested more than 100",
    ),
    "deep nesting that the decoder takes": (
        "a.jsonl",
        GOOD + '{"a":' * 100 + "§" + '{"a":' * 10 + "1" + "}" * 110 + "\n",
        "nested more than 100",
    ),
    "no messages": (
        "a.jsonl",
        GOOD + '§{"mesages": [], "id": 1}\n',
        "this row has no messages (did you mean 'mesages'?)",
    ),
    "messages no list": ("a.jsonl", GOOD + '{"messages": §3}\n', "messages is a number, not a list"),
    "empty messages": ("a.jsonl", GOOD + '{"messages": §[]}\n', "messages is empty"),
    "message no object": ("a.jsonl", GOOD + '{"messages": [§"a"]}\n', "this is text"),
    "unknown role": ("a.jsonl", chat('{"role": §"asistant", "content": "b"}'), "did you mean 'assistant'"),
    "no role": ("a.jsonl", chat('§{"content": "b"}'), "no role"),
    "role no text": ("a.jsonl", chat('{"role": §1, "content": "b"}'), "the role is a number"),
    "no content": ("a.jsonl", chat(USER, '§{"role": "assistant", "contnet": "b"}'), "did you mean 'contnet'"),
    "content null": ("a.jsonl", chat(USER, '§{"role": "assistant", "content": null}'), "no content"),
    "content a number": ("a.jsonl", chat(USER, '{"role": "assistant", "content": §5}'), "the content is a number"),
    "unknown part": ("a.jsonl", chat('{"role": "user", "content": [{"type": §"txt"}]}'), "did you mean 'text'"),
    "part without text": ("a.jsonl", chat('{"role": "user", "content": [§{"type": "text"}]}'), "no text"),
    "part no object": ("a.jsonl", chat('{"role": "user", "content": [§"a"]}'), "a part of a content list"),
    "user reasons": (
        "a.jsonl",
        chat('{"role": "user", "content": [{"type": §"reasoning", "text": "a"}]}'),
        "only the assistant reasons",
    ),
    "weight no number": ("a.jsonl", chat(USER, ASSISTANT[:-1] + ', "weight": §"1"}'), "weight is '1'"),
    "weight below zero": ("a.jsonl", chat(USER, ASSISTANT[:-1] + ', "weight": §-1}'), "weight is -1"),
    "weight on a user": ("a.jsonl", chat(USER[:-1] + ', "weight": §1}', ASSISTANT), "weight 1 on a user message"),
    "last turn the user's": ("a.jsonl", GOOD + chat(USER, ASSISTANT, "§" + USER), "nothing answers the last turn"),
    "unanswered rows before": ("a.jsonl", chat("§" + USER) + GOOD + GOOD, "nothing answers the last turn"),
    "two assistant turns": ("a.jsonl", GOOD + chat(USER, ASSISTANT, "§" + ASSISTANT), "two assistant turns"),
    "only system": ("a.jsonl", GOOD + chat('§{"role": "system", "content": "s"}'), "nothing but system messages"),
    "result without call": (
        "a.jsonl",
        chat(USER, '§{"role": "tool", "content": "r"}', ASSISTANT),
        "a tool's result without the call",
    ),
    "result of another call": (
        "a.jsonl",
        chat(USER, CALL, '{"role": "tool", "tool_call_id": §"c2", "content": "r"}', ASSISTANT),
        "the call 'c2', which was not made",
    ),
    "call without result": ("a.jsonl", chat(USER, CALL, "§" + USER, ASSISTANT), "have no result"),
    "call without name": ("a.jsonl", chat(USER, CALL.replace('{"name": "f", ', "§{")), "no name"),
    "arguments no JSON": ("a.jsonl", chat(USER, CALL.replace("{}", '§"{a}"')), "not the JSON of the arguments"),
    "arguments a list": ("a.jsonl", chat(USER, CALL.replace("{}", "§[]")), "not an object"),
    "tools no list": ("a.jsonl", GOOD + GOOD[:-2] + ', "tools": §3}\n', "not a list of tools"),
    "tool without name": (
        "a.jsonl",
        GOOD + GOOD[:-2] + ', "tools": [§{"x": 1}]}\n',
        "a tool is a function with a name",
    ),
    "sharegpt role": (
        "a.jsonl",
        '{"conversations": [{"from": §"humna", "value": "a"}, {"from": "gpt", "value": "b"}]}\n',
        "did you mean 'human'",
    ),
    "sharegpt call": (
        "a.jsonl",
        '{"conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": §"f(x)"}]}\n',
        "not the JSON of a tool call",
    ),
    "completion an object": (
        "a.jsonl",
        '{"prompt": "a", "completion": "b"}\n{"prompt": "a", "completion": §{"x": 1}}\n',
        "completion is an object, not text",
    ),
    "completion empty": (
        "a.jsonl",
        '{"prompt": "a", "completion": "b"}\n{"prompt": "a", "completion": §""}\n',
        "nothing answers",
    ),
    "history": (
        "a.jsonl",
        '{"instruction": "a", "output": "b", "history": [["q", "a"], §["q"]]}\n',
        "an entry of the history",
    ),
    "pair without rejected": (
        "a.jsonl",
        '{"prompt": "a", "chosen": "b", "rejected": "c"}\n§{"prompt": "a", "chosen": "b", "rejcted": "c"}\n',
        "did you mean 'rejcted'",
    ),
    "pair without prompt": ("a.jsonl", '{"chosen": §"b", "rejected": "c"}\n', "share no prompt"),
    "pair ends with the user": (
        "a.jsonl",
        '{"prompt": "a", "chosen": [{"role": "assistant", "content": "b"}, §' + USER + '], "rejected": "c"}\n',
        "chosen ends with a user turn",
    ),
    "rating no number": (
        "a.jsonl",
        '{"prompt": "a", "completion": "b", "label": true}\n{"prompt": "a", "completion": "b", "label": §"so-so"}\n',
        "label is 'so-so', no rating",
    ),
    "empty text": ("a.jsonl", '{"text": "a"}\n{"text": §" "}\n', "the text is empty"),
    "other shape": (
        "a.jsonl",
        GOOD + GOOD + '§{"instruction": "a", "input": "", "output": "b"}\n',
        "a row of the shape 'alpaca' in a file of 'chat'",
    ),
    "in a list": (
        "a.json",
        '[\n  {\n    "prompt": "a",\n    "completion": "b"\n  },\n  {\n    "prompt": §{}, "completion": "b"\n  }\n]\n',
        "prompt is an object",
    ),
    "in a list on one line": (
        "a.json",
        '[{"prompt": "ä", "completion": "b"}, {"prompt": "a", "completion": [§"x"]}]',
        "a message is an object",
    ),
    "cell missing": ("a.csv", "prompt,completion\na,b\n§c\n", "1 cells where the first line names 2 columns"),
    "cell too many": ("a.tsv", "prompt\tcompletion\na\tb\n§c\td\te\n", "3 cells"),
    "cell empty": (
        "a.csv",
        'prompt,completion\n"a\nb",c\n§d,\n',
        "nothing answers the last turn of this row (column 2)",
    ),
}


def place(text: str, file: str) -> tuple[str, str]:
    """The text without its mark, and `line:column` (only the line in a table) of the mark."""
    before, mark, after = text.partition("§")
    assert mark
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return before + after, f"{line}:{column}" if "json" in file else f"{line}"


@pytest.mark.parametrize("case", ROWS)
def test_each_fault_is_named_at_its_place(case: str, tmp_path: Path) -> None:
    file, text, words = ROWS[case]
    text, where = place(text, file)
    path = tmp_path / file
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(DataError) as caught:
        formats.read([str(path)])
    problems = [str(problem) for problem in caught.value.problems] or [str(caught.value)]
    assert [problem.partition(": ")[0] for problem in problems] == [f"{path}:{where}"]
    assert words in problems[0]
