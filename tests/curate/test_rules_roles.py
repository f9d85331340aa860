"""The rules of conversations (R), of empty turns (F009) and of weights (M)."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from tailor import formats
from tailor.config import CheckConfig
from tailor.curate.check import Report, check
from tailor.testing.rules import Rows, RuleContract, chat, pair

GOOD = [chat(("system", "s"), ("user", "a"), ("assistant", "b"))]
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
    },
}


def call(name: str, arguments: dict[str, Any], *tools: dict[str, Any]) -> dict[str, Any]:
    made = {"id": "1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [made]}]
    return {"messages": turns, "tools": list(tools)} if tools else {"messages": turns}


def weighed(*weights: float | None) -> dict[str, Any]:
    turns: list[dict[str, Any]] = []
    for weight in weights:
        turns.append({"role": "user", "content": "a"})
        turns.append({"role": "assistant", "content": "b"} | ({} if weight is None else {"weight": weight}))
    return {"messages": turns}


class TestBlankText(RuleContract):
    name = "blank-text"
    fires = {
        "no answer": ([*GOOD, chat(("user", "a"), ("assistant", " \n"))], {2}),
        "no question": ([*GOOD, chat(("user", ""), ("assistant", "b"))], {2}),
    }
    silent = {"all said": GOOD, "a call needs no text": [call("f", {})]}


class TestByteOrderMark(RuleContract):
    name = "byte-order-mark"
    fires = {"at the beginning": ([pair("a", "b")], {0})}
    silent = {"none": [pair("a", "b")] * 2}

    def report(self, rows: Rows, folder: Path, against: Rows = (), *, workers: int = 1) -> Report:
        mark = codecs.BOM_UTF8 if len(rows) == 1 else b""
        (folder / "rows.jsonl").write_bytes(mark + "\n".join(map(json.dumps, rows)).encode())
        report = check(formats.stream([str(folder / "rows.jsonl")]), settings=CheckConfig(select=("F010",)))
        assert report.rows == len(rows)
        return report


class TestLateSystemTurn(RuleContract):
    name = "late-system-turn"
    fires = {"in the middle": ([*GOOD, chat(("user", "a"), ("system", "s"), ("assistant", "b"))], {2})}
    silent = {"first": GOOD}


class TestNoQuestion(RuleContract):
    name = "no-question"
    fires = {
        "the assistant alone": ([*GOOD, chat(("assistant", "b")), chat(("system", "s"), ("assistant", "b"))], {2, 3})
    }
    silent = {"asked": GOOD, "plain text": [{"text": "a"}]}


class TestAnswerComesFirst(RuleContract):
    name = "answer-comes-first"
    fires = {"a greeting": ([*GOOD, chat(("assistant", "Hi!"), ("user", "a"), ("assistant", "b"))], {2})}
    silent = {"asked first": GOOD, "nothing asked is another rule's": [chat(("assistant", "b"))]}


class TestTwoQuestionsInARow(RuleContract):
    name = "two-questions-in-a-row"
    fires = {"cut in two": ([*GOOD, chat(("user", "a"), ("user", "b"), ("assistant", "c"))], {2})}
    silent = {"in turn": [*GOOD, chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))]}


class TestUndeclaredTool(RuleContract):
    name = "undeclared-tool"
    fires = {"misspelt": ([call("find_order", {"id": 1}, TOOL), call("findorder", {"id": 1}, TOOL)], {2})}
    silent = {"declared": [call("find_order", {"id": 1}, TOOL)], "none declared": [call("f", {})]}


class TestArgumentsAgainstSchema(RuleContract):
    name = "arguments-against-schema"
    fires = {
        "wrong type": ([call("find_order", {"id": 1}, TOOL), call("find_order", {"id": "one"}, TOOL)], {2}),
        "missing": ([call("find_order", {}, TOOL)], {1}),
    }
    silent = {
        "as declared": [call("find_order", {"id": 1}, TOOL)],
        "a dialect that is not JSON schema": [
            call("f", {"a": 1}, {"type": "function", "function": {"name": "f", "parameters": {"type": "dict"}}})
        ],
    }


class TestNothingTrained(RuleContract):
    name = "nothing-trained"
    fires = {"all zero": ([weighed(None), weighed(0, 0)], {2})}
    silent = {"one counts": [weighed(0, 1), weighed(None)]}


class TestHeavyWeight(RuleContract):
    name = "heavy-weight"
    fires = {"a percentage": ([weighed(None), weighed(95)], {2})}
    silent = {"0 and 1": [weighed(0, 1)], "a fraction": [weighed(0.5)]}
