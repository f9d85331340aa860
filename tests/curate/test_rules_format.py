"""The rules of rows that the reader refuses (F and R): each kind of fault has a rule of its own."""

from __future__ import annotations

from pathlib import Path

from tailor import formats
from tailor.config import CheckConfig
from tailor.curate.check import Report, check
from tailor.testing.rules import Rows, RuleContract, chat, pair

GOOD = [pair("one?", "1"), pair("two?", "2")]


class TestNotJson(RuleContract):
    name = "not-json"
    fires = {
        "cut off": ([*GOOD, '{"prompt": "a"'], {3}),
        "python": ([*GOOD, "{'prompt': 'a', 'completion': None}"], {3}),
        "not a number": ([*GOOD, '{"prompt": "a", "completion": NaN}'], {3}),
        "half a surrogate pair": ([*GOOD, '{"prompt": "a", "completion": "\\ud83d"}'], {3}),
    }
    silent = {"json": GOOD}


class TestUnreadableFile(RuleContract):
    name = "unreadable-file"
    fires = {"a quote that is never closed": ([], {3})}
    silent = {"a whole file": GOOD}

    def report(self, rows: Rows, folder: Path, against: Rows = (), *, workers: int = 1) -> Report:
        text = "prompt,completion\na,b\n" + ("" if rows else '"c,d\n')
        (folder / "rows.csv").write_text(text)
        return check(formats.stream([str(folder / "rows.csv")]), settings=CheckConfig(select=("F001",)))


class TestNotUtf8(RuleContract):
    name = "not-utf8"
    fires = {"latin-1": ([*GOOD, {"prompt": "caf\udce9", "completion": "b"}], {3})}
    silent = {"utf-8": [*GOOD, pair("café", "b")]}


class TestWrongNumberOfCells(RuleContract):
    name = "wrong-number-of-cells"
    fires = {"a comma without quotes": (["a,b", "c,d,e"], {3})}
    silent = {"in quotes": ["a,b", 'c,"d,e"']}

    def report(self, rows: Rows, folder: Path, against: Rows = (), *, workers: int = 1) -> Report:
        (folder / "rows.csv").write_text("\n".join(["prompt,completion", *map(str, rows)]))
        return check(formats.stream([str(folder / "rows.csv")]), settings=CheckConfig(select=("F007",)))


class TestRepeatedKey(RuleContract):
    name = "repeated-key"
    fires = {"twice": ([*GOOD, '{"prompt": "a", "prompt": "b", "completion": "c"}'], {3})}
    silent = {"once in each object": [*GOOD, {"prompt": "a", "completion": "b", "meta": {"prompt": "x"}}]}


class TestWrongShape(RuleContract):
    name = "wrong-shape"
    fires = {
        "misspelt key": ([*GOOD, {"promt": "a", "completion": "b"}], {3}),
        "a list for text": ([*GOOD, {"prompt": "a", "completion": {"b": 1}}], {3}),
    }
    silent = {"text": GOOD}


class TestMixedShapes(RuleContract):
    name = "mixed-shapes"
    fires = {"a chat among pairs": ([*GOOD, chat(("user", "a"), ("assistant", "b"))], {3})}
    silent = {"one shape": GOOD}


class TestNothingInIt(RuleContract):
    name = "nothing-in-it"
    fires = {
        "no messages": ([chat(("user", "a"), ("assistant", "b")), chat()], {2}),
        "no content": ([chat(("user", "a"), ("assistant", "b")), {"messages": [{"role": "user"}]}], {2}),
    }
    silent = {"all said": [chat(("user", "a"), ("assistant", "b"))]}


class TestUnknownRole(RuleContract):
    name = "unknown-role"
    fires = {
        "misspelt": ([chat(("user", "a"), ("assistant", "b")), chat(("usr", "a"), ("assistant", "b"))], {2}),
        "missing": ([chat(("user", "a"), ("assistant", "b")), {"messages": [{"content": "a"}]}], {2}),
    }
    silent = {"known": [chat(("system", "s"), ("user", "a"), ("assistant", "b"))]}


class TestTurnsOutOfOrder(RuleContract):
    name = "turns-out-of-order"
    fires = {
        "two answers": ([chat(("user", "a"), ("assistant", "b"), ("assistant", "c"))] * 2, {1, 2}),
        "system alone": ([chat(("user", "a"), ("assistant", "b")), chat(("system", "a"))], {2}),
    }
    silent = {"in turn": [chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))]}


class TestToolTurns(RuleContract):
    name = "tool-turns"
    fires = {"a result without a call": ([chat(("user", "a"), ("tool", "b"), ("assistant", "c"))], {1})}
    silent = {
        "call and result": [
            {
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
                    {"role": "tool", "tool_call_id": "1", "content": "r"},
                    {"role": "assistant", "content": "b"},
                ]
            }
        ]
    }


class TestNoAnswer(RuleContract):
    name = "no-answer"
    fires = {
        "the user speaks last": ([chat(("user", "a"), ("assistant", "b")), chat(("user", "a"))], {2}),
        "an empty completion": ([*GOOD, pair("three?", "")], {3}),
    }
    silent = {"only prompts": [chat(("user", "a")), chat(("user", "b"))]}
